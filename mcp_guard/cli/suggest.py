"""`mcp-guard suggest`: the tightest policy that still allows what was observed. Reads the record; enforces nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from mcp_guard.cli.log import since_when
from mcp_guard.cli.report import argument_digest, kept_values
from mcp_guard.cli.setting_up import load_documents, parse_settings
from mcp_guard.cli.suggesting import Present, Suggestion, suggestion
from mcp_guard.config import load_config
from mcp_guard.errors import GuardError, InputError
from mcp_guard.record import place
from mcp_guard.record.events import events
from mcp_guard.record.query import Filter, open_for_reading
from mcp_guard.record.shown import escaped
from mcp_guard.suggesting.denying import wider_denies
from mcp_guard.suggesting.writing import document_text, explained

_MOST = 20  # held-out calls that are named


def _share(_: click.Context, __: click.Parameter, value: str) -> float:
    found = re.fullmatch(r"(\d{1,2})%", value)
    if found is None:
        raise InputError(f"`--hold-out {value}` is no share; write a per cent below 100, such as 20%")
    return int(found[1]) / 100


@click.command(epilog="Example: mcp-guard suggest --policy project.yaml --since 7d -o tighter.yaml")
@click.option("--config", type=click.Path(path_type=Path), help="Tighten the policy of this guard.yaml.")
@click.option("--policy", type=click.Path(path_type=Path), help="Tighten this policy.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A variable of the policy.")
@click.option(
    "--since", metavar="WHEN", callback=since_when, help="Only what is newer: 30m, 2h, 7d, or a date and time."
)
@click.option("--session", metavar="KEY", help="Only this session; the beginning of its key is enough.")
@click.option(
    "--hold-out", default="20%", callback=_share, help="Try it on the newest calls, this share. Default: 20%."
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this new file.")
@click.option("--state", type=click.Path(path_type=Path), help="The record's directory.")
@click.option("--json", "as_json", is_flag=True, help="For programs, with the reason of every line.")
def suggest(
    config: Path | None,
    policy: Path | None,
    settings: tuple[str, ...],
    since: datetime | None,
    session: str | None,
    hold_out: float,
    output: Path | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Print the tightest policy that still allows what was observed, each line explained by its calls.

    It is proved to permit nothing that the present one doesn't, or it isn't printed. How far values were used is known
    only where they were kept (`--record values`). Nothing is put in force: that is yours to do.
    """
    if output is not None and output.exists():
        raise InputError(f"{output} is there already; name a new file, and compare the two with `mcp-guard diff`")
    present = _present(config, policy, settings)
    directory = place.state_directory(state)
    values = kept_values(directory)
    with open_for_reading(directory) as query:
        wanted = events(query.entries(Filter(since=since, session=session)), values)
        digest = argument_digest(directory, None, said=False)
        found = suggestion(present, wanted, digest, hold_out)
    if values is not None and values.changed:
        raise GuardError(
            f"the values of {len(values.changed)} calls aren't those of their entries, first {values.changed[0]}: they "
            "were changed; `mcp-guard log verify` names them"
        )
    if not found.observed.calls:
        raise GuardError("no allowed call is recorded that fits, so nothing tells what can be left out")
    if found.slipped.refused:
        raise GuardError("what came out would refuse a call that was observed; this is a defect: nothing is printed")
    text = document_text(heading(present, found), found.proved.plain, found.proved.made)
    if output is not None:
        _write(output, text)
    if as_json:
        click.echo(json.dumps(as_data(found, text), indent=2).replace("\x7f", "\\u007f"))
    elif output is None:
        click.echo(text, nl=False)
    for line in told(found):
        click.echo(escaped(line), err=True)
    return 0


def _present(config: Path | None, policy: Path | None, settings: tuple[str, ...]) -> Present:
    variables = parse_settings(settings, Path.cwd())
    mandate = None
    if config is not None:
        loaded = load_config(config)
        policy, mandate = policy or loaded.policy, loaded.mandate
        variables = {**loaded.variables, **variables}
    if policy is None:
        raise InputError("name the policy to tighten: `--policy FILE`, or `--config FILE` with one that names it")
    _, second = load_documents(policy, mandate, variables)
    return Present.read(policy, variables, second)


def heading(present: Present, found: Suggestion) -> Iterator[str]:
    """The comments at the top."""
    calls = found.observed.calls
    yield f"Suggested from {present.file.name} and {len(calls)} calls, {calls[0].entry} to {calls[-1].entry}."
    yield "Proved: it permits nothing that the present policy doesn't."
    for made in found.proved.made:
        if not made.edit.at:
            yield f"left out: grant `{made.edit.rule}`, {explained(made.edit, made.alternative.name)}"
    for report in found.observed.reports:
        known = next((one.known for one in found.observed.reported if one.entry == report.entry), {})
        yield f"{report.entry} was reported; calls like it don't count here, and are denied"
        yield from (
            f"wider than that, if it is right: {line}" for line in wider_denies(report.name, known, report.entry)
        )


def told(found: Suggestion) -> Iterator[str]:
    """What a person should know beside the document."""
    calls, held = found.observed.calls, found.held_out
    yield f"proved narrower or the same; {len(found.proved.made)} changes from {len(calls)} calls"
    if missing := found.observed.without_values:
        yield (
            f"the values of {missing} of {len(calls)} calls aren't known: of their arguments, only names and listed "
            "values are told, beside tools and numbers of calls (`--record values` keeps them from now on)"
        )
    if found.observed.learned:
        yield f"{len(found.observed.learned)} calls were denied, and a person has permitted them since: they count"
    if held.calls:
        names = ", ".join(f"{one.name} {one.entry}" for one in held.refused[:_MOST])
        yield (
            f"held out: made from the older {found.learned_from} calls, it would refuse {len(held.refused)} of the "
            f"newest {held.calls} (over-block {held.over_block or 0:.0%}){f': {names}' if names else ''}"
        )
        if held.untold:
            yield f"of {len(held.untold)} of these it can't be told without their values"
    for edit in found.proved.left:
        yield f"left as it was, since no proof was found: `{edit.rule}` {' '.join(edit.at)}"


def as_data(found: Suggestion, text: str) -> dict[str, Any]:
    """All of it for programs."""
    held = found.held_out
    return {
        "policy": text,
        "verdict": "proved",
        "calls": len(found.observed.calls),
        "without_values": found.observed.without_values,
        "reported": [one.entry for one in found.observed.reported],
        "learned": sorted(found.observed.learned),
        "changes": [
            {
                "rule": made.edit.rule,
                "at": list(made.edit.at),
                "shape": made.alternative.name,
                "calls": made.edit.calls,
                "entries": list(made.edit.entries),
            }
            for made in found.proved.made
        ],
        "left": [{"rule": edit.rule, "at": list(edit.at)} for edit in found.proved.left],
        "held_out": {
            "from": found.learned_from,
            "calls": held.calls,
            "refused": [one.entry for one in held.refused],
            "untold": [one.entry for one in held.untold],
            "over_block": held.over_block,
        },
    }


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"can't write {path}: {(error.strerror or '').lower()}") from None
    click.echo(f"wrote {path}", err=True)
