"""`mcp-guard wrap`: one server, a drop-in for the command that it wraps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcp_guard.accepting.stacks import Asked
from mcp_guard.catalog import SERVER_NAME
from mcp_guard.cli.accepting import keep_up, put_in_force, standing_of
from mcp_guard.cli.inspecting import parse_inspect
from mcp_guard.cli.serving import serve_stdio
from mcp_guard.cli.setting_up import build_guard, candidate_document, parse_settings, say_strangers
from mcp_guard.errors import InputError
from mcp_guard.server_spec import ServerSpec

HOW_TO_GRANT = (
    "mcp-guard: no --policy, so nothing is granted: no tool is listed and every call is refused.\n"
    "mcp-guard: to see what the server offers and how to grant it: mcp-guard check -- {command}\n"
)


@click.command(
    epilog="Example: mcp-guard wrap --name files --policy project.yaml --set project=. -- "
    "npx -y @modelcontextprotocol/server-filesystem ."
)
@click.option("--name", help="The server's name in the policy (NAME/tool). Needed with --policy.")
@click.option("--policy", type=click.Path(path_type=Path), help="What is granted. Without it: nothing.")
@click.option("--mandate", type=click.Path(path_type=Path), help="What is granted for one task, within the policy.")
@click.option("--lock", type=click.Path(path_type=Path), help="Show only what this lock has and still is what it was.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--record", "kept", type=click.Choice(["values"]), help="Keep the arguments of calls (docs/report.md).")
@click.option("--candidate", type=click.Path(path_type=Path), help="Judge this policy beside the one in force, too.")
@click.option("--contain", is_flag=True, help="Give the server the files that grants name, and no network (Linux).")
@click.option(
    "--inspect", "acts", multiple=True, metavar="SEVERITY=ACT", help="What the scan's findings do: docs/scan.md."
)
@click.option("--looked-at", multiple=True, metavar="NAME@DIGEST", help="Show this in spite of findings.")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@click.pass_obj
def wrap(
    ahead: Any,
    name: str | None,
    policy: Path | None,
    mandate: Path | None,
    lock: Path | None,
    settings: tuple[str, ...],
    kept: str | None,
    candidate: Path | None,
    contain: bool,
    acts: tuple[str, ...],
    looked_at: tuple[str, ...],
    command: tuple[str, ...],
) -> int:
    """Guard one tool server: put this in front of the command that starts it, in any client's configuration.

    The server's tools keep their names. What the policy doesn't grant is not listed and can't be called. With --contain
    it gets a small environment, too; `mcp-guard run` and a guard.yaml say more (docs/containment.md).
    """
    if name is None and (policy is not None or mandate is not None):
        raise InputError("`--name` is missing: the policy's rules say NAME/tool; name the server as they do")
    if command[0].startswith(("https://", "http://")):
        raise InputError(
            "`wrap` starts a command; a server that is reached by URL stands in guard.yaml, for `mcp-guard run`: "
            f'`{name or "docs"}: {{url: "https://...", token_env: NAME}}`'
        )
    if name is not None and not SERVER_NAME.fullmatch(name):
        raise InputError(f"`{name}` can't be a server's name; use letters, digits, `_` and `-`")
    inspect = parse_inspect(acts, looked_at)
    asked = Asked(policy=policy, mandate=mandate, lock=lock, settings=parse_settings(settings, Path.cwd()))
    standing = standing_of(asked)
    first, second = standing.force.policy, standing.force.mandate
    if first is None and second is None:
        click.echo(HOW_TO_GRANT.format(command=" ".join(command)), err=True, nl=False)
    spec = ServerSpec(name or "server", command)
    if contain:
        from mcp_guard.cli.containing import in_default_cell, say_contained

        spec = in_default_cell(spec)
    guard = build_guard(
        (spec,),
        policy=first,
        mandate=second,
        prefixed=False,
        own_files=(lock,) if lock is not None else (),
        lock=lock,
        locked=standing.force.lock,
        inspect=inspect,
        values=kept is not None,
        candidate=candidate_document(candidate, first, asked.settings),
    )
    put_in_force(guard, standing, asked)
    keep_up(guard, standing, asked)
    say_strangers(guard)
    if contain:
        say_contained(guard.specs)
    if ahead is not None:
        guard.children[guard.specs[0].name] = ahead
    return serve_stdio(guard)
