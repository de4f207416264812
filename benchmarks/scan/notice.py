"""For maintainers: hold the corpus against the packages that it comes from, and write its NOTICE.

    python -m benchmarks.scan.notice DIRECTORY

`DIRECTORY` has the packages as their clients fetch them (`npm pack NAME@VERSION`,
`pip download --no-deps NAME==VERSION`), in the very versions of the corpus. Each listing gets the licence and the
copyright notices that its package has; one whose package is unclear about them is taken out, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.scan.collect import BENIGN, write
from benchmarks.scan.licences import LICENCES, TEXTS, Licensed, Unclear, licensed

NOTICE = BENIGN.parent / "NOTICE"
HEAD = """Whose texts the listings in `benign` are, and under which licence they are passed on here.

Made by `python -m benchmarks.scan.notice` from the packages themselves. `by` says what names the licence: its text in
the package, the package's metadata, or its README. The texts of the licences are at the end, once each; they hold for
each listing with the notices that stand beside it. The listings are shortened as the README beside this file says.
"""
_RULE = "-" * 72


def notice() -> str:
    """The file's text, by what the listings say."""
    parts = [HEAD]
    for file in sorted(BENIGN.glob("*.json")):
        form = json.loads(file.read_bytes())
        parts.append(f"{form['package']} {form['version']}: {form['licence']} (by {form['licensed_by']})")
        parts += [f"  {line}" for line in form["copyright"]]
    for licence in LICENCES:
        parts.append(f"\n{_RULE}\n{licence}\n{_RULE}\n\n{(TEXTS / f'{licence}.txt').read_text('utf-8').strip()}")
    return "\n".join(parts) + "\n"


def held_against(directory: Path) -> list[str]:
    """Put what the packages say into the listings: what was wrong, or is missing."""
    packages, said = _read(directory)
    for file in sorted(BENIGN.glob("*.json")):
        form: dict[str, Any] = json.loads(file.read_bytes())
        name = f"{form['package']} {form['version']}"
        found = packages.get(name)
        if found is None:
            file.unlink()
            said.append(f"{name}: taken out")
            continue
        if found.licence != form["licence"]:
            said.append(f"{name}: {found.licence}, not {form['licence']}")
        write(form, found)
    return said


def _read(directory: Path) -> tuple[dict[str, Licensed], list[str]]:
    found: dict[str, Licensed] = {}
    said = []
    for file in sorted(one for one in directory.iterdir() if one.suffix in (".tgz", ".whl")):
        try:
            one = licensed(file)
            found[f"{one.package} {one.version}"] = one
        except Unclear as unclear:
            said.append(f"unclear: {unclear}")
    return found, said


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.scan.notice", description="Write the corpus's NOTICE.")
    parser.add_argument("directory", type=Path)
    print("\n".join(held_against(parser.parse_args().directory)))
    NOTICE.write_text(notice(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
