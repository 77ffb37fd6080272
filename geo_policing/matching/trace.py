"""A trace as it comes in: checked columns of fixes."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo_policing.errors import InvalidCoordinates, InvalidInput
from geo_policing.kernels import trace_faults

Array = NDArray[np.float64]

#: The column that is not finite.
NAMED = {trace_faults.NO_TIME: "t_s", trace_faults.NO_LON: "lon", trace_faults.NO_LAT: "lat"}


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
        n = len(t)
        columns = [
            np.full(n, np.nan) if values is None else _column(name, values, n)
            for name, values in zip(
                cls.__slots__[1:], (lon, lat, speed_mps, course_deg, accuracy_m), strict=True
            )
        ]
        trace = cls(t, *columns)
        fault, at = trace_faults.first_fault(t, trace.lon, trace.lat, ordered)
        if fault != trace_faults.SOUND:
            raise _refusal(trace, fault, at)
        return trace


def _column(name: str, values: ArrayLike, n: int | None = None) -> Array:
    """Take one column, of n values if n is given."""
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
    if n is not None and len(column) != n:
        raise InvalidInput(
            f"{name} has {len(column)} values but t_s has {n}; give one for each fix",
            field=name,
            value=len(column),
        )
    return column


def _refusal(trace: Trace, fault: int, at: int) -> InvalidInput:
    """Say what is wrong with a fix."""
    t, lon, lat = trace.t_s, float(trace.lon[at]), float(trace.lat[at])
    if fault == trace_faults.OFF_EARTH:
        swapped = abs(lat) <= 180.0 and abs(lon) <= 90.0
        remedy = "lon and lat look swapped" if swapped else "if these are metres, convert them to WGS 84"
        return InvalidCoordinates(
            f"fix {at}: lon {lon:.10g}, lat {lat:.10g} is off the earth; {remedy}",
            field="lat" if abs(lat) > 90.0 else "lon",
            value=(lon, lat),
        )
    if fault == trace_faults.BACKWARD:
        return InvalidInput(
            f"fix {at}: time runs backward from {t[at - 1]:.12g} to {t[at]:.12g}; sort the trace by time",
            field="t_s",
            value=float(t[at]),
        )
    name = NAMED[fault]
    value = float(getattr(trace, name)[at])
    return InvalidInput(f"fix {at}: {name} is {value}; leave that fix out", field=name, value=value)
