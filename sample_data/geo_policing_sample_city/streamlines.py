"""Smooth lines that follow a field, kept apart from each other (after Jobard and Lefer, 1997)."""

from math import atan2, cos, hypot, pi, sin
from typing import Any

import numpy as np

from geo_policing_sample_city.field import STEP_M, Field
from geo_policing_sample_city.terrain import Array

#: Length of one step along a line, metres.
STRIDE_M = 30.0
#: A line ends where it comes closer to another of its family than this share of their distance.
CLOSEST = 0.55
FAR_M, LONGEST_M = 1e6, 24000.0
#: Directions (of half a turn) in which the nearest line is remembered, and how many to either side it counts.
BINS, BESIDE = 12, 2


class Tracer:
    """Lines along the arms of a field's crosses, and how near the next line of like direction is.

    Parameters
    ----------
    field : Field
        Directions, density, and where no line may go.
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.near = np.full((BINS, *field.angle.shape), FAR_M, np.float32)
        self._cos = np.cos(4 * field.angle).tolist()
        self._sin = np.sin(4 * field.angle).tolist()
        self._closed = field.closed.tolist()

    def arm(self, x: float, y: float, toward: float) -> float:
        """Direction of the arm next to a direction, radians."""
        f = self.field
        row, column = (y - f.y_0) / STEP_M, (x - f.x_0) / STEP_M
        i, j = int(row), int(column)
        a, b = row - i, column - j
        weights = (1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b
        cells = (i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)
        c = sum(w * self._cos[p][q] for w, (p, q) in zip(weights, cells, strict=True))
        s = sum(w * self._sin[p][q] for w, (p, q) in zip(weights, cells, strict=True))
        angle = atan2(s, c) / 4
        return angle + round((toward - angle) / (pi / 2)) * (pi / 2)

    def walk(
        self, x: float, y: float, direction: float, spacing: Array, patient: bool = False
    ) -> list[tuple[float, float]]:
        """Follow the field from a place, without that place, until something is in the way.

        A patient line minds no other lines for its first 600 m.
        """
        line: list[tuple[float, float]] = []
        begin, gone = (x, y), 0.0
        while gone < LONGEST_M:
            first = self.arm(x, y, direction)
            middle = self.arm(x + STRIDE_M / 2 * cos(first), y + STRIDE_M / 2 * sin(first), first)
            if abs(middle - direction) > 0.5 and gone > 0:
                break
            direction = middle
            x, y = x + STRIDE_M * cos(direction), y + STRIDE_M * sin(direction)
            gone += STRIDE_M
            i, j = self.field.cell(x, y)
            if self._closed[i][j]:
                line.append((x, y))
                break
            minds = gone > 600 or not patient
            if minds and self.near[direction_bin(direction), i, j] < CLOSEST * spacing[i, j]:
                break
            if gone > 2000 and hypot(x - begin[0], y - begin[1]) < 0.5 * spacing[i, j]:
                break
            line.append((x, y))
        return line

    def through(self, x: float, y: float, direction: float, spacing: Array) -> Array:
        """Line through a place, both ways."""
        ahead = self.walk(x, y, direction, spacing)
        back = self.walk(x, y, direction + pi, spacing)
        return np.array([*back[::-1], (x, y), *ahead])

    def keep(self, line: Array, reach_m: float) -> None:
        """Remember a line: others of like direction keep away from it."""
        f = self.field
        radius = int(reach_m / STEP_M) + 1
        steps = np.arange(-radius, radius + 1)
        away = np.hypot(*np.meshgrid(steps, steps)).astype(np.float32) * np.float32(STEP_M)
        rows, columns = f.angle.shape
        heading = np.arctan2(*np.gradient(line, axis=0).T[::-1])
        for k in range(0, len(line), 2):
            i, j = f.cell(*line[k])
            if not (radius < i < rows - radius - 1 and radius < j < columns - radius - 1):
                continue
            part = slice(i - radius, i + radius + 1), slice(j - radius, j + radius + 1)
            for aside in range(-BESIDE, BESIDE + 1):
                near = self.near[(direction_bin(heading[k]) + aside) % BINS][part]
                np.minimum(near, away, out=near)

    def fill(
        self, spacing: Array, shortest_m: float, rng: np.random.Generator, tries: int = 800
    ) -> list[Array]:
        """Add lines along both arms until none fits any more; those first where it is dense."""
        field, lines, fits_before = self.field, [], True
        open_ = np.stack([~field.closed, ~field.closed])
        angle = field.angle - np.round(field.angle / (pi / 2)) * (pi / 2)
        bins = [direction_bin(angle), direction_bin(angle + pi / 2)]
        weight = (0.05 + field.density) * rng.uniform(0.3, 1.0, field.density.shape)
        for attempt in range(tries):
            arm = attempt % 2
            near = np.take_along_axis(self.near, bins[arm][None], 0)[0]
            score = np.where(open_[arm] & (near >= spacing), weight, 0.0)
            i, j = divmod(int(score.argmax()), score.shape[1])
            if score[i, j] == 0:
                if not fits_before:
                    break
                fits_before = False
                continue
            fits_before = True
            x, y = field.x_0 + STEP_M * j, field.y_0 + STEP_M * i
            line = self.through(x, y, float(angle[i, j]) + arm * pi / 2, spacing)
            if len(line) * STRIDE_M < shortest_m:
                open_[arm, max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3] = False
                continue
            self.keep(line, float(spacing[i, j]) * 1.6)
            open_[arm, i, j] = False
            lines.append(line)
        return lines


def direction_bin(direction: Any) -> Any:
    """Return the number of the bin that a direction (radians), or its opposite, falls into."""
    return np.asarray(np.mod(direction, pi) / pi * BINS).astype(np.int64) % BINS
