"""Fixes: one position of one device at one instant, singly and as columns."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.model.instant import format_instant

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Fix:
    """A position as a receiver reported it. NaN and 0 satellites mean unknown.

    Parameters
    ----------
    device : str
        Id of the device; empty while nobody knows who is speaking.
    time : int
        Microseconds of UTC since 1970, when the position was measured.
    lon, lat : float
        Degrees, CGCS2000 = WGS 84.
    alt_m : float
        Height above mean sea level, metres.
    speed_mps, course_deg : float
        Speed over ground, and course clockwise from true north in [0, 360).
    accuracy_m : float
        1 sigma horizontal, metres.
    quality : int
        GGA quality: 1 autonomous, 2 differential, 4 RTK fixed, 5 float, 6 dead reckoning.
    satellites, beidou_satellites : int
        Satellites used in the solution, and how many of them are BeiDou.
    source : str
        Protocol and receiver, like ``nmea0183`` or ``nmea0183:tcp:7001``.
    received : int
        Microseconds of UTC when the bytes reached us; 0 unknown.
    sentence : str
        The sentences it was made of, like ``RMC+GGA``; not kept in the history.
    """

    device: str
    time: int
    lon: float
    lat: float
    alt_m: float = NAN
    speed_mps: float = NAN
    course_deg: float = NAN
    accuracy_m: float = NAN
    quality: int = 0
    satellites: int = 0
    beidou_satellites: int = 0
    source: str = ""
    received: int = 0
    sentence: str = ""

    # As generated it would differ between versions of Python: until 3.12 a NaN is equal to the same NaN
    # object, since 3.13 to none.
    def __eq__(self, other: object) -> bool:
        """Whether two fixes say the same; unknown is the same as unknown."""
        if not isinstance(other, Fix):
            return NotImplemented
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return all(mine == its or (_is_nan(mine) and _is_nan(its)) for mine, its in pairs)

    def __hash__(self) -> int:
        return hash((self.device, self.time, self.lon, self.lat))

    def as_json(self) -> dict[str, Any]:
        """Members for JSON: time in RFC 3339, unknown numbers null, rounded to what they mean."""
        return {
            "device": self.device or None,
            "time": format_instant(self.time),
            "lat": round(self.lat, 9),
            "lon": round(self.lon, 9),
            "alt_m": number(self.alt_m, 3),
            "speed_mps": number(self.speed_mps, 3),
            "course_deg": number(self.course_deg, 2),
            "quality": self.quality,
            "satellites": self.satellites,
            "beidou_satellites": self.beidou_satellites,
            "accuracy_m": number(self.accuracy_m, 2),
            "sentence": self.sentence,
        }


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def number(value: float, digits: int) -> float | None:
    """Round for JSON; NaN and infinity become None."""
    return round(float(value), digits) if math.isfinite(value) else None


#: A row of the history; ``cell`` is the H3 cell at resolution 10.
FIX_SCHEMA = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("time", pa.int64(), nullable=False),
        pa.field("lon", pa.float64(), nullable=False),
        pa.field("lat", pa.float64(), nullable=False),
        pa.field("alt_m", pa.float32(), nullable=False),
        pa.field("speed_mps", pa.float32(), nullable=False),
        pa.field("course_deg", pa.float32(), nullable=False),
        pa.field("accuracy_m", pa.float32(), nullable=False),
        pa.field("quality", pa.uint8(), nullable=False),
        pa.field("satellites", pa.uint8(), nullable=False),
        pa.field("beidou_satellites", pa.uint8(), nullable=False),
        pa.field("cell", pa.uint64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("received", pa.int64(), nullable=False),
    ]
)

_NUMPY = {
    pa.string(): np.dtype(object),
    pa.int64(): np.dtype(np.int64),
    pa.float64(): np.dtype(np.float64),
    pa.float32(): np.dtype(np.float32),
    pa.uint8(): np.dtype(np.uint8),
    pa.uint64(): np.dtype(np.uint64),
}


@dataclass(frozen=True, slots=True, eq=False)
class FixColumns:
    """n fixes as columns, each of shape (n,). Units and meaning as in `Fix`.

    ``device`` and ``source`` hold str objects; ``time`` and ``received`` int64 microseconds of UTC;
    ``lon`` and ``lat`` float64; ``alt_m``, ``speed_mps``, ``course_deg`` and ``accuracy_m`` float32;
    ``quality``, ``satellites`` and ``beidou_satellites`` uint8; ``cell`` uint64, 0 while not computed.
    """

    device: NDArray[np.object_]
    time: NDArray[np.int64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    alt_m: NDArray[np.float32]
    speed_mps: NDArray[np.float32]
    course_deg: NDArray[np.float32]
    accuracy_m: NDArray[np.float32]
    quality: NDArray[np.uint8]
    satellites: NDArray[np.uint8]
    beidou_satellites: NDArray[np.uint8]
    cell: NDArray[np.uint64]
    source: NDArray[np.object_]
    received: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of fixes."""
        return len(self.time)

    @classmethod
    def from_fixes(cls, fixes: Iterable[Fix]) -> Self:
        """Make columns of single fixes, in their order; ``cell`` is 0."""
        rows = list(fixes)
        columns = {}
        for field in FIX_SCHEMA:
            values = [0] * len(rows) if field.name == "cell" else [getattr(fix, field.name) for fix in rows]
            columns[field.name] = np.array(values, dtype=_NUMPY[field.type])
        return cls(**columns)

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """Make columns of an Arrow table that has the columns of FIX_SCHEMA."""
        return cls(
            **{
                field.name: table.column(field.name).to_numpy().astype(_NUMPY[field.type], copy=False)
                for field in FIX_SCHEMA
            }
        )

    @classmethod
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """Put columns after each other; without any they are empty."""
        if not parts:
            return cls.from_fixes([])
        names = [f.name for f in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table with FIX_SCHEMA."""
        return pa.table(
            [pa.array(getattr(self, field.name), type=field.type) for field in FIX_SCHEMA], schema=FIX_SCHEMA
        )

    def take(self, index: NDArray[Any] | slice) -> Self:
        """Return the rows chosen by integers, a mask or a slice."""
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __iter__(self) -> Iterator[Fix]:
        """Yield single fixes; for display and tests, not for millions."""
        names = [f.name for f in fields(Fix) if f.name != "sentence"]
        for row in zip(*(getattr(self, name).tolist() for name in names), strict=True):
            yield Fix(**dict(zip(names, row, strict=True)))
