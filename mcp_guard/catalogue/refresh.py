"""For maintainers: make or renew one data file from a server's own listing.

    python -m mcp_guard.catalogue.refresh --server files --package npm:@scope/name@1.2.3 < listing.json
    python -m mcp_guard.catalogue.refresh --index    (after a change by hand)
    python -m mcp_guard.catalogue.refresh --table    (for docs/catalogue.md)

`listing.json` is the result of `tools/list` (`{"tools": [...]}`), all pages of it. A tool that nobody has judged, and
one whose descriptor isn't the one that was judged, gets every class: take classes away by hand, by the rules of
`docs/catalogue.md`. Copies no description, only digests.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_guard.catalogue.entries import LISTED, READ, Entry, KnownTool, Published, read_entry
from mcp_guard.catalogue.packages import Registry
from mcp_guard.catalogue.store import DATA, INDEX
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.errors import InputError
from mcp_guard.model import EVERY_EFFECT, Described, EffectClass
from mcp_guard.wire import parse_arguments

_UNJUDGED = Described(EVERY_EFFECT, (), ("untrusted",))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit code 1 while there are tools to judge, 2 when the input is wrong."""
    parser = argparse.ArgumentParser(prog="mcp_guard.catalogue.refresh", description="Renew the effects catalogue.")
    parser.add_argument("--server", help="the file's id; a new one is made")
    parser.add_argument("--package", help="what was listed: npm:NAME@VERSION, pypi:NAME@VERSION, docker:IMAGE@TAG")
    parser.add_argument("--from-source", action="store_true", help="it was read from source, not listed")
    parser.add_argument("--index", action="store_true", help="only write the index anew")
    parser.add_argument("--table", action="store_true", help="only print the table of docs/catalogue.md")
    parser.add_argument("--data", type=Path, default=DATA, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.index:
        write_index(given.data)
        return 0
    if given.table:
        print(table(entries(given.data)))
        return 0
    if not (given.server and given.package):
        parser.error("--server and --package are needed")
    try:
        unjudged = _renew(given, sys.stdin.read())
    except (InputError, ValueError) as error:
        print(f"refresh: {error}", file=sys.stderr)
        return 2
    for name in unjudged:
        print(f"to judge: {name} has every class", file=sys.stderr)
    return 1 if unjudged else 0


def _renew(given: argparse.Namespace, text: str) -> list[str]:
    listing = parse_arguments(text)
    file: Path = given.data / f"{given.server}.json"
    before = read_entry(file.read_bytes()) if file.exists() else None
    registry, _, rest = given.package.partition(":")
    name, _, version = rest.rpartition("@")
    if not name or not version:
        raise InputError(f"`{given.package}` isn't REGISTRY:NAME@VERSION")
    package = Published(Registry(registry), name, (version,))
    how = READ if given.from_source else LISTED
    today = datetime.now(UTC).date().isoformat()
    form, unjudged = renewed(before, given.server, package, listing.get("tools", []), today, how)
    given.data.mkdir(exist_ok=True)
    file.write_text(written(form), "utf-8")
    write_index(given.data)
    return unjudged


def renewed(
    before: Entry | None, server: str, package: Published, tools: Sequence[Any], today: str, how: str
) -> tuple[Entry, list[str]]:
    """The entry for this listing, and the names of the tools in it that a person has to judge.

    Judgements are kept for descriptors that are the ones judged. Tools that aren't listed any more are gone.
    """
    found: dict[str, KnownTool] = {}
    unjudged: list[str] = []
    for tool in tools:
        name, digest = tool["name"], descriptor_digest(tool)
        known = before.tools.get(name) if before is not None else None
        if known is not None and digest in known.digests:
            found[name] = known
        else:
            unjudged.append(name)
            found[name] = KnownTool(_UNJUDGED, frozenset({digest}))
    return Entry(server, today, how, _packages(before, package), found), unjudged


def _packages(before: Entry | None, package: Published) -> tuple[Published, ...]:
    known = before.packages if before is not None else ()
    same = [one for one in known if (one.registry, one.name) == (package.registry, package.name)]
    programs = same[0].programs if same else ()
    return (replace(package, programs=programs), *(one for one in known if one not in same))


def written(entry: Entry) -> str:
    """The text of a data file: one tool a line, so that a change of judgement is one line of a diff."""
    heads = {"server": entry.server, "checked": entry.checked, "obtained": entry.obtained}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in heads.items()]
    packages = _lines([json.dumps(_published(one)) for one in entry.packages])
    tools = _lines([f"{json.dumps(name)}: {json.dumps(_tool(tool))}" for name, tool in sorted(entry.tools.items())])
    lines += [f' "packages": [\n{packages}\n ]', f' "tools": {{\n{tools}\n }}']
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _published(package: Published) -> dict[str, Any]:
    value = {"registry": package.registry.value, "name": package.name, "versions": list(package.versions)}
    return {**value, "programs": list(package.programs)} if package.programs else value


def _tool(tool: KnownTool) -> dict[str, Any]:
    described = tool.described
    effects = [one.value for one in EffectClass if one in described.effects]
    authority = {"authority": list(described.authority)} if described.authority else {}
    varies = {"varies": True} if tool.varies else {}
    gives, digests = list(described.gives), sorted(tool.digests)
    return {"effects": effects, **authority, "gives": gives, **varies, "digests": digests}


def _lines(items: Sequence[str]) -> str:
    return ",\n".join(f"  {item}" for item in items)


def table(found: Mapping[str, Entry]) -> str:
    """The catalogue as the documentation shows it, in Markdown."""
    rows = [(_packages_in_words(one), len(one.tools), one.checked, one.obtained) for _, one in sorted(found.items())]
    heads = ("| package | tools | looked at | how |", "|---|---|---|---|")
    return "\n".join([*heads, *(f"| {' <br> '.join(row[0])} | {row[1]} | {row[2]} | {row[3]} |" for row in rows)])


def _packages_in_words(entry: Entry) -> list[str]:
    return [f"{one.registry.value} `{one.name}` {', '.join(one.versions)}".rstrip() for one in entry.packages]


def index_of(forms: Mapping[str, Entry]) -> dict[str, str]:
    """Which file is about which package. Raises InputError if two are about the same one."""
    index: dict[str, str] = {}
    for file, form in sorted(forms.items()):
        for package in form.packages:
            key = f"{package.registry.value}:{package.name}"
            if key in index:
                raise InputError(f"`{key}` is in {index[key]}.json and in {file}.json; take it out of one")
            index[key] = file
    return index


def entries(data: Path = DATA) -> dict[str, Entry]:
    """Every entry, by the name of its file."""
    files = sorted(path for path in data.glob("*.json") if path.name != INDEX.name)
    return {path.stem: read_entry(path.read_bytes()) for path in files}


def write_index(data: Path = DATA) -> None:
    """Make the index anew from the files."""
    text = json.dumps(index_of(entries(data)), indent=1, sort_keys=True)
    (data / INDEX.name).write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
