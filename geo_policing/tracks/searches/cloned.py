"""Cloned identity: one identity in two places too far apart for the time between, by road."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.kernels import identity_strands
from geo_policing.kernels.identity_strands import Limits
from geo_policing.model import FixColumns, Halt, TimeWindow
from geo_policing.roads.times import RoadTimes
from geo_policing.tracks.searches.history import History, check_count, check_length, check_number
from geo_policing.tracks.searches.seen import Seen

#: A position that says less than this says nothing.
WORST_ACCURACY_M = 100.0
#: Straight ahead one drives as fast as on an expressway, 120 km/h, whatever roads are known.
EXPRESSWAY_MPS = 120 / 3.6
#: So many impossible steps are shown; all are counted.
MOST_SHOWN = 100
MOST_DEVICES = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """Two fixes of one identity, one after the other, that one vehicle cannot have made.

    Parameters
    ----------
    before, after : Seen
        The two.
    elapsed_s : float
        What lies between them.
    needed_s : float
        What the way takes at least, in haste: by road, or straight at the highest speed of the roads where
        that is more, or where no way by road is known.
    straight_m : float
        How far apart they are.
    firm : bool
        Whether both ends are on strands that have fixes enough; else one may be a wrong position.
    """

    before: Seen
    after: Seen
    elapsed_s: float
    needed_s: float
    straight_m: float
    firm: bool


@dataclass(frozen=True, slots=True)
class Strand:
    """Fixes of an identity that one vehicle can have made.

    Parameters
    ----------
    fixes : int
        How many.
    first, last : Seen
        The first and the last of them.
    sources : tuple of str
        The receivers, in order.
    """

    fixes: int
    first: Seen
    last: Seen
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cloned:
    """An identity that was in two places at once.

    Parameters
    ----------
    device : str
        Which.
    firm, leaps : int
        How many impossible steps lead from strand to strand, both with fixes enough; and how many to or from
        a strand with fewer, which may be wrong positions.
    strands : tuple of Strand
        By their first fixes; at most 100, those of most fixes.
    steps : tuple of Step
        At most 100, the firm ones first, in order of time.
    """

    device: str
    firm: int
    leaps: int
    strands: tuple[Strand, ...]
    steps: tuple[Step, ...]


def cloned(
    history: History,
    roads: RoadTimes,
    devices: Collection[str],
    window: TimeWindow,
    *,
    tolerance_s: float = 30.0,
    haste: float = 1.5,
    apart_m: float = 500.0,
    sigmas: float = 3.0,
    radius_m: float = 50.0,
    support: int = 3,
    halt: Halt | None = None,
) -> list[Cloned]:
    """Which identities were in two places too far apart for the time between, by road travel time.

    A fix stands for everywhere within `sigmas` times its accuracy, at least `radius_m`; one of unknown
    accuracy within `radius_m`; one worse than 100 m is left out. From one fix to another is *impossible*
    when, less both of these circles, they are more than `apart_m` apart, and needed > elapsed +
    `tolerance_s`. needed is the larger of

    - the straight distance less both circles, at `haste` times the highest speed of the roads, 120 km/h at
      least;
    - the least time by road, over `haste`, from any of the 32 nearest edges in the one circle (or, if there
      is none, within 500 m) to any in the other, wherever along them within the radius of the nearest point;
      nothing where one is off the roads or no way leads there. One-way roads bind, forbidden turns do not.

    Only steps from one fix to the next in time are counted: who keeps to the roads' times on every step keeps
    to them altogether, so no pair is impossible without an impossible step between. All receivers of the
    identity count alike. To tell a second vehicle from a wrong position, fixes are put on *strands*: in order
    of time each on the strand whose last fix is the nearest (to the metre; then the older strand) of those
    that it is possible after, or on a new one. A position that leaps away and back is a strand of its own, of
    one fix; a second vehicle has as many as it was seen. A step is firm when both of its strands have
    `support` fixes or more.

    Parameters
    ----------
    history : History
        Where to look.
    roads : RoadTimes
        The roads.
    devices : collection of str
        Identities, at most 10,000; read one after the other.
    window : TimeWindow
        At most 31 days, [start, end).
    tolerance_s : float
        How far clocks may be apart, 0 to 3600 seconds.
    haste : float
        How many times the usual speeds of the roads one may drive, 1 to 5.
    apart_m : float
        What is nearer is not in two places, 0 to 100,000 metres.
    sigmas : float
        How many times its accuracy a position may be off, 0 to 10.
    radius_m : float
        How far it may be off at least, 1 to 500 metres.
    support : int
        Fixes that make a strand firm, at least 1.
    halt : Halt, optional
        Says when the search must end, and hears which device it is at.

    Returns
    -------
    list of Cloned
        Those with an impossible step: most firm ones first, then most steps, then by device.
    """
    check_length(window, 31)
    check_number("tolerance_s", tolerance_s, 0, 3600)
    check_number("haste", haste, 1, 5)
    check_number("apart_m", apart_m, 0, 100_000)
    check_number("sigmas", sigmas, 0, 10)
    check_number("radius_m", radius_m, 1, 500)
    check_count("support", support, 1)
    if len(devices) > MOST_DEVICES:
        raise InvalidInput(
            f"{len(devices)} devices are more than {MOST_DEVICES}; ask for fewer at once", field="devices"
        )
    found = []
    halt = halt or Halt()
    ordered = sorted(set(devices))
    for n, device in enumerate(ordered):
        halt.tell(f"{n:,} of {len(ordered):,} devices")
        fixes = history.fixes(window.start_us, window.end_us, [device])
        fixes = fixes.take(~(fixes.accuracy_m > WORST_ACCURACY_M))
        limits = Limits(float(apart_m), float(tolerance_s), float(haste), max(roads.top_mps, EXPRESSWAY_MPS))
        said = np.nan_to_num(fixes.accuracy_m.astype(np.float64), nan=0.0)
        one = _of_one(device, fixes, np.maximum(sigmas * said, radius_m), roads, limits, support, halt)
        if one is not None:
            found.append(one)
    return sorted(found, key=lambda c: (-c.firm, -c.leaps, c.device))


def _of_one(
    device: str,
    fixes: FixColumns,
    radius_m: NDArray[np.float64],
    roads: RoadTimes,
    limits: Limits,
    support: int,
    halt: Halt,
) -> Cloned | None:
    if len(fixes) < 2:
        return None
    x, y = roads.plane.forward(fixes.lon, fixes.lat)
    strand, broken = identity_strands.strands(
        fixes.time, fixes.lon, fixes.lat, radius_m, x, y, limits, roads.for_kernels(), halt.flag
    )
    halt.check()
    after = np.flatnonzero(broken)
    if not len(after):
        return None
    size = np.bincount(strand)
    firm = np.minimum(size[strand[after - 1]], size[strand[after]]) >= support
    shown = np.argsort(~firm, kind="stable")[:MOST_SHOWN]
    steps = [
        _step(fixes, row, radius_m, roads, limits, firm=is_firm)
        for row, is_firm in zip(after[shown].tolist(), firm[shown].tolist(), strict=True)
    ]
    return Cloned(device, int(firm.sum()), int((~firm).sum()), _strands(fixes, strand, size), tuple(steps))


def _step(
    fixes: FixColumns,
    row: int,
    radius_m: NDArray[np.float64],
    roads: RoadTimes,
    limits: Limits,
    *,
    firm: bool,
) -> Step:
    before, after = Seen.of(fixes, row - 1), Seen.of(fixes, row)
    straight_m = identity_strands.great_circle_m(before.lon, before.lat, after.lon, after.lat)
    near = (float(radius_m[row - 1]), float(radius_m[row]))
    needed_s = (straight_m - sum(near)) / limits.top_mps
    by_road_s = roads.least_s((before.lon, before.lat), (after.lon, after.lat), *near)
    if np.isfinite(by_road_s):
        needed_s = max(needed_s, by_road_s)
    elapsed_s = (after.at_us - before.at_us) / 1e6
    return Step(before, after, elapsed_s, float(needed_s) / limits.haste, straight_m, firm)


def _strands(fixes: FixColumns, strand: NDArray[np.int32], size: NDArray[np.int64]) -> tuple[Strand, ...]:
    largest = np.sort(np.argsort(-size, kind="stable")[:MOST_SHOWN])
    found = []
    for number in largest.tolist():
        rows = np.flatnonzero(strand == number)
        sources = tuple(sorted(set(fixes.source[rows].tolist())))
        first, last = (Seen.of(fixes, int(row)) for row in (rows[0], rows[-1]))
        found.append(Strand(len(rows), first, last, sources))
    return tuple(found)
