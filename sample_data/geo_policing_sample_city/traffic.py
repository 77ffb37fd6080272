"""Movement along roads, second by second: speeding up, braking, lights, queues, stops, parking."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads.network import Access, RoadClass
from geo_policing_sample_city.congestion import SLOT_S
from geo_policing_sample_city.driving import drive, leaving_speed
from geo_policing_sample_city.people import Spot
from geo_policing_sample_city.ways import Bools, Floats, Ints, Ways

#: (way, from, to): a stretch of a way, metres from its begin.
Piece = tuple[int, float, float]
#: Speeding up and braking in comfort, m/s², and the speed of a right-angled turn, m/s.
MANNERS = {Access.CAR: (1.4, 1.8, 5.0), Access.BICYCLE: (0.9, 1.5, 4.0), Access.FOOT: (0.8, 1.0, 9.0)}
#: Share of red lights that are heeded.
HEEDED = {Access.CAR: 0.995, Access.BICYCLE: 0.8, Access.FOOT: 0.7}

#: How much of the congestion they feel.
FEELS = {Access.CAR: np.float32(1.0), Access.BICYCLE: np.float32(0.1), Access.FOOT: np.float32(0.05)}


@dataclass(frozen=True, eq=False)
class Movement:
    """Where somebody truly was: at every whole second, and when they entered each edge.

    Parameters
    ----------
    x, y : (s + 1,) float64
        Metres in the plane, at seconds 0 to s from the begin.
    speed_mps, course_deg : (s + 1,) float64
        How fast, and which way.
    way : (s + 1,) int32
        On which way.
    off : (s + 1,) bool
        Parked with the engine off.
    edge : (k,) int32
        Edges in the order they were entered; the first is where it begins.
    enter_s : (k,) float64
        When.
    """

    x: Floats
    y: Floats
    speed_mps: Floats
    course_deg: Floats
    way: Ints
    off: Bools
    edge: Ints
    enter_s: Floats


@dataclass(eq=False)
class Journey:
    """A movement while it is being made.

    Parameters
    ----------
    ways : Ways
        What is travelled on.
    load : (slots, w) float32
        Congestion of `congestion.make_load`; people on foot and e-bikes feel little of it.
    seconds : int
        How long it lasts.
    mode : Access
        CAR, BICYCLE or FOOT.
    style : float
        Speed relative to what is usual.
    top_mps : float
        Usual speed where the road allows more; style and mood come on top.
    rng : Generator
        The person's own.
    """

    ways: Ways
    load: NDArray[np.float32]
    seconds: int
    mode: Access
    style: float
    top_mps: float
    rng: np.random.Generator
    now_s: float = 0.0
    _entered: list[tuple[Ints, Floats]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Lay out the seconds, and the moods of the driver: slow changes of speed."""
        n = self.seconds + 1
        self._way = np.zeros(n, np.int32)
        self._offset = np.zeros(n)
        self._speed = np.zeros(n)
        self._aside = np.full(n, np.nan)
        self._off = np.zeros(n, np.bool_)
        raw = self.rng.normal(0.0, 1.0, 331)
        self._mood = np.clip(1.0 + 0.25 * np.convolve(raw, np.ones(32) / 32**0.5, "valid"), 0.55, 1.2)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.now_s >= self.seconds

    def stay(self, spot: Spot, seconds: float, *, engine_off: bool) -> None:
        """Stand at a spot."""
        first = int(np.ceil(self.now_s))
        self.now_s = min(self.now_s + round(seconds * 2) / 2, float(self.seconds))
        part = slice(first, int(self.now_s) + 1)
        self._way[part], self._offset[part], self._speed[part] = spot.way, spot.offset_m, 0.0
        self._aside[part], self._off[part] = spot.aside_m, engine_off
        if not self._entered:
            self._entered.append((np.array([spot.way], np.int32), np.zeros(1)))

    def drive(self, pieces: list[Piece], wait_s: list[float] | None = None) -> None:
        """Drive pieces in order and come to a stop at the end of the last.

        Parameters
        ----------
        pieces : list of Piece
            Each begins where the one before ends.
        wait_s : list of float, optional
            Seconds to stand at the end of each piece.
        """
        ways, rng = self.ways, self.rng
        way = np.array([piece[0] for piece in pieces], np.int32)
        wait = np.zeros(len(pieces)) if wait_s is None else np.round(np.array(wait_s) * 2) / 2
        wait += self._yielding(way)
        from_m = np.array([piece[1] for piece in pieces], np.float64)
        to_m = np.array([piece[2] for piece in pieces], np.float64)
        accel, brake, turn_mps = MANNERS[self.mode]
        leave = leaving_speed(way, turn_mps, ways.turn_offset, ways.turn_to, ways.turn_deg, ways.opposite)
        leave[wait > 0.0] = 0.0
        # Lights stand at the ends of ways, and nobody waits for one where the journey ends.
        heeds = (rng.random(len(pieces)) < HEEDED[self.mode]) & (to_m >= ways.length_m[way] - 0.01)
        heeds[-1] = False
        enter_s = np.full(len(pieces), np.nan)
        self.now_s = drive(
            self.now_s,
            float(self.seconds),
            way,
            from_m,
            to_m,
            leave,
            wait,
            np.minimum(ways.network.speed_mps[ways.edge[way]], self.top_mps) * self.style,
            self.load[:, way] * FEELS[self.mode],
            SLOT_S,
            ways.cycle_s[way] * heeds,
            ways.phase_s[way],
            ways.green_s[way],
            self._mood,
            accel * rng.uniform(0.8, 1.2),
            brake,
            self._way,
            self._offset,
            self._speed,
            enter_s,
        )
        entered = np.isfinite(enter_s)
        self._entered.append((way[entered], enter_s[entered]))

    def _yielding(self, way: Ints) -> Floats:
        """Seconds given to others where a small street without a light meets a major one."""
        ways = self.ways
        wait = np.zeros(len(way))
        if len(way) > 1 and self.mode != Access.FOOT:
            small = ways.road_class[way[:-1]] > RoadClass.SECONDARY
            major = ways.road_class[way[1:]] <= RoadClass.SECONDARY
            gives = small & major & (ways.cycle_s[way[:-1]] == 0) & (self.rng.random(len(way) - 1) < 0.5)
            wait[:-1] = gives * np.round(self.rng.gamma(2.0, 1.5, len(way) - 1) * 2) / 2
        return wait

    def movement(self) -> Movement:
        """Return what was done."""
        ways = self.ways
        x, y, course = ways.locate(self._way, self._offset)
        turn = np.radians(course)
        aside = np.where(np.isnan(self._aside), self._lane(), self._aside)
        # People drift into a lane or a parking place and cross a street, they do not jump.
        drift_s = {Access.CAR: 7, Access.BICYCLE: 9, Access.FOOT: 21}[self.mode]
        x = x + _smooth(aside * np.cos(turn), drift_s)
        y = y - _smooth(aside * np.sin(turn), drift_s)
        way = np.concatenate([part[0] for part in self._entered])
        enter_s = np.concatenate([part[1] for part in self._entered])
        # A stop, or the end of one errand and the begin of the next, enters nothing.
        again = np.concatenate([[False], (way[1:] == way[:-1])])
        return Movement(
            x=x,
            y=y,
            speed_mps=self._speed,
            course_deg=course,
            way=self._way,
            off=self._off,
            edge=ways.edge[way[~again]],
            enter_s=enter_s[~again],
        )

    def _lane(self) -> Floats:
        """How far right of the road's line each second is driven, metres."""
        ways = self.ways
        half = np.full(max(RoadClass) + 1, 1.5)
        half[[RoadClass.ARTERIAL, RoadClass.SECONDARY, RoadClass.STREET]] = 5.0, 3.5, 2.2
        half[[RoadClass.FOOTWAY, RoadClass.CYCLEWAY, RoadClass.EXPRESSWAY_RAMP]] = 0.3
        edge = ways.edge[self._way]
        lane = np.where(ways.network.reverse[edge] < 0, 0.0, half[ways.road_class[self._way]])
        beside = {Access.CAR: 0.0, Access.BICYCLE: 1.5, Access.FOOT: 3.0}[self.mode]
        # One choice of lane a street and person, kept along the whole of it.
        choice = (edge.astype(np.int64) * 2654435761 + int(self.rng.integers(1 << 31))) % 3 - 1.0
        wide = ways.road_class[self._way] <= RoadClass.SECONDARY
        return lane + beside + choice * np.where(wide, 1.6, 0.3)


def _smooth(values: Floats, width: int) -> Floats:
    return np.convolve(np.pad(values, width // 2, mode="edge"), np.ones(width) / width, "valid")
