"""How fast roads of each class are at each hour: the file of what was learned, and chains that follow it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile
from geo_policing.model import TimeWindow
from geo_policing.roads import RoadClass

Array = NDArray[np.float64]
#: A road class and an hour of the day; None for all hours together.
Key = tuple[RoadClass, int | None]

FORMAT = "geo-policing speeds 1"
#: What is known beforehand counts for so many seconds: half an hour of driving.
PRIOR_S = 1800.0
#: A speed class is taken for at most so much commoner or rarer than it is by default.
MOST_RATIO = 50.0
#: Rounds in which a chain is bent, and how near to what is wanted it then is.
ROUNDS, NEAR = 200, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Speeds:
    """How common each class of speed is, by road class and hour.

    Parameters
    ----------
    mode : str
        Who travelled, like ``car``.
    time_zone : str
        Of the hours, a name of the IANA database.
    speed_mps : (classes,) float64
        Speed in each class.
    share : mapping of (RoadClass, int or None) to (classes,) float64
        How common each class is, by time; sums to 1.
    seconds : mapping of (RoadClass, int or None) to float
        How long was watched for each.
    """

    mode: str
    time_zone: str
    speed_mps: Array
    share: Mapping[Key, Array]
    seconds: Mapping[Key, float]

    @classmethod
    def counted(
        cls,
        mode: str,
        time_zone: str,
        speed_mps: Array,
        default: Array,
        seconds: Mapping[Key, Array],
    ) -> Self:
        """Make shares of seconds (classes,) counted in each class of speed.

        A road class over all hours is shrunk to the default (classes,), an hour of it to all its hours, so
        that what was watched shortly says little: what is known beforehand counts for `PRIOR_S`.
        """
        share: dict[Key, Array] = {}
        for key in sorted(seconds, key=lambda k: (k[0], -1 if k[1] is None else k[1])):
            before = default if key[1] is None else share[key[0], None]
            counted = seconds[key] + PRIOR_S * before
            share[key] = counted / counted.sum()
        watched = {key: float(counted.sum()) for key, counted in seconds.items()}
        return cls(mode, time_zone, speed_mps, MappingProxyType(share), MappingProxyType(watched))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file of `write`.

        Raises
        ------
        InvalidFile
            If it is none, or a row cannot be used: which, and why.
        """
        try:
            return cls._of(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise InvalidFile(
                f"{path} cannot be read ({error.strerror}); correct its name", field="speeds", value=str(path)
            ) from None
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            says = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise InvalidFile(
                f"{path} is no file of speeds: {says}; make it with geo-policing learn-speeds",
                field="speeds",
                value=str(path),
            ) from None

    @classmethod
    def _of(cls, given: Any) -> Self:
        """Read a document; KeyError, TypeError or ValueError where it is none."""
        if not isinstance(given, dict) or given.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        ZoneInfo(given["time_zone"])
        speed_mps = np.array(given["speed_mps"], np.float64)
        if speed_mps.ndim != 1 or not np.isfinite(speed_mps).all() or not (np.diff(speed_mps) > 0.0).all():
            raise ValueError("speed_mps does not rise")
        rows = [_row(n, row, len(speed_mps)) for n, row in enumerate(given["rows"], 1)]
        share = MappingProxyType({key: share for key, share, _ in rows})
        if any((road_class, None) not in share for road_class, _ in share):
            raise ValueError("a road class has no row for all hours")
        seconds = MappingProxyType({key: watched for key, _, watched in rows})
        return cls(str(given["mode"]), given["time_zone"], speed_mps, share, seconds)

    def write(self, path: Path) -> None:
        """Write a JSON file, a row for each road class and hour: see docs/reconstruction.md."""
        document = {
            "format": FORMAT,
            "mode": self.mode,
            "time_zone": self.time_zone,
            "speed_mps": self.speed_mps.tolist(),
            "rows": [
                {
                    "road_class": key[0].name,
                    "hour": key[1],
                    "seconds": round(self.seconds[key], 1),
                    "mean_mps": round(float(share @ self.speed_mps), 2),
                    "share": share.round(6).tolist(),
                }
                for key, share in self.share.items()
            ],
        }
        path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def within(self, window: TimeWindow) -> dict[RoadClass, Array]:
        """How common each class of speed is on each road class that is known, in the hours of a window."""
        hours = self._hours(window)
        return {
            road_class: sum(
                (part * self.share.get((road_class, hour), known) for hour, part in hours.items()),
                np.zeros(len(known)),
            )
            for (road_class, all_hours), known in self.share.items()
            if all_hours is None
        }

    def _hours(self, window: TimeWindow) -> dict[int, float]:
        """Share of a window in each hour of the day."""
        zone, found = ZoneInfo(self.time_zone), dict.fromkeys(range(24), 0.0)
        whole = (window.end - window.start).total_seconds()
        at = window.start.astimezone(zone)
        left = min(whole, 86_400.0)
        total = left
        while left > 0.0:
            part = min(left, 3600.0 - at.minute * 60.0 - at.second - at.microsecond / 1e6)
            found[at.hour] += part / total
            left -= part
            at = _later(at, part)
        return {hour: part for hour, part in found.items() if part > 0.0}


def bent(chain: Array, ratio: Array) -> Array:
    """Chain (classes, classes) whose classes are `ratio` (classes,) times as common in the long run.

    What leads to a class is made so much likelier, each row summing to 1, that the classes come to their
    shares: iterative scaling (J. N. Darroch, D. Ratcliff, 1972). A ratio of 1 leaves the chain as it is, and
    a class is left as rarely as it was in proportion, so that who cruises goes on cruising.
    """
    usual = _long_run(chain)
    wanted = usual * np.clip(ratio, 1.0 / MOST_RATIO, MOST_RATIO)
    wanted /= wanted.sum()
    found, factor = chain, np.ones(len(chain))
    for _ in range(ROUNDS):
        now = _long_run(found)
        if np.abs(now - wanted).max() < NEAR:
            break
        factor *= np.sqrt(wanted / np.maximum(now, 1e-12))
        found = chain * factor
        found /= found.sum(axis=1, keepdims=True)
    return found


def _long_run(chain: Array) -> Array:
    """Share (classes,) of the time in each class in the long run."""
    n = len(chain)
    equations = np.vstack([chain.T - np.eye(n), np.ones(n)])
    share, *_ = np.linalg.lstsq(equations, np.append(np.zeros(n), 1.0), rcond=None)
    share = np.maximum(share, 1e-9)
    return np.asarray(share / share.sum())


def _row(number: int, row: dict[str, Any], classes: int) -> tuple[Key, Array, float]:
    """Key, shares and seconds of a row of a file."""
    says = f"row {number}: "
    if row["road_class"] not in RoadClass.__members__:
        raise ValueError(
            f"{says}road_class {row['road_class']!r} is none of {', '.join(RoadClass.__members__)}"
        )
    hour = row["hour"]
    if hour is not None and (type(hour) is not int or not 0 <= hour <= 23):
        raise ValueError(f"{says}hour {hour!r} is not 0 to 23, or null for all")
    share = np.array(row["share"], np.float64)
    if share.shape != (classes,) or not (share >= 0.0).all() or abs(float(share.sum()) - 1.0) > 1e-3:
        raise ValueError(f"{says}share is not {classes} numbers that sum to 1")
    seconds = float(row["seconds"])
    if not 0.0 <= seconds < np.inf:
        raise ValueError(f"{says}seconds {row['seconds']!r} is not 0 or more")
    return (RoadClass[row["road_class"]], hour), share / share.sum(), seconds


def _later(at: datetime, seconds: float) -> datetime:
    """Add time that really passes, also where clocks are changed."""
    zone = at.tzinfo
    utc = at.astimezone(ZoneInfo("UTC"))
    return (utc + timedelta(seconds=seconds)).astimezone(zone)
