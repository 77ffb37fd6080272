"""Routes by taste: everybody has an own idea of what a street and a turn cost.

Nobody drives the shortest or the fastest way: a taste weighs classes of roads, dislikes turns and lights,
knows some streets better than others, and is a habit - who likes a street today likes it tomorrow.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo_policing.roads.network import Access, RoadClass
from geo_policing_sample_city.ways import BACK, LEFT, RIGHT, STRAIGHT, Bools, Floats, Ways

#: What a metre of each class is felt to be worth, relative to the time it takes: below 1 is preferred.
FEELING = {
    Access.CAR: {
        RoadClass.EXPRESSWAY: 0.95,
        RoadClass.ARTERIAL: 0.85,
        RoadClass.SECONDARY: 0.95,
        RoadClass.RESIDENTIAL: 1.25,
        RoadClass.SERVICE: 1.8,
        RoadClass.TRACK: 2.5,
    },
    Access.BICYCLE: {
        RoadClass.ARTERIAL: 1.3,
        RoadClass.SECONDARY: 1.1,
        RoadClass.SERVICE: 0.9,
        RoadClass.FOOTWAY: 1.6,
    },
    Access.FOOT: {RoadClass.ARTERIAL: 1.4, RoadClass.SECONDARY: 1.15, RoadClass.FOOTWAY: 0.7},
}
#: Nobody on wheels or on foot is faster than this on any road, metres a second.
TOP_SPEED = {Access.CAR: 33.0, Access.BICYCLE: 7.0, Access.FOOT: 1.35}
#: An e-bike rides against a one-way street when that is this much shorter; on foot it makes no difference.
AGAINST = {Access.CAR: np.inf, Access.BICYCLE: 2.2, Access.FOOT: 1.0}


@dataclass(frozen=True, eq=False)
class Taste:
    """What one person thinks that ways and turns cost.

    Parameters
    ----------
    mode : Access
        CAR, BICYCLE or FOOT.
    usable : (w,) bool
        Ways this person may take.
    way_s : (w,) float64
        Felt seconds of each way.
    turn_s : (t,) float64
        Felt seconds of each turn; infinite where it is not made.
    least_s_per_m : float
        No usable way feels faster than this.
    """

    mode: Access
    usable: Bools
    way_s: Floats
    turn_s: Floats
    least_s_per_m: float


def form_taste(
    ways: Ways, usable: Bools, mode: Access, load: Floats, rng: np.random.Generator, habit: float = 0.25
) -> Taste:
    """Form the taste of one person.

    Parameters
    ----------
    ways : Ways
        What there is to choose from.
    usable : (w,) bool
        Of `Ways.usable`.
    mode : Access
        CAR, BICYCLE or FOOT.
    load : (w,) float64
        Share by which traffic slows each way down at this hour, of which people have a vague idea.
    rng : Generator
        The person's own.
    habit : float
        How far personal ideas of a street stray: sigma of the logarithm.
    """
    feeling = np.ones(max(RoadClass) + 1)
    for road_class, weight in FEELING[mode].items():
        feeling[road_class] = weight * rng.lognormal(0.0, 0.15)
    free = np.minimum(ways.network.speed_mps[ways.edge], TOP_SPEED[mode])
    # Both directions of a street feel alike.
    street = np.minimum(ways.edge, np.where(ways.opposite >= 0, ways.edge[ways.opposite], ways.edge))
    idea = np.clip(rng.lognormal(0.0, habit, ways.network.n_edges), 0.55, 2.2)[street]
    way_s = ways.length_m / free * feeling[ways.road_class] * idea * (1.0 + rng.uniform(0.0, 0.8) * load)
    way_s[ways.backward] *= AGAINST[mode] * (rng.uniform(0.6, 1.6) if mode == Access.BICYCLE else 1.0)
    dislike = rng.gamma(4.0, 0.25)
    turn_s = np.zeros(4)
    turn_s[[STRAIGHT, RIGHT, LEFT, BACK]] = {
        Access.CAR: (0.5, 5.0, 14.0, 90.0),
        Access.BICYCLE: (0.2, 2.0, 5.0, 25.0),
        Access.FOOT: (0.0, 1.0, 2.0, 20.0),
    }[mode]
    before = np.repeat(np.arange(len(ways)), np.diff(ways.turn_offset))
    lit = ways.cycle_s[before] * rng.uniform(0.05, 0.3) * (ways.turn_kind != RIGHT)
    felt = turn_s[ways.turn_kind] * dislike + lit
    if mode != Access.FOOT:
        felt[ways.turn_banned] = np.inf
    return Taste(mode, usable, way_s, felt, float((way_s / ways.length_m)[usable].min()))


class Router:
    """Finds the routes that tastes prefer."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        n = len(ways)
        self._stamp = 0
        self._seen = np.zeros(n, np.int64)
        self._felt = np.zeros(n)
        self._before = np.zeros(n, np.int32)
        self._x, self._y = ways.network.node_x[ways.end], ways.network.node_y[ways.end]

    def route(self, taste: Taste, start: int, goal: int) -> list[int]:
        """Ways from one to another, both included; empty when there is no way through."""
        if start == goal:
            return [start]
        self._stamp += 1
        ways = self._ways
        first = ways.start[goal]
        found = _search(
            start,
            goal,
            taste.way_s,
            taste.turn_s,
            taste.usable,
            ways.turn_offset,
            ways.turn_to,
            self._x,
            self._y,
            ways.network.node_x[first],
            ways.network.node_y[first],
            taste.least_s_per_m,
            self._stamp,
            self._seen,
            self._felt,
            self._before,
        )
        if not found:
            return []
        path = [goal]
        while path[-1] != start:
            path.append(int(self._before[path[-1]]))
        return path[::-1]

    def stray(self, taste: Taste, path: list[int], rng: np.random.Generator) -> list[int]:
        """Take one wrong turn on the way, and find back from there."""
        if len(path) < 4:
            return path
        ways = self._ways
        at = int(rng.integers(1, len(path) - 2))
        options = [
            int(ways.turn_to[t])
            for t in range(ways.turn_offset[path[at]], ways.turn_offset[path[at] + 1])
            if np.isfinite(taste.turn_s[t] + taste.way_s[ways.turn_to[t]])
            and taste.usable[ways.turn_to[t]]
            and ways.turn_kind[t] != BACK
            and ways.turn_to[t] != path[at + 1]
        ]
        if not options:
            return path
        rest = self.route(taste, int(rng.choice(options)), path[-1])
        return path[: at + 1] + rest if rest else path


