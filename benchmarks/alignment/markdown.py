"""The report's tables as Markdown. Knows numbers and words, no file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.alignment.causes import Shortfall
from benchmarks.alignment.table import OURS, Line, Table

# What the same level comes to when it is computed from ground truths alone, without executing anything: stopped of all
# pairs, clean of all pairs, stopped of the shipped ones, twins told apart.
COMPUTED = {"tool list per task": (0.907, 0.841, 0.860, 0.849), "exact arguments (ceiling)": (1.0, 0.996, 1.0, None)}
BOUNDS = (
    ("a literal that stands in the prompt pinned, else any", 0.975, 0.968, 0.962),
    ("no grants; authority arguments come from the prompt or from what no stranger writes", 0.970, 0.903, 0.954),
    ("that and a tool list per task", 0.995, 0.986, 0.992),
)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def rows(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in body]
    return "\n".join(lines)


def ours(table: Table) -> str:
    """Our numbers, a column for each suite and one for all."""
    lines = [line for line in table.lines if line.rules == OURS]
    return rows(
        ["", *(line.suite or "all" for line in lines)],
        [[name, *(cell(line) for line in lines)] for name, cell in _MEASURES],
    )


def _approved_utility(line: Line) -> str:
    assert line.utility_approved
    return str(line.utility_approved.useful)


def _approved_clean(line: Line) -> str:
    assert line.attacks_approved
    return str(line.attacks_approved.clean)


def _grants(line: Line) -> str:
    assert line.grants
    return str(line.grants.exercised)


def _left_any(line: Line) -> str:
    assert line.grants
    return str(line.grants.left_any)


def _lines(line: Line) -> str:
    assert line.burden
    return f"{line.burden.lines[0]:g}, {line.burden.lines[1]}"


def _words(line: Line) -> str:
    assert line.burden
    return f"{line.burden.words[0]:g}, {line.burden.words[1]}"


_MEASURES = (
    ("stopped, all pairs", lambda line: str(line.attacks.stopped)),
    ("**clean, all pairs**", lambda line: str(line.attacks.clean)),
    ("clean, 95% interval", lambda line: " to ".join(map(percent, line.attacks.clean.interval))),
    ("... only since a person would be asked", lambda line: str(line.attacks.held)),
    ("clean, with approvals", _approved_clean),
    ("stopped, shipped pairs", lambda line: str(line.shipped.stopped)),
    ("clean, shipped pairs", lambda line: str(line.shipped.clean)),
    ("goal reached, by the package's checker", lambda line: str(line.attacks.goal)),
    ("excess authority: effects that the task didn't need", lambda line: str(line.attacks.excess)),
    ("tasks done, nobody to ask", lambda line: str(line.utility.useful)),
    ("**tasks done, with approvals**", _approved_utility),
    ("over-block: tasks", lambda line: str(line.utility.blocked_tasks)),
    ("over-block: needed calls", lambda line: str(line.utility.blocked_calls)),
    ("asks: effectful needed calls", lambda line: str(line.utility.asked_calls)),
    ("**twins told apart**", lambda line: str(line.twins.alone)),
    ("twins told apart, with approvals", lambda line: str(line.twins.approved)),
    ("granted effects that were used", _grants),
    ("authority arguments left open", _left_any),
    ("lines of a mandate: median, most", _lines),
    ("words of a mandate: median, most", _words),
)


def beside(table: Table) -> str:
    """All rules on all suites."""
    head = ["rules", "stopped", "clean", "stopped, shipped", "clean, shipped", "worst suite, clean"]
    head += ["excess", "tasks done", "twins"]
    body = []
    for line in table.lines_of(None):
        cells = [line.attacks.stopped, line.attacks.clean, line.shipped.stopped, line.shipped.clean]
        after = [line.attacks.excess, line.utility.useful, line.twins.alone]
        name = f"**{line.rules}**" if line.rules == OURS else line.rules
        shown = [percent(cell.value) for cell in cells]
        body.append([name, *shown, worst(table, line.rules), *(percent(cell.value) for cell in after)])
    return rows(head, body)


def worst(table: Table, rules: str) -> str:
    """The lowest suite, which is the deployment that counts."""
    found = [line for line in table.lines if line.rules == rules and line.suite]
    lowest = min(found, key=lambda line: line.attacks.clean.value or 0.0)
    return f"{percent(lowest.attacks.clean.value)} ({lowest.suite})"


def computed(table: Table) -> str:
    """Executed here beside computed from ground truths."""
    body = []
    for name, (stopped, clean, shipped, told_apart) in COMPUTED.items():
        line = table.line(name)
        pairs = [
            (line.attacks.stopped.value, stopped),
            (line.attacks.clean.value, clean),
            (line.shipped.stopped.value, shipped),
            (line.twins.alone.value, told_apart),
        ]
        body.append([name, *(f"{percent(here)} ({percent(there)})" for here, there in pairs)])
    body += [
        [name, *(f"({percent(one)})" for one in (stopped, clean, shipped)), ""]
        for name, stopped, clean, shipped in BOUNDS
    ]
    return rows(["level", "stopped", "clean", "stopped, shipped", "twins"], body)


def shortfalls(found: Sequence[Shortfall], none: str) -> str:
    if not found:
        return none
    return rows(["task", "what", "cause"], [[one.task, one.what, one.cause] for one in found])
