"""What a test run found, as text for a person, as plain values for `--json`, and as JUnit's XML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.markup import escape

from mcp_guard.model import Effect
from mcp_guard.policy.cases import Case, Suite
from mcp_guard.policy.cases_run import Played, problems
from mcp_guard.policy.coverage import Coverage
from mcp_guard.policy.mutation import Mutant
from mcp_guard.record.shown import escaped

_NO_CALL = (
    "no call was found that tells the two apart: another rule may say the same; "
    "if none does, write a case that this rule allows, to start from"
)


@dataclass(frozen=True, slots=True)
class Survivor:
    """A weaker document that no case noticed, and a case that would have; empty if none was found."""

    mutant: Mutant
    suggestion: str


@dataclass(frozen=True, slots=True)
class Report:
    """One case file's run. `mutants` is None where none were made."""

    suite: Suite
    played: tuple[Played, ...]
    coverage: Coverage
    mutants: int | None = None
    survivors: tuple[Survivor, ...] = ()

    @property
    def failed(self) -> list[Played]:
        return [one for one in self.played if not one.passed]

    def good(self, min_coverage: float | None) -> bool:
        """Is the answer yes: every case passes, enough is covered, no mutant is left?"""
        enough = min_coverage is None or self.coverage.percent >= min_coverage
        return not self.failed and enough and not self.survivors

    def expected(self) -> dict[str, int]:
        """How many cases must be allowed, asked about and denied."""
        return {effect.name.lower(): sum(one.case.expect is effect for one in self.played) for effect in Effect}


# --- text ---


def show(console: Console, report: Report, min_coverage: float | None) -> None:
    """For a person: failures first, then the counts, then what isn't covered or noticed."""
    console.print(f"[bold]{_plain(report.suite.file)}[/] about {_plain(report.suite.document.file)}")
    for one in report.failed:
        _failure(console, report.suite, one)
    _counts(console, report)
    _coverage(console, report.coverage, min_coverage)
    if report.mutants is not None:
        _survivors(console, report)


def _failure(console: Console, suite: Suite, one: Played) -> None:
    at = f"{suite.file}:{one.case.place[0]}:{one.case.place[1]}"
    console.print(f"  [red]FAIL[/] {_plain(at)} {_plain(one.case.why)}: {_plain(one.case.call.name)}")
    for line in problems(one):
        console.print(f"    {_plain(line)}")


def _counts(console: Console, report: Report) -> None:
    total, failed = len(report.played), len(report.failed)
    colour = "red" if failed else "green"
    expected = ", ".join(f"{count} must {effect}" for effect, count in report.expected().items())
    said = f"{failed} of {_many(total, 'case')} failed" if failed else f"{_many(total, 'case')} passed"
    console.print(f"  [{colour}]{said}[/]: {expected}")
    for effect, meaning in (("allow", "that work can be done"), ("deny", "that anything is refused")):
        if not report.expected()[effect]:
            console.print(f"  [yellow]no case must {effect}[/]: nothing shows {meaning}")


def _coverage(console: Console, coverage: Coverage, min_coverage: float | None) -> None:
    low = min_coverage is not None and coverage.percent < min_coverage
    needed = f", {min_coverage:g}% needed" if low else ""
    counted = f"{coverage.covered} of {_many(coverage.total, 'clause')}"
    console.print(f"  [{'red' if low else 'default'}]coverage {coverage.percent:.1f}%[/]: {counted}{needed}")
    if min_coverage is None:
        return
    for rule in coverage.rules:
        left = [clause for clause in rule.clauses if not clause.covered]
        if left:
            at = f"{rule.file}:{rule.place[0]}:{rule.place[1]}"
            share = f"{len(rule.clauses) - len(left)} of {len(rule.clauses)}"
            console.print(f"    {_plain(rule.id)} ({_plain(at)}): {share}")
        for clause in left:
            console.print(f"      {_plain(clause.words)}: {clause.missing}")


