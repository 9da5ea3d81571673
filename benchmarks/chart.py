"""Charts as plain SVG: text that a diff shows, no scripts, readable on a dark page and in print.

By hand: what a library brings (scales, styles, interaction) is more than these few panels need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

_COLOURS = ("#0b6bcb", "#d9730d", "#5b8c3a", "#8250a8", "#777777")
# Of the page; of a panel.
_WIDTH, _COLUMNS, _HEIGHT = 1020, 3, 230
# Around what is drawn in a panel.
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 46, 38
# Names of so many letters under a panel are written at a slant, which takes room below it.
_LONG, _SLANT = 60, 90
# A line of more points is drawn without them, and a value is seen by its height alone.
_CROWDED = 20


@dataclass(frozen=True)
class Series:
    """One line, or one colour of bars; as many values as the panel has labels. None: not measured."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Panel:
    """unit: of the values; labels: along the bottom, empty where nothing is to stand."""

    title: str
    unit: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Literal["lines", "bars"]


@dataclass(frozen=True)
class Chart:
    """Panels, three in a row at most, as wide as the page together."""

    title: str
    panels: Sequence[Panel]

    def svg(self, subtitle: Sequence[str]) -> str:
        """The whole file. subtitle: where and when it was measured."""
        columns = 2 if len(self.panels) in (2, 4) else min(_COLUMNS, len(self.panels))
        rows = -(-len(self.panels) // columns)
        width = _WIDTH // columns
        height = _HEIGHT + (_SLANT if any(map(_is_slanted, self.panels)) else 0)
        top = 28 + 14 * len(subtitle)
        size = f'width="{_WIDTH}" height="{rows * height + top}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" fill="#222">',
            f'<rect {size} fill="#fff"/>',
            _text(10, 18, self.title, size=14, bold=True),
            *(_text(10, 33 + 14 * number, line, colour="#666") for number, line in enumerate(subtitle)),
        ]
        for number, panel in enumerate(self.panels):
            row, column = divmod(number, columns)
            parts.append(f'<g transform="translate({column * width},{row * height + top})">')
            parts += _panel(panel, width)
            parts.append("</g>")
        return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, width: int) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, width - _RIGHT
    ticks = _ticks(max((value for item in panel.series for value in item.values if value), default=1.0))

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * value / ticks[-1]

    yield _text(10, 16, f"{panel.title}, {panel.unit}" if panel.unit else panel.title, bold=True)
    x = 10.0
    for number, series in enumerate(panel.series if len(panel.series) > 1 else ()):
        yield f'<rect x="{x:.0f}" y="24" width="9" height="9" fill="{_COLOURS[number]}"/>'
        yield _text(x + 12, 32, series.name)
        x += 24 + 6.2 * len(series.name)
    for tick in ticks:
        yield f'<path d="M{_LEFT} {y(tick):.1f}H{right}" stroke="#ddd"/>'
        yield _text(_LEFT - 5, y(tick) + 4, f"{tick:,g}", anchor="end", colour="#666")
    step = (right - _LEFT) / len(panel.labels)
    centres = [_LEFT + step * (number + 0.5) for number in range(len(panel.labels))]
    for centre, label in zip(centres, panel.labels, strict=True):
        if not label:
            continue
        if _is_slanted(panel):
            yield _text(centre, bottom + 12, label, anchor="end", turned=-40)
        else:
            yield _text(centre, bottom + 15, label, anchor="middle")
    draw = _lines if panel.kind == "lines" else _bars
    for number, series in enumerate(panel.series):
        points = [
            (centre, y(value), value)
            for centre, value in zip(centres, series.values, strict=True)
            if value is not None
        ]
        yield from draw(points, _COLOURS[number], step, number, len(panel.series), bottom)


def _lines(
    points: Sequence[tuple[float, float, float]], colour: str, step: float, number: int, of: int, bottom: int
) -> Iterator[str]:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    if len(points) > _CROWDED:
        return
    for x, y, value in points:
        title = f"<title>{value:,g}</title>"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">{title}</circle>'
        if number == 0:
            yield _text(x, y - 6, _short(value), anchor="middle", size=9, colour=colour)


def _bars(
    points: Sequence[tuple[float, float, float]], colour: str, step: float, number: int, of: int, bottom: int
) -> Iterator[str]:
    width = step * 0.8 / of
    for x, y, value in points:
        left = x - step * 0.4 + number * width
        title = f"<title>{value:,g}</title>"
        yield (
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{bottom - y:.1f}" '
            f'fill="{colour}">{title}</rect>'
        )
        yield _text(left + width / 2, y - 3, _short(value), anchor="middle", size=9)


def _ticks(most: float) -> list[float]:
    """From 0 to beyond the largest value, in round steps."""
    power = 10 ** math.floor(math.log10(most / 4))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor * 4 >= most)
    count = math.ceil(most * 1.05 / step)
    return [round(step * number, 12) for number in range(count + 1)]


def _is_slanted(panel: Panel) -> bool:
    return sum(map(len, panel.labels)) > _LONG


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 11,
    anchor: str = "start",
    colour: str = "#222",
    bold: bool = False,
    turned: int = 0,
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    turn = f' transform="rotate({turned} {x:.1f} {y:.1f})"' if turned else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
        f"{weight}{turn}>{escape(text)}</text>"
    )
