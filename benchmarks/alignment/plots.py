"""The report's two plots, as SVG with a light background of their own, so that they can be read in dark mode, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.alignment.effects import SUITES
from benchmarks.alignment.table import OURS, Table

STYLE = {"svg.hashsalt": "alignment", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
PAPER = "#fbfaf7"
COLOURS = {
    OURS: "#0b6e4f",
    "tool list per task": "#d98e04",
    "keyword list": "#b23a48",
    "exact arguments (ceiling)": "#7a7a7a",
}


def attacks(table: Table, file: Path) -> None:
    """Stopped and clean by suite, with 95% intervals, ours beside three baselines."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), facecolor=PAPER, layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        for axis, measure in zip(axes, ("stopped", "clean"), strict=True):
            for index, (rules, colour) in enumerate(COLOURS.items()):
                _points(axis, table, rules, measure, colour, (index - 1.5) * 0.16)
            axis.set_title(
                {"stopped": "a call of the attack was stopped", "clean": "no effect of the attack happened"}[measure]
            )
            axis.set_xticks(range(len(SUITES) + 1), [*SUITES, "all"])
            _tidy(axis)
        axes[0].set_ylabel("share of pairs")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})


def _points(axis: Any, table: Table, rules: str, measure: str, colour: str, offset: float) -> None:
    shares = [getattr(table.line(rules, suite).attacks, measure) for suite in (*SUITES, None)]
    values = [share.value for share in shares]
    below = [max(0.0, value - share.interval[0]) for value, share in zip(values, shares, strict=True)]
    above = [max(0.0, share.interval[1] - value) for value, share in zip(values, shares, strict=True)]
    places = [index + offset for index in range(len(shares))]
    axis.errorbar(places, values, yerr=[below, above], fmt="o", ms=5, lw=1.2, capsize=2, color=colour, label=rules)


def utility(table: Table, file: Path) -> None:
    """Tasks done against what a person is asked: alone, and with approvals."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), facecolor=PAPER, layout="constrained")
        axis = figure.subplots()
        names = [*SUITES, "all"]
        for index, suite in enumerate((*SUITES, None)):
            line = table.line(OURS, suite)
            assert line.utility_approved
            asked = line.utility.asked_calls.value or 0.0
            label = index == 0
            _bar(axis, index - 0.27, line.utility_approved.useful.value, "#8cc5ae", "with approvals" if label else None)
            _bar(axis, index - 0.0, line.utility.useful.value, "#0b6e4f", "nobody to ask" if label else None)
            _bar(axis, index + 0.27, asked, "#d98e04", "effectful needed calls that ask" if label else None)
        axis.set_xticks(range(len(names)), names)
        axis.set_ylabel("share")
        axis.set_title("tasks done, and what a person is asked for it")
        _tidy(axis)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})


def _bar(axis: Any, place: float, height: float | None, colour: str, label: str | None) -> None:
    bars = axis.bar([place], [height or 0.0], width=0.25, color=colour, label=label)
    axis.bar_label(bars, [f"{height or 0.0:.0%}"], fontsize=8)


def _tidy(axis: Any) -> None:
    axis.set_facecolor(PAPER)
    axis.set_ylim(0, 1.08)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axis.grid(axis="y", color="#dddddd", lw=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
