"""For maintainers: make or renew one data file from a server's own listing.

    python -m mcp_guard.catalogue.refresh --server files --package npm:@scope/name@1.2.3 < listing.json
    python -m mcp_guard.catalogue.refresh --index

`listing.json` is the result of `tools/list` (`{"tools": [...]}`), all pages of it. A tool that nobody has judged, and
one whose descriptor isn't the one that was judged, gets every class: take classes away by hand, by the rules of
`docs/catalogue.md`. Copies no description, only digests.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mcp_guard.catalogue.entries import PackageForm, ServerForm, ToolForm, read_entry
from mcp_guard.catalogue.packages import Registry
from mcp_guard.catalogue.store import DATA, INDEX
from mcp_guard.descriptors import descriptor_digest
from mcp_guard.errors import InputError
from mcp_guard.model import EffectClass
from mcp_guard.wire import parse_arguments

_NOTHING_TAKEN_AWAY = list(EffectClass)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit code 1 while there are tools to judge, 2 when the input is wrong."""
    parser = argparse.ArgumentParser(prog="mcp_guard.catalogue.refresh", description="Renew the effects catalogue.")
    parser.add_argument("--server", help="the file's id; a new one is made")
    parser.add_argument("--package", help="what was listed: npm:NAME@VERSION, pypi:NAME@VERSION, docker:IMAGE@TAG")
    parser.add_argument("--from-source", action="store_true", help="it was read from source, not listed")
    parser.add_argument("--index", action="store_true", help="only write the index anew")
    parser.add_argument("--data", type=Path, default=DATA, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.index:
        write_index(given.data)
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
    package = PackageForm(registry=Registry(registry), name=name, versions=[version])
    how = "read from source" if given.from_source else "listed"
    today = datetime.now(UTC).date().isoformat()
    form, unjudged = renewed(before, given.server, package, listing.get("tools", []), today, how)
    given.data.mkdir(exist_ok=True)
    file.write_text(written(form), "utf-8")
    write_index(given.data)
    return unjudged


def renewed(
    before: ServerForm | None, server: str, package: PackageForm, tools: Sequence[Any], today: str, how: str
) -> tuple[ServerForm, list[str]]:
    """The entry for this listing, and the names of the tools in it that a person has to judge.

    Judgements are kept for descriptors that are the ones judged. Tools that aren't listed any more are gone.
    """
    found: dict[str, ToolForm] = {}
    unjudged: list[str] = []
    for tool in tools:
        name, digest = tool["name"], descriptor_digest(tool)
        known = before.tools.get(name) if before is not None else None
        if known is not None and digest in known.digests:
            found[name] = known
        else:
            unjudged.append(name)
            found[name] = ToolForm(effects=_NOTHING_TAKEN_AWAY, gives=["untrusted"], digests=[digest])
    packages = _packages(before, package)
    fields: dict[str, Any] = {"server": server, "packages": packages, "checked": today, "obtained": how}
    return ServerForm(**fields, tools=found), unjudged


def _packages(before: ServerForm | None, package: PackageForm) -> list[PackageForm]:
    known = before.packages if before is not None else []
    kept = [one for one in known if (one.registry, one.name) != (package.registry, package.name)]
    same = next((one for one in known if one not in kept), None)
    return [package.model_copy(update={"programs": same.programs}) if same else package, *kept]


def written(form: ServerForm) -> str:
    """The text of a data file: one tool a line, so that a change of judgement is one line of a diff."""
    value = form.model_dump(mode="json", exclude_defaults=True)
    heads = [f" {json.dumps(key)}: {json.dumps(value[key])}" for key in ("server", "checked", "obtained")]
    packages = _lines([json.dumps(package) for package in value["packages"]])
    tools = _lines([f"{json.dumps(name)}: {json.dumps(tool)}" for name, tool in sorted(value["tools"].items())])
    heads += [f' "packages": [\n{packages}\n ]', f' "tools": {{\n{tools}\n }}']
    return "{\n" + ",\n".join(heads) + "\n}\n"


def _lines(items: Sequence[str]) -> str:
    return ",\n".join(f"  {item}" for item in items)


def index_of(forms: Mapping[str, ServerForm]) -> dict[str, str]:
    """Which file is about which package. Raises InputError if two are about the same one."""
    index: dict[str, str] = {}
    for file, form in sorted(forms.items()):
        for package in form.packages:
            key = f"{package.registry.value}:{package.name}"
            if key in index:
                raise InputError(f"`{key}` is in {index[key]}.json and in {file}.json; take it out of one")
            index[key] = file
    return index


def entries(data: Path = DATA) -> dict[str, ServerForm]:
    """Every entry, by the name of its file."""
    files = sorted(path for path in data.glob("*.json") if path.name != INDEX.name)
    return {path.stem: read_entry(path.read_bytes()) for path in files}


def write_index(data: Path = DATA) -> None:
    """Make the index anew from the files."""
    text = json.dumps(index_of(entries(data)), indent=1, sort_keys=True)
    (data / INDEX.name).write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
