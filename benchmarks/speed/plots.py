"""Plots as plain SVG: bars with their spread, and curves over sizes. No library, so that they are the same everywhere.

The background is light and their own, so that they can be read in dark mode, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

PAPER, INK, FAINT = "#fbfaf7", "#222222", "#cfcabf"
OURS, FLOOR, OTHER = "#0b6e4f", "#7a7a7a", "#d98e04"
_WIDTH, _LINE = 900, 24


@dataclass(frozen=True)
class Bar:
    """One bar; `low` and `high` are its spread."""

    name: str
    value: float
    low: float
    high: float
    colour: str = OTHER


def bars(title: str, unit: str, groups: Mapping[str, Sequence[Bar]]) -> str:
    """Horizontal bars on one logarithmic axis, in groups."""
    every = [bar for group in groups.values() for bar in group]
    if not every:
        return ""
    least = min(min(bar.low, bar.value) for bar in every)
    scale = _Log(max(least * 0.6, 1e-3), max(max(bar.high, bar.value) for bar in every), 250, _WIDTH - 90)
    parts, y = [_text(12, 24, title, 15)], 44
    height = 70 + _LINE * (len(every) + len(groups))
    for tick in scale.ticks():
        x = scale.at(tick)
        parts += [_line(x, 34, x, height - 24, FAINT), _text(x, height - 8, _said(tick), 11, "middle")]
    parts.append(_text(_WIDTH - 12, height - 8, unit, 11, "end"))
    for name, group in groups.items():
        parts.append(_text(12, y + 15, name, 12, weight="bold"))
        y += _LINE
        for bar in group:
            end = scale.at(bar.value)
            parts.append(
                f'<rect x="250" y="{y + 4}" width="{max(1.0, end - 250):.1f}" height="14" fill="{bar.colour}"/>'
            )
            parts.append(_line(scale.at(bar.low), y + 11, scale.at(bar.high), y + 11, INK))
            parts += [_text(242, y + 15, bar.name, 12, "end"), _text(end + 8, y + 15, _said(bar.value), 11)]
            y += _LINE
    return _svg(height, parts)


def curves(title: str, panels: Mapping[str, tuple[str, Mapping[int, float]]]) -> str:
    """Small panels side by side: name to unit and points. The sizes are on a logarithmic axis (0 stands at 1)."""
    shown = {name: panel for name, panel in panels.items() if panel[1]}
    parts, across, tall = [_text(12, 24, title, 15)], 3, 210
    for number, (name, (unit, points)) in enumerate(shown.items()):
        left, top = 60 + (number % across) * 290, 60 + (number // across) * tall
        parts += _panel(left, top, name, unit, points)
    return _svg(60 + tall * -(-len(shown) // across), parts)


def _panel(left: float, top: float, name: str, unit: str, points: Mapping[int, float]) -> list[str]:
    high = max(points.values()) * 1.25 or 1.0
    scale = _Log(1, max(2, *points), left, left + 210)
    places = [(scale.at(max(1, size)), top + 130 - 120 * value / high) for size, value in points.items()]
    parts = [_text(left - 40, top - 8, f"{name}, {unit}", 12, weight="bold")]
    parts += [_line(left, top + 130, left + 215, top + 130, INK), _line(left, top + 5, left, top + 130, INK)]
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts.append(f'<polyline points="{joined}" fill="none" stroke="{OURS}" stroke-width="2"/>')
    for (size, value), (x, y) in zip(points.items(), places, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{OURS}"/>')
        parts += [_text(x, y - 8, _said(value), 10, "middle"), _text(x, top + 146, _short(size), 10, "middle")]
    return parts


@dataclass(frozen=True)
class _Log:
    low: float
    high: float
    left: float
    right: float

    def at(self, value: float) -> float:
        if value <= self.low:
            return self.left
        share = math.log(value / self.low) / math.log(max(self.high / self.low, 1.000001))
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1) if self.low <= 10.0**power <= self.high]


def _said(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(size: int) -> str:
    for step, letter in ((10**6, "M"), (10**3, "k")):
        if size >= step:
            return f"{size // step}{letter}"
    return str(size)


def _text(x: float, y: float, text: str, size: int, anchor: str = "start", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="{INK}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _svg(height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="100%" height="100%" fill="{PAPER}"/>', *parts, "</svg>", ""])
