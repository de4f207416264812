"""The command line: one small module a command, imported only when that command is used."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from mcp_guard import __version__
from mcp_guard.errors import GuardError, InputError

COMMANDS = {
    "demo": "Show the guard at work on four real tool servers, in under a minute.",
    "init": "Put your clients' servers behind a guard, with a starter policy; or take it back.",
    "wrap": "Guard one tool server: put this in front of the command that starts it.",
    "run": "Guard several tool servers as one, on stdio or HTTP.",
    "check": "Do the documents load, what does each server offer, what would be shown, what is odd.",
    "lock": "Put down what the servers offer, and see what changed since.",
    "explain": "Why a call is allowed or refused, by which line, and what would change it.",
    "test": "Run the cases beside a policy, with coverage and mutation.",
    "schema": "The JSON Schema of a format, and the line that makes an editor use it.",
    "diff": "What a new policy or mandate permits that the old one did not, and the reverse.",
    "accept": "Let a wider version of a policy, mandate, lock or guard.yaml count from here on.",
    "revoke": "Take a tool, or some calls of it, away from every guard of a policy, at once.",
    "mandate": "Draft what one task needs, for a person to read; show one in words.",
    "approvals": "What waits for a person's answer: list, show, approve, deny, watch.",
    "console": "The pages for all of that in your browser: authority, what happens, approvals, log.",
    "stop": "Stop every call at once, or those of one server, effect or session.",
    "quarantine": "Answers that wait for a person: list them, look at one, release it.",
    "session": "Which sessions there are, what they were exposed to; clear labels, begin a new one.",
    "pin": "Set the PIN by which the guard knows that a person is there.",
    "report": "What was granted against what was used, what was refused and its likely cause.",
    "replay": "What another policy would have said of the recorded calls.",
    "suggest": "The tightest policy that still allows what was observed, proved narrower.",
    "report-failure": "Deny a call that should not have been allowed, at once, and learn from it.",
    "log": "What was blocked, why, when, by whom; what each grant was used for.",
}


class _Lazy(click.Group):
    """Commands by name; a module is imported when its command is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        gc.disable()  # of what is loaded nothing is garbage, and looking for some takes a fifth of the time
        try:
            command = getattr(importlib.import_module(f"mcp_guard.cli.{module}"), module)
        finally:
            if not gc.get_freeze_count():  # once: what a process has made since may be garbage
                gc.freeze()
            gc.enable()
        assert isinstance(command, click.Command)  # noqa: S101 - a module here holds a command of its own name
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands, without importing every one of them for a line of help."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mcp-guard")
def app() -> None:
    """Least privilege for MCP: shows a client only the granted tools and judges every call before it happens.

    \b
    Try it:       mcp-guard demo
    Set it up:    mcp-guard init
    Guard one:    mcp-guard wrap --name files --policy policy.yaml -- npx -y SERVER DIR
    Look back:    mcp-guard log --denied

    \b
    Completion:   eval "$(_MCP_GUARD_COMPLETE=bash_source mcp-guard)"   (zsh: zsh_source)
                  _MCP_GUARD_COMPLETE=fish_source mcp-guard | source
    """


def run(ahead: Any = None) -> int:
    """Run one command. 0 fine, 1 the answer is no, 2 the input is wrong. `ahead` is a server that `wrap` started."""
    try:
        result = app.main(standalone_mode=False, obj=ahead, prog_name="mcp-guard")
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return 130
    except click.NoSuchOption as error:
        error.show(sys.stderr)
        if "--" not in sys.argv and error.ctx is not None and error.ctx.info_name in ("wrap", "check"):
            click.echo("Is it the server's? Then put `--` before the server's command.", err=True)
        return 2
    except click.ClickException as error:
        error.show(sys.stderr)
        return 2
    except InputError as error:
        _say(error)
        return 2
    except GuardError as error:
        _say(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except (BrokenPipeError, SystemExit) as ended:  # `| head` has seen enough: click and rich make it SystemExit(1)
        if isinstance(ended, SystemExit) and ended.code != 1:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter complains while it flushes
        return 0
    finally:
        if ahead is not None:
            ahead.end()  # nothing if the guard has taken it over and ended it


def _say(error: GuardError) -> None:
    """One line: an error quotes keys and file names, which whoever wrote the file has chosen."""
    from mcp_guard.record.shown import escaped  # only now: what it imports would slow every start

    click.echo(f"mcp-guard: {escaped(str(error))}", err=True)
