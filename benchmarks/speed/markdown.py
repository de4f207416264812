"""The run as tables for a person, and its plots; both are written into docs/performance.md between two marks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import plots
from benchmarks.speed.callers import ERAS, VERSIONS, Era
from benchmarks.speed.cells import SIZES, Cell, Row
from benchmarks.speed.chains import ROUTES, Chain
from benchmarks.speed.report import Report, machine

BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
_COLUMNS = (
    *("in between", "server", "p50", "quartiles", "adds", "p99", "10 KB", "1 MB", "16 at once", "64 at once"),
    *("10 KB, 64", "core time", "memory", "resident", "first listing"),
)


def text(report: Report) -> str:
    """All of it."""
    return "\n".join([*_head(report), *_aims(report), *_plots(report), *_calls(report), *_inside(report)])


def write(report: Report, document: Path) -> None:
    """Put it between the marks, and the plots beside the document. Raises ValueError if there are no marks."""
    whole = document.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"`{document.name}` has no `{BEGIN}` and `{END}`")
    for name, drawn in _drawn(report).items():
        (document.parent / name).write_text(drawn, encoding="utf-8")
    document.write_text(f"{before}{BEGIN}\n\n{text(report)}\n\n{END}{after}", encoding="utf-8")


def _head(report: Report) -> Iterator[str]:
    on = ", ".join(f"{name} {value}" for name, value in machine().items())
    peers = "; ".join(f"{name} {value}" for name, value in report.peers.items()) or "none installed"
    rounds = max((len(row.rounds) for row in report.measured.rows), default=0)
    kind = "A quick run, which shows that it works and proves nothing," if report.quick else "One run"
    yield f"{kind} of {report.seconds / 60:.0f} minutes, {rounds} interleaved rounds ({on})."
    yield "The guard's HTTP stands on asyncio and h11, the SDK's server's too, unless the list has uvloop or httptools."
    yield f"Peers: {peers}."
    yield ""


def _aims(report: Report) -> Iterator[str]:
    yield "| what | this run | aim | |"
    yield "|---|---|---|---|"
    for one in report.ratios():
        sign, verdict = "≤" if one.at_most else "≥", "reached" if one.reached else "not reached"
        value = one.value or 0.0
        said = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
        yield f"| {one.what} | {said} {one.unit} | {sign} {one.aim:,g} {one.unit} | {verdict} |"
    yield ""


def _calls(report: Report) -> Iterator[str]:
    for route in ROUTES:
        for era in ERAS:
            chains = _chains(report, route, era)
            if chains:
                yield from _table(report, route, era, chains)


def _table(report: Report, route: str, era: Era, chains: list[Chain]) -> Iterator[str]:
    yield f"**{route}, {era} era ({VERSIONS[era]})**: microseconds, calls a second, MB, ms."
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    silent = {}
    for chain in chains:
        first = _found(report, chain, Cell(era, "20 B", 1))
        if first is None or not first.rounds:
            silent[chain.name] = first.why_not if first is not None else ""
        else:
            yield f"| {' | '.join(_line(report, chain, era, first))} |"
    yield ""
    for name, why in silent.items():
        yield f"{name}: not measured here. Its answer: `{why.replace('`', '')}`"
        yield ""


def _line(report: Report, chain: Chain, era: Era, first: Row) -> Iterator[str]:
    base = report.measured.row("direct", chain.route, chain.server, Cell(era, "20 B", 1))
    standing = next((one for one in report.measured.standing if one.chain == chain and one.era == era), None)
    yield from (chain.name, chain.server, f"{first.p50:,.0f}", "{:,.0f} to {:,.0f}".format(*first.spread))
    yield "" if base is None or chain.base else f"{first.added(base):+,.0f}"
    yield f"{first.p99:,.0f}"
    for size in list(SIZES)[1:]:
        found = _found(report, chain, Cell(era, size, 1))
        yield f"{found.p50:,.0f}" if found is not None and found.rounds else "-"
    for size, many in (("20 B", 16), ("20 B", 64), ("10 KB", 64)):
        found = _found(report, chain, Cell(era, size, many))
        yield f"{found.rate:,.0f}" if found is not None and found.rounds else "-"
    yield f"{first.cpu:,.0f}" if first.cpu else ""
    for amount in (0, 0) if standing is None else (standing.memory.shared_out, standing.memory.resident):
        yield f"{amount / 1e6:,.0f}" if amount else ""
    yield f"{standing.first_listing * 1000:,.0f}" if standing is not None else ""


def _chains(report: Report, route: str, era: Era) -> list[Chain]:
    rows = (row for row in report.measured.rows if row.chain.route == route and row.cell.era == era)
    return list(dict.fromkeys(row.chain for row in rows))


def _found(report: Report, chain: Chain, cell: Cell) -> Row | None:
    return next((row for row in report.measured.rows if row.chain == chain and row.cell == cell), None)


def _inside(report: Report) -> Iterator[str]:
    if report.starts:
        yield (
            "From the start to the first listing on stdio, ms at the median, one chain at a time: "
            + ", ".join(f"{one.chain.name} ({one.chain.server}) {one.median:,.0f}" for one in report.starts)
            + f". `mcp-guard --help`: {report.help_ms:.0f} ms."
        )
        yield ""
    if report.judgements:
        yield "| rules | for the tool | decided, cold | with charge, entry and commit | the outcome's entry |"
        yield "|---|---|---|---|---|"
        for one in report.judgements:
            times = " | ".join(f"{pair[0]:,.0f} (p99 {pair[1]:,.0f})" for pair in (one.decide, one.step, one.outcome))
            yield f"| {one.rules:,} | {one.candidates} | {times} |"
        yield ""
    if report.curves:
        yield "| growing | what | by size |"
        yield "|---|---|---|"
        for curve in report.curves:
            points = ", ".join(f"{size:,}: {value:,.1f}" for size, value in curve.points.items())
            yield f"| {curve.name} | {curve.what}, {curve.unit} | {points} |"


def _plots(report: Report) -> Iterator[str]:
    for name in _drawn(report):
        yield f"![{name.removesuffix('.svg').removeprefix('performance-')}]({name})"
        yield ""


def _drawn(report: Report) -> dict[str, str]:
    groups = {}
    for route in ROUTES:
        rows = [row for row in report.measured.rows if row.chain.route == route and row.rounds and not row.why_not]
        shown = [row for row in rows if row.cell == Cell("legacy", "20 B", 1) and row.chain.server == "sdk"]
        groups[route] = [_bar(row) for row in sorted(shown, key=lambda row: row.p50)]
    drawn = {}
    if any(groups.values()):
        title = "One call of 20 bytes, median of the rounds and their quartiles"
        drawn["performance-calls.svg"] = plots.bars(title, "µs", {name: rows for name, rows in groups.items() if rows})
    if report.curves:
        panels = {f"{curve.name}: {curve.what}": (curve.unit, curve.points) for curve in report.curves}
        drawn["performance-growth.svg"] = plots.curves("What grows, and what a call costs then", panels)
    return drawn


def _bar(row: Row) -> plots.Bar:
    colour = plots.OURS if row.chain.name == "guard" else plots.OTHER if row.chain.is_peer else plots.FLOOR
    return plots.Bar(row.chain.name, row.p50, *row.spread, colour)
