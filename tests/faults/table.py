"""`docs/reliability.md` has two tables that are made from the code: the bounds, and the faults with their tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.faults.bounds import BOUNDS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- {}: made by python -m tests.faults -->", "<!-- /{} -->"


@dataclass(frozen=True)
class Clause:
    """One fault, and the tests that provoke it or the reason why it can't happen."""

    what: str
    tests: tuple[tuple[Path, str], ...]
    why: str = ""


@dataclass(frozen=True)
class Group:
    """A family of faults."""

    about: str
    clauses: tuple[Clause, ...]


def groups() -> list[Group]:
    """The whole table."""
    read = yaml.safe_load((Path(__file__).parent / "table.yaml").read_text())
    return [Group(one["group"], tuple(_clause(*words) for words in one["clauses"])) for one in read]


def _clause(what: str, *where: str) -> Clause:
    tests = tuple(_test(word) for word in where if "::" in word)
    return Clause(what, tests, "".join(word for word in where if "::" not in word))


def _test(word: str) -> tuple[Path, str]:
    module, _, name = word.partition("::")
    return Path("tests", f"{module}.py"), name


def fault_table() -> str:
    """In Markdown: each test as a sentence, linked to its file."""
    lines = []
    for number, group in enumerate(groups(), 1):
        lines += [f"### {number}. {group.about}", ""]
        for clause in group.clauses:
            lines.append(f"- {clause.what}")
            lines += [f"  - [{_sentence(name)}](../{path.as_posix()})" for path, name in clause.tests]
            lines += [f"  - can't happen: {clause.why}"] if clause.why else []
        lines.append("")
    return "\n".join(lines).rstrip()


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def bound_table() -> str:
    """In Markdown, with the values as the code has them."""
    lines = ["| bound | default | beyond it |", "|---|---|---|"]
    for about, bounds in BOUNDS.items():
        lines.append(f"| **{about}** | | |")
        for bound in bounds:
            key = f" (`{bound.key}`)" if bound.key else ""
            lines.append(f"| {bound.what}{key} | {bound.shown} | {bound.beyond} |")
    return "\n".join(lines)


PARTS = {"bounds": bound_table, "faults": fault_table}


def rendered(text: str) -> str:
    """The document with its made parts made anew."""
    for name, make in PARTS.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        if not after:
            raise ValueError(f"no place for `{name}` in {DOCUMENT.name}")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text