def _search_loop(
    start: int,
    goal: int,
    way_s: NDArray[Any],
    turn_s: NDArray[Any],
    usable: NDArray[Any],
    turn_offset: NDArray[Any],
    turn_to: NDArray[Any],
    end_x: NDArray[Any],
    end_y: NDArray[Any],
    goal_x: float,
    goal_y: float,
    s_per_m: float,
    stamp: int,
    seen: NDArray[Any],
    felt: NDArray[Any],
    before: NDArray[Any],
) -> bool:
    """Best first from the end of start to goal (A*, Hart, Nilsson and Raphael 1968), over ways and turns.

    Per way (w,): felt f64 and before i32 hold where seen i64 equals stamp.
    """
    heap: list[tuple[float, float, Any]] = [(0.0, 0.0, start)]
    seen[start] = stamp
    felt[start] = 0.0
    while len(heap) > 0:
        _, cost, way = heappop(heap)
        if way == goal:
            return True
        if cost > felt[way]:
            continue
        for t in range(turn_offset[way], turn_offset[way + 1]):
            following = np.int64(turn_to[t])
            if not usable[following]:
                continue
            total = cost + turn_s[t] + way_s[following]
            if not total < np.inf or (seen[following] == stamp and felt[following] <= total):
                continue
            seen[following] = stamp
            felt[following] = total
            before[following] = way
            ahead = np.sqrt((end_x[following] - goal_x) ** 2 + (end_y[following] - goal_y) ** 2) * s_per_m
            heappush(heap, (total + ahead, total, following))
    return False


_search = njit(cache=True, nogil=True)(_search_loop)
