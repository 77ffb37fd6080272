"""Drawings: lines, shapes, marks and words on a sheet, as SVG and for a PDF; the same bytes each time."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reportlab.graphics import shapes
from reportlab.lib.colors import HexColor

Array = NDArray[np.float64]

#: A letter is about so wide, in parts of its height.
LETTER = 0.56


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """Lines, each (k, 2) x to the right and y down."""

    lines: Sequence[Array]
    color: str
    width: float
    opacity: float = 1.0
    dashes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """An area within rings (k, 2), holes among them, and its border."""

    rings: Sequence[Array]
    color: str
    opacity: float
    border: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Disc:
    """A round mark."""

    x: float
    y: float
    radius: float
    color: str
    border: str = "#ffffff"


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; its middle stands at x, its baseline at y. On a ground it can be read on anything."""

    x: float
    y: float
    text: str
    size: float
    color: str = "#1d2733"
    ground: bool = False

    @property
    def half(self) -> float:
        """About half of its width."""
        return len(self.text) * self.size * LETTER / 2.0

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ground."""
        return self.x - self.half - 2, self.y - self.size, self.x + self.half + 2, self.y + self.size * 0.3


Item = Stroke | Fill | Disc | Words


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What is drawn, from the back to the front, on a sheet of so many units.

    Parameters
    ----------
    width, height : float
        Of the sheet.
    items : sequence of Stroke, Fill, Disc or Words
        What is on it.
    says : str
        What who cannot see it is told.
    """

    width: float
    height: float
    items: Sequence[Item]
    says: str

    def svg(self) -> str:
        """Return it as an element of a page; it is as wide as there is room."""
        inner = "".join(_svg(item) for item in self.items)
        return (
            f'<svg viewBox="0 0 {_n(self.width)} {_n(self.height)}" role="img" '
            f'aria-label="{escape(self.says, quote=True)}" xmlns="http://www.w3.org/2000/svg">{inner}</svg>'
        )

    def flowable(self, width: float, font: str) -> shapes.Drawing:
        """Return it for a PDF, so many points wide."""
        scale = width / self.width
        group = shapes.Group(*(part for item in self.items for part in _pdf(item, self.height, font)))
        group.scale(scale, scale)
        return shapes.Drawing(width, self.height * scale, group, hAlign="CENTER")


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _path(lines: Sequence[Array], *, closed: bool) -> str:
    end = "Z" if closed else ""
    return "".join(
        "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in line.tolist()) + end for line in lines if len(line)
    )


def _svg(item: Item) -> str:
    match item:
        case Stroke():
            dashes = f' stroke-dasharray="{" ".join(map(_n, item.dashes))}"' if item.dashes else ""
            return (
                f'<path d="{_path(item.lines, closed=False)}" fill="none" stroke="{item.color}" '
                f'stroke-width="{item.width:g}" stroke-opacity="{item.opacity:g}" stroke-linejoin="round" '
                f'stroke-linecap="round"{dashes}/>'
            )
        case Fill():
            return (
                f'<path d="{_path(item.rings, closed=True)}" fill="{item.color}" fill-rule="evenodd" '
                f'fill-opacity="{item.opacity:g}" stroke="{item.border}" stroke-width="{item.width:g}"/>'
            )
        case Disc():
            return (
                f'<circle cx="{_n(item.x)}" cy="{_n(item.y)}" r="{_n(item.radius)}" fill="{item.color}" '
                f'stroke="{item.border}" stroke-width="1.5"/>'
            )
        case Words():
            left, top, right, bottom = item.box
            ground = (
                f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(right - left)}" height="{_n(bottom - top)}" '
                'rx="2" fill="#ffffff" fill-opacity="0.85"/>'
                if item.ground
                else ""
            )
            return (
                f'{ground}<text x="{_n(item.x)}" y="{_n(item.y)}" font-size="{item.size:g}" '
                f'text-anchor="middle" fill="{item.color}">{escape(item.text)}</text>'
            )


def _pdf(item: Item, height: float, font: str) -> list[Any]:
    match item:
        case Stroke():
            path = _pdf_path(item.lines, height, closed=False)
            path.fillColor, path.strokeColor, path.strokeWidth = None, HexColor(item.color), item.width
            path.strokeOpacity, path.strokeLineCap, path.strokeLineJoin = item.opacity, 1, 1
            path.strokeDashArray = list(item.dashes) or None
            return [path]
        case Fill():
            path = _pdf_path(item.rings, height, closed=True)
            path.fillColor, path.fillOpacity = HexColor(item.color), item.opacity
            path.strokeColor, path.strokeWidth = HexColor(item.border), item.width
            path.fillMode = 0  # even-odd: holes are holes
            return [path]
        case Disc():
            return [
                shapes.Circle(
                    *(item.x, height - item.y, item.radius),
                    fillColor=HexColor(item.color),
                    strokeColor=HexColor(item.border),
                    strokeWidth=1.5,
                )
            ]
        case Words():
            left, _, right, bottom = item.box
            ground = shapes.Rect(
                *(left, height - bottom, right - left, item.size * 1.3, 2, 2),
                fillColor=HexColor("#ffffff"),
                fillOpacity=0.85,
                strokeColor=None,
            )
            text = shapes.String(
                *(item.x, height - item.y, item.text),
                fontName=font,
                fontSize=item.size,
                fillColor=HexColor(item.color),
                textAnchor="middle",
            )
            return [ground, text] if item.ground else [text]


def _pdf_path(lines: Sequence[Array], height: float, *, closed: bool) -> Any:
    path = shapes.Path()
    for line in lines:
        for k, (x, y) in enumerate(line.round(1).tolist()):
            (path.lineTo if k else path.moveTo)(x, round(height - y, 1))
        if closed and len(line):
            path.closePath()
    return path