def _survivors(console: Console, report: Report) -> None:
    left = len(report.survivors)
    colour, said = ("red", f"{left} not noticed") if left else ("green", "each noticed by a case")
    console.print(f"  [{colour}]mutation[/]: {_many(report.mutants or 0, 'weaker document')}, {said}")
    for one in report.survivors:
        at = f"{report.suite.document.file}:{one.mutant.place[0]}:{one.mutant.place[1]}"
        console.print(f"    {_plain(one.mutant.name)} ({_plain(at)}) {_plain(one.mutant.what)}")
        if one.suggestion:
            console.print(f"      [cyan]{_plain(one.suggestion)}[/]")
        else:
            console.print(f"      {_NO_CALL}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _plain(text: str) -> str:
    """Whoever wrote a case file steers neither the terminal nor our markup."""
    return escape(escaped(text))


# --- JSON ---


def to_dict(report: Report, min_coverage: float | None) -> dict[str, Any]:
    """Plain values; the keys are a contract."""
    found: dict[str, Any] = {
        "cases": report.suite.file,
        "document": report.suite.document.file,
        "ok": report.good(min_coverage),
        "total": len(report.played),
        "failed": len(report.failed),
        "expected": report.expected(),
        "failures": [_failed(one) for one in report.failed],
        "coverage": _covered(report.coverage),
    }
    if report.mutants is not None:
        found["mutation"] = {"mutants": report.mutants, "survivors": [_survivor(one) for one in report.survivors]}
    return found


def _failed(one: Played) -> dict[str, Any]:
    case, decision = one.case, one.decision
    return {
        "why": case.why,
        "line": case.place[0],
        "column": case.place[1],
        "call": case.call.name,
        "expected": {"effect": case.expect.name.lower(), "rule": case.rule, "reason": case.reason},
        "got": {
            "effect": decision.effect.name.lower(),
            "reason": decision.reason,
            "rules": [
                {"id": rule.id, "file": rule.file, "line": rule.line, "column": rule.column} for rule in decision.rules
            ],
            "detail": decision.detail,
        },
        "problems": problems(one),
    }


def _covered(coverage: Coverage) -> dict[str, Any]:
    return {
        "percent": round(coverage.percent, 1),
        "clauses": coverage.total,
        "covered": coverage.covered,
        "rules": [
            {
                "id": rule.id,
                "file": rule.file,
                "line": rule.place[0],
                "column": rule.place[1],
                "clauses": [
                    {"clause": one.words, "passed": one.passed, "failed": one.failed, "covered": one.covered}
                    for one in rule.clauses
                ],
            }
            for rule in coverage.rules
        ],
    }


def _survivor(one: Survivor) -> dict[str, Any]:
    mutant = one.mutant
    return {
        "rule": mutant.name,
        "line": mutant.place[0],
        "column": mutant.place[1],
        "what": mutant.what,
        "suggestion": one.suggestion,
    }


# --- JUnit ---


def junit(reports: Iterable[Report], min_coverage: float | None) -> bytes:
    """The form that continuous integration reads: a suite a case file, a test a case; low coverage, each survivor."""
    root = ElementTree.Element("testsuites", name="mcp-guard test")
    for report in reports:
        tests = [*_case_tests(report), *_other_tests(report, min_coverage)]
        failures = sum(len(test) for test in tests)
        suite = ElementTree.SubElement(
            root, "testsuite", name=escaped(report.suite.file), tests=str(len(tests)), failures=str(failures)
        )
        suite.extend(tests)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case_tests(report: Report) -> Iterable[ElementTree.Element]:
    for one in report.played:
        yield _test(report, _name(one.case), one.case.place[0], problems(one))


def _other_tests(report: Report, min_coverage: float | None) -> Iterable[ElementTree.Element]:
    if min_coverage is not None:
        low = report.coverage.percent < min_coverage
        said = f"coverage {report.coverage.percent:.1f}% is below {min_coverage:g}%"
        yield _test(report, "coverage", 1, [said] if low else [])
    for one in report.survivors:
        name = f"mutation: {one.mutant.name} {one.mutant.what}"
        yield _test(report, name, one.mutant.place[0], ["no case notices it", one.suggestion])


def _test(report: Report, name: str, line: int, said: list[str]) -> ElementTree.Element:
    test = ElementTree.Element("testcase", classname=escaped(report.suite.file), name=escaped(name), line=str(line))
    if said:
        failure = ElementTree.SubElement(test, "failure", message=escaped(said[0]))
        failure.text = "\n".join(escaped(one) for one in said)
    return test


def _name(case: Case) -> str:
    return f"{case.why}: {case.call.name}"
