"""A trace as it comes in: checked columns of fixes."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidCoordinates, InvalidInput

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """n fixes in order of time, each column (n,) float64; NaN is unknown in the last three."""

    t_s: Array
    lon: Array
    lat: Array
    speed_mps: Array
    course_deg: Array
    accuracy_m: Array

    def __len__(self) -> int:
        """Return the number of fixes."""
        return len(self.t_s)

    @classmethod
    def checked(
        cls,
        t_s: ArrayLike,
        lon: ArrayLike,
        lat: ArrayLike,
        speed_mps: ArrayLike | None = None,
        course_deg: ArrayLike | None = None,
        accuracy_m: ArrayLike | None = None,
        *,
        ordered: bool = True,
    ) -> Self:
        """Take columns that can be matched; of several devices they need not be ordered by time.

        Raises
        ------
        InvalidInput
            If a column is not numeric or of another length, a time or position is not finite, or time runs
            backward; `InvalidCoordinates` if a position is off the earth. It names the argument and the fix.
        """
        t = _column("t_s", t_s)
        given = {
            "lon": lon,
            "lat": lat,
            "speed_mps": speed_mps,
            "course_deg": course_deg,
            "accuracy_m": accuracy_m,
        }
        columns = {}
        for name, values in given.items():
            column = np.full(len(t), np.nan) if values is None else _column(name, values)
            if len(column) != len(t):
                raise InvalidInput(
                    f"{name} has {len(column)} values but t_s has {len(t)}; give one for each fix",
                    field=name,
                    value=len(column),
                )
            columns[name] = column
        for name, column in (("t_s", t), ("lon", columns["lon"]), ("lat", columns["lat"])):
            if not np.isfinite(column).all():
                at = int(np.argmin(np.isfinite(column)))
                raise InvalidInput(
                    f"fix {at}: {name} is {column[at]}; leave that fix out",
                    field=name,
                    value=float(column[at]),
                )
        _check_on_earth(columns["lon"], columns["lat"])
        if ordered and (np.diff(t) < 0).any():
            at = int(np.argmax(np.diff(t) < 0)) + 1
            raise InvalidInput(
                f"fix {at}: time runs backward from {t[at - 1]:.12g} to {t[at]:.12g}; sort the trace by time",
                field="t_s",
                value=float(t[at]),
            )
        return cls(t, **columns)


def _column(name: str, values: ArrayLike) -> Array:
    try:
        # A copy, whatever it comes as: a kernel is compiled for each kind of array that it meets.
        column = np.array(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is not numeric: {error}", field=name) from None
    if column.ndim != 1:
        raise InvalidInput(
            f"{name} has the shape {column.shape}; give one value for each fix",
            field=name,
            value=column.shape,
        )
    return column


def _check_on_earth(lon: Array, lat: Array) -> None:
    off = (np.abs(lon) > 180.0) | (np.abs(lat) > 90.0)
    if not off.any():
        return
    at = int(np.argmax(off))
    name = "lat" if abs(lat[at]) > 90.0 else "lon"
    swapped = abs(lat[at]) <= 180.0 and abs(lon[at]) <= 90.0
    remedy = "lon and lat look swapped" if swapped else "if these are metres, convert them to WGS 84"
    raise InvalidCoordinates(
        f"fix {at}: lon {lon[at]:.10g}, lat {lat[at]:.10g} is off the earth; {remedy}",
        field=name,
        value=(float(lon[at]), float(lat[at])),
    )
