"""Which fixes are believed: what is refused is counted by reason and device."""

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from geo_policing.model import Fix

YEAR_2000_US = 946_684_800_000_000
EARTH_RADIUS_M = 6_371_008.8
#: Two good fixes of one place may lie this far apart, however little time is between them.
NOISE_M = 10.0
#: The device under which refusals are counted once too many devices have been seen.
OTHERS = "(others)"

#: Before all instants.
NEVER = -(1 << 63)

#: Time in microseconds of UTC, longitude, latitude.
Place = tuple[int, float, float]


@dataclass(slots=True)
class _Memory:
    """What is remembered of one device."""

    newest: int | None = None
    arrived: OrderedDict[Place, None] = field(default_factory=OrderedDict)
    by_time: list[Place] = field(default_factory=list)
    suspect: Place | None = None
    forgotten: int = NEVER


class Plausibility:
    """Refuses fixes that cannot be true and fixes seen before, in bounded memory.

    Parameters
    ----------
    max_future_s : float
        A fix later than the server's clock by more than this is refused.
    max_speed_mps : float
        A fix that needs a higher speed from its accepted neighbour in time is refused, unless the
        refused fix before it says the same: then the device is believed to be there.
    remembered : int
        Accepted fixes kept of each device, to know duplicates and neighbours.
    devices : int
        Devices kept; the one silent longest is forgotten first.

    Attributes
    ----------
    counts : Counter
        By (reason, device); ``late`` fixes are counted too, though they are accepted.
    """

    def __init__(
        self,
        max_future_s: float = 60.0,
        max_speed_mps: float = 100.0,
        *,
        remembered: int = 256,
        devices: int = 20_000,
    ) -> None:
        self.max_future_us = round(max_future_s * 1e6)
        self.max_speed_mps = max_speed_mps
        self.counts: Counter[tuple[str, str]] = Counter()
        self._remembered = remembered
        self._devices = devices
        self._counted: set[str] = set()
        self._memory: OrderedDict[str, _Memory] = OrderedDict()
        self._forgotten = NEVER

    def check(self, fix: Fix, now_us: int) -> str | None:
        """Return why a fix is refused, or None after remembering it as accepted.

        The reasons are ``null_island``, ``before_2000``, ``future``, ``duplicate`` (same device, time
        and place) and ``jump``.
        """
        reason = self._impossible(fix, now_us) or self._against_memory(fix)
        if reason is not None:
            self._count(reason, fix.device)
        elif self.is_late(fix):
            self._count("late", fix.device)
        return reason

    def learn(self, fix: Fix, now_us: int) -> bool:
        """Remember a fix that was accepted before, as the store has it; False if it is impossible now."""
        if self._impossible(fix, now_us) is not None:
            return False
        place = (fix.time, fix.lon, fix.lat)
        memory = self._recall(fix.device)
        if place not in memory.arrived:
            self._remember(memory, place)
        # What else there is before it, nobody says.
        memory.forgotten = max(memory.forgotten, fix.time)
        return True

    def may_have_forgotten(self, fix: Fix) -> bool:
        """Whether an accepted fix is so old that the same one may have been accepted before."""
        memory = self._memory.get(fix.device)
        return fix.time <= (self._forgotten if memory is None else memory.forgotten)

    def take_back(self, fix: Fix) -> None:
        """Count as duplicate a late fix that was accepted and turned out to be stored already."""
        self._count("late", fix.device, -1)
        self._count("duplicate", fix.device)

    def is_late(self, fix: Fix) -> bool:
        """Whether a newer fix of the device was accepted: for the history, not for the live map."""
        memory = self._memory.get(fix.device)
        return memory is not None and memory.newest is not None and fix.time < memory.newest

    def _impossible(self, fix: Fix, now_us: int) -> str | None:
        if fix.lon == 0 and fix.lat == 0:
            return "null_island"
        if fix.time < YEAR_2000_US:
            return "before_2000"
        return "future" if fix.time > now_us + self.max_future_us else None

    def _against_memory(self, fix: Fix) -> str | None:
        memory = self._recall(fix.device)
        place = (fix.time, fix.lon, fix.lat)
        if place in memory.arrived:
            return "duplicate"
        if memory.by_time and self._is_jump(_neighbour(memory.by_time, fix.time), place):
            suspect, memory.suspect = memory.suspect, place
            # The same wrong fix sent twice confirms nothing.
            if suspect is None or suspect == place or self._is_jump(suspect, place):
                return "jump"
            memory.suspect = None
        elif memory.newest is None or fix.time >= memory.newest:
            memory.suspect = None
        self._remember(memory, place)
        return None

    def _recall(self, device: str) -> _Memory:
        memory = self._memory.setdefault(device, _Memory(forgotten=self._forgotten))
        self._memory.move_to_end(device)
        if len(self._memory) > self._devices:
            _, lost = self._memory.popitem(last=False)
            self._forgotten = max(self._forgotten, lost.forgotten, lost.newest or NEVER)
        return memory

    def _remember(self, memory: _Memory, place: Place) -> None:
        memory.newest = place[0] if memory.newest is None else max(memory.newest, place[0])
        memory.arrived[place] = None
        insort(memory.by_time, place)
        if len(memory.arrived) > self._remembered:
            oldest, _ = memory.arrived.popitem(last=False)
            del memory.by_time[bisect_left(memory.by_time, oldest)]
            memory.forgotten = max(memory.forgotten, oldest[0])

    def _is_jump(self, a: Place, b: Place) -> bool:
        reach_m = self.max_speed_mps * abs(b[0] - a[0]) / 1e6 + NOISE_M
        return _distance_m(a, b) > reach_m

    def _count(self, reason: str, device: str, n: int = 1) -> None:
        if device not in self._counted:
            if len(self._counted) >= self._devices:
                device = OTHERS
            else:
                self._counted.add(device)
        self.counts[reason, device] += n


def _neighbour(by_time: list[Place], time: int) -> Place:
    """Return the last place not after the time, or else the first after it."""
    return by_time[max(bisect_right(by_time, time, key=lambda place: place[0]) - 1, 0)]


def _distance_m(a: Place, b: Place) -> float:
    """Haversine on the mean sphere: 2 R asin sqrt(sin²(Δφ/2) + cos φ1 cos φ2 sin²(Δλ/2))."""
    lat_a, lat_b = math.radians(a[2]), math.radians(b[2])
    h = (
        math.sin((lat_b - lat_a) / 2) ** 2
        + math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(h, 1.0)))
