"""`mcp-guard run`: several servers as one, on stdio or HTTP."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from mcp_guard.accepting.stacks import Asked
from mcp_guard.cli.accepting import keep_up, put_in_force, standing_of
from mcp_guard.cli.containing import say_contained
from mcp_guard.cli.serving import serve_stdio
from mcp_guard.cli.setting_up import build_guard, candidate_document, parse_settings, say_strangers, say_unset
from mcp_guard.cli.watching import watch_over
from mcp_guard.errors import InputError

DEFAULT_CONFIG = Path("guard.yaml")


@click.command(epilog="Example: mcp-guard run --config guard.yaml --http 127.0.0.1:8400")
@click.option("--config", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.option("--mandate", type=click.Path(path_type=Path), help="What is granted for one task, within the policy.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the documents.")
@click.option("--record", "kept", type=click.Choice(["values"]), help="Keep the arguments of calls (docs/report.md).")
@click.option("--candidate", type=click.Path(path_type=Path), help="Judge this policy beside the one in force, too.")
@click.option("--http", "address", metavar="HOST:PORT", help="Serve streamable HTTP instead of stdio (with a token).")
@click.option("--token-env", metavar="NAME", help="Take the HTTP token from this variable instead of minting one.")
def run(
    config: Path,
    mandate: Path | None,
    settings: tuple[str, ...],
    kept: str | None,
    candidate: Path | None,
    address: str | None,
    token_env: str | None,
) -> int:
    """Guard several tool servers as one. Each tool is listed as SERVER__TOOL; the policy says SERVER/TOOL."""
    if token_env is not None and address is None:
        raise InputError("`--token-env` goes with `--http HOST:PORT`")
    if address is not None and address.startswith(":"):
        raise InputError(f"`--http {address}` has no host; write `--http 127.0.0.1{address}`")
    asked = Asked(config, mandate=mandate, settings=parse_settings(settings, Path.cwd()))
    standing = standing_of(asked)
    force = standing.force
    loaded, first, second = force.config, force.policy, force.mandate
    assert loaded is not None  # noqa: S101 - a configuration was asked for
    if first is None and second is None:
        click.echo(f"mcp-guard: {config} names no policy, so nothing is granted; see `mcp-guard check`", err=True)

    guard = build_guard(
        loaded.servers,
        policy=first,
        mandate=second,
        prefixed=True,
        own_files=(config, loaded.lock_place, *loaded.heads_files, *loaded.watchers.own_files),
        durability=loaded.durability,
        lock=force.lock_file,
        locked=force.lock,
        heads=loaded.heads,
        limits=loaded.limits,
        inspect=loaded.inspect,
        values=loaded.values or kept is not None,
        candidate=candidate_document(candidate, first, {**loaded.variables, **asked.settings}),
    )
    put_in_force(guard, standing, asked)
    guard.watch = watch_over(guard, loaded.watchers)
    keep_up(guard, standing, asked)
    say_strangers(guard)
    say_unset(loaded)
    say_contained(guard.specs)
    if address is None:
        return serve_stdio(guard)
    from mcp_guard.accepting.bearers import Bearers, variables_of
    from mcp_guard.cli.serving_http import serve_http  # the SDK behind it costs half a second

    bearers = Bearers(guard, partial(variables_of, {**loaded.variables, **asked.settings}))
    return serve_http(guard, address, token_env, loaded.origins, bearers, loaded.sessions)
