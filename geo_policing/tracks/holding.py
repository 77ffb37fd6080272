"""Who can hold the gates: which units can be at each of them before the suspect, and how probably."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.model import parse_instant
from geo_policing.roads import Access, RoadNetwork
from geo_policing.roads.routing import WALK_MPS
from geo_policing.roads.times import RoadTimes

Array = NDArray[np.float64]

#: A drive takes so many times as long as the speeds of the roads say, and the logarithm of that factor
#: scatters by so much: cars of the sample city between 7 and 9, over stretches of five minutes.
PACE, SPREAD = 2.0, 0.2
#: A unit may be on any road within this of its position, metres.
NEAR_M = 30.0
#: The time of a drive is told by so many values that are equally probable.
VALUES = 64
LONGEST_NAME = 64
_NO, _YES = ("no", "false", "0"), ("yes", "true", "1")


@dataclass(frozen=True, slots=True)
class UnitAt:
    """Where a unit is, and from when on it can go.

    Parameters
    ----------
    unit : str
        What it is called.
    lon, lat : float
        Degrees WGS 84.
    free : datetime
        When it sets off.
    on_foot : bool
        Whether it walks; else it drives.
    """

    unit: str
    lon: float
    lat: float
    free: datetime
    on_foot: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no name or no place."""
        if not 0 < len(self.unit) <= LONGEST_NAME or not self.unit.isprintable():
            raise InvalidInput(
                f"unit {self.unit!r} is no name; give 1 to {LONGEST_NAME} visible characters",
                field="unit",
                value=self.unit,
            )
        for name, value, most in (("lon", self.lon, 180.0), ("lat", self.lat, 90.0)):
            if not abs(value) <= most:
                raise InvalidInput(
                    f"{name} {value} is not {-most:g} to {most:g}; give degrees", field=name, value=value
                )

    @classmethod
    def read(cls, row: Mapping[str, Any], free: datetime) -> Self:
        """Read a row of ``unit, lon, lat`` and, where they are given, ``time`` (else `free`) and ``on_foot``.

        Raises
        ------
        InvalidInput
            If one of them is missing or cannot be read.
        """
        for name in ("unit", "lon", "lat"):
            if row.get(name) in (None, ""):
                raise InvalidInput(f"no {name}; give unit, lon and lat", field=name)
        on_foot = str(row.get("on_foot") or "no").lower()
        if on_foot not in (*_NO, *_YES):
            raise InvalidInput(
                f"on_foot {on_foot!r} is neither yes nor no; write one of them",
                field="on_foot",
                value=on_foot,
            )
        time = row.get("time")
        if time not in (None, ""):
            free = parse_instant(str(time), field="time")
        return cls(
            str(row["unit"]).strip(), _degrees(row, "lon"), _degrees(row, "lat"), free, on_foot in _YES
        )


def _degrees(row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError, OverflowError):
        said = repr(row[name])[:40]
        raise InvalidInput(f"{name} {said} is no number; give degrees", field=name, value=said) from None


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A gate as units see it.

    Parameters
    ----------
    edges : (e,) int32
        Who is on any of them holds the gate.
    times : tuple of datetime
        In order, from when the suspect was last seen; the last one is the end of what is known.
    passed : (t,) float64
        Probability that the suspect has passed by each; 0 at the first.
    """

    edges: NDArray[np.int32]
    times: tuple[datetime, ...]
    passed: Array

    @classmethod
    def since(
        cls,
        seen: datetime,
        edges: NDArray[np.int32],
        times: Sequence[datetime],
        passed: Sequence[float] | Array,
    ) -> Self:
        """Make it of probabilities at moments after a suspect was last seen."""
        return cls(edges, (seen, *times), np.concatenate([[0.0], passed]))

    @property
    def likely(self) -> datetime | None:
        """When half of those who pass have passed; None where nobody does by the last of the times."""
        last = float(self.passed[-1])
        if not last > 0.0:
            return None
        begin = self.times[0]
        seconds = [(moment - begin).total_seconds() for moment in self.times]
        return begin + timedelta(seconds=float(np.interp(last / 2.0, self.passed, seconds)))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A unit on its way to a gate.

    Parameters
    ----------
    unit : str
        Which.
    arrives : datetime
        When it will be there, in the median.
    road_s : float
        Least time by road, seconds.
    in_time : float
        Probability that it is there before the suspect, by the last of the gate's times: that it comes by
        then, and the suspect has not passed when it does.
    meets : float
        Probability that the suspect then comes there, by the last of the gate's times.
    """

    unit: str
    arrives: datetime
    road_s: float
    in_time: float
    meets: float


class Holding:
    """Arrivals of units at gates, by road.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    pace, spread : float
        A drive takes `pace` times the least time by road, in the median; the logarithm of that factor is
        normal with this standard deviation. Who walks takes the same time on any road, one-way or
        not, with the same spread.
    delay_s : float
        How long a unit takes to set off, seconds.
    cars : RoadTimes, optional
        Those of the network, where they are known from before.

    Raises
    ------
    InvalidInput
        If a number makes no sense.
    """

    def __init__(
        self,
        network: RoadNetwork,
        *,
        pace: float = PACE,
        spread: float = SPREAD,
        delay_s: float = 0.0,
        cars: RoadTimes | None = None,
    ) -> None:
        for name, value, least, most in (
            ("pace", pace, 0.1, 100.0),
            ("spread", spread, 0.0, 2.0),
            ("delay_s", delay_s, 0.0, 86_400.0),
        ):
            if not least <= value <= most:
                raise InvalidInput(
                    f"{name} {value} is not {least:g} to {most:g}; correct it", field=name, value=value
                )
        self._network, self._cars = network, cars
        self._walkers: RoadTimes | None = None
        self._pace, self._delay_s = pace, delay_s
        middles = (np.arange(VALUES) + 0.5) / VALUES
        self._factor = np.exp(spread * np.array([NormalDist().inv_cdf(float(q)) for q in middles]))

    def first(
        self, gates: Sequence[Held], units: Sequence[UnitAt], *, most: int = 3
    ) -> tuple[list[list[Arrival]], list[str]]:
        """Return of each gate the units that are there first, and which units are off the roads.

        Parameters
        ----------
        gates : sequence of Held
            What is to be held.
        units : sequence of UnitAt
            Who can go there; each is told for every gate, though it can hold but one.
        most : int
            How many units are told of each gate.

        Returns
        -------
        list of list of Arrival, list of str
            The soonest first, only those that may come by the last of the gate's times; names of the units
            that are more than half a kilometre from any road they may use.
        """
        found: list[list[Arrival]] = [[] for _ in gates]
        astray = []
        for unit in units:
            pace = 1.0 if unit.on_foot else self._pace
            left_s = max(((gate.times[-1] - unit.free).total_seconds() for gate in gates), default=0.0)
            within_s = (left_s - self._delay_s) / (pace * float(self._factor[0]))
            if within_s < 0.0:
                continue
            by_edge = self._roads(unit).arrivals_s((unit.lon, unit.lat), NEAR_M, within_s)
            if not np.isfinite(by_edge).any():
                astray.append(unit.unit)
                continue
            for gate, arrivals in zip(gates, found, strict=True):
                road_s = float(by_edge[gate.edges].min(initial=np.inf))
                if np.isfinite(road_s):
                    arrival = self._arrival(gate, unit, road_s, road_s * pace)
                    if arrival.in_time > 0.0:
                        arrivals.append(arrival)
        return [sorted(some, key=lambda a: (a.arrives, a.unit))[:most] for some in found], astray

    def off_roads(self, units: Sequence[UnitAt]) -> list[str]:
        """Names of the units that are more than half a kilometre from any road they may use."""
        return [
            unit.unit
            for unit in units
            if not np.isfinite(self._roads(unit).arrivals_s((unit.lon, unit.lat), NEAR_M, 0.0)).any()
        ]

    def _roads(self, unit: UnitAt) -> RoadTimes:
        return self._walking() if unit.on_foot else self._driving()

    def _arrival(self, gate: Held, unit: UnitAt, road_s: float, median_s: float) -> Arrival:
        begin = gate.times[0]
        seconds = np.array([(moment - begin).total_seconds() for moment in gate.times])
        there_s = (unit.free - begin).total_seconds() + self._delay_s + median_s * self._factor
        # Before the first of the times nobody has passed; after the last nothing is known.
        passed = np.interp(there_s, seconds, gate.passed)
        known = there_s <= seconds[-1]
        return Arrival(
            unit.unit,
            # In the zone in which the gate is told.
            begin + (unit.free - begin + timedelta(seconds=self._delay_s + median_s)),
            road_s,
            in_time=float(np.where(known, 1.0 - passed, 0.0).mean()),
            meets=float(np.where(known, gate.passed[-1] - passed, 0.0).mean()),
        )

    def _driving(self) -> RoadTimes:
        if self._cars is None:
            self._cars = RoadTimes(self._network)
        return self._cars

    def _walking(self) -> RoadTimes:
        if self._walkers is None:
            self._walkers = RoadTimes(self._network, Access.FOOT, most_mps=WALK_MPS, both_ways=True)
        return self._walkers
