"""Receivers: how often they measure, what they get wrong, and when their bytes arrive."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.signal import lfilter

from geo_policing.model import DeviceKind
from geo_policing_sample_city.city import City
from geo_policing_sample_city.traffic import Movement
from geo_policing_sample_city.ways import Bools, Floats, Ways

SLEEP_AFTER_S = 180
#: States of an epoch: the clock is not set, no position, a position.
NO_TIME, NO_FIX, FIX = range(3)
WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Model:
    """A make of receiver.

    Parameters
    ----------
    talker : str
        Talker of its positions.
    systems : tuple of str
        Constellations it uses: GB, GP, GL, GA.
    sentences : tuple of str
        What it says of each instant, in order.
    decimals : int
        Of the minutes.
    version : str
        ``4.11`` has system and signal ids; ``4.0`` numbers BeiDou from 201 and names constellations by
        talker; ``2.3`` is older.
    every : int
        GSA and GSV come with one epoch in so many.
    drift_m : float
        1 sigma of its slow error in the open, each axis.
    fraction_ms : int
        Milliseconds after the second at which it measures.
    """

    talker: str
    systems: tuple[str, ...]
    sentences: tuple[str, ...]
    decimals: int
    version: str
    every: int
    drift_m: float
    fraction_ms: int = 0

    @property
    def dated(self) -> bool:
        """Whether its sentences tell the date."""
        return "RMC" in self.sentences or "ZDA" in self.sentences


MODELS = {
    "terminal": Model("GN", ("GB", "GP"), ("RMC", "GGA", "GSA", "GSV"), 5, "4.11", 10, 2.6),
    "multi": Model(
        "GN", ("GP", "GL", "GA", "GB"), ("RMC", "VTG", "GGA", "GSA", "GSV", "GLL"), 5, "4.11", 12, 2.0
    ),
    "police": Model("GN", ("GB", "GP", "GL"), ("RMC", "GGA", "GST", "GSA", "GSV"), 6, "4.11", 10, 1.6),
    "handheld": Model("GN", ("GB", "GP"), ("GNS", "RMC", "GST", "GSA"), 5, "4.11", 5, 3.0, 200),
    "beidou": Model("BD", ("GB",), ("GGA", "RMC", "GSA", "GSV"), 4, "4.0", 6, 3.6),
    "beidou-2": Model("GB", ("GB",), ("RMC", "GGA", "ZDA", "GSA"), 5, "4.11", 6, 2.8),
    "dual": Model("GN", ("GP", "GB"), ("GGA", "GSA", "GSV", "RMC"), 4, "4.0", 8, 3.2),
    "tracker": Model("GP", ("GP",), ("RMC",), 4, "2.3", 1, 4.5),
    "bus": Model("GN", ("GB", "GP"), ("GGA", "ZDA", "VTG"), 5, "4.11", 1, 3.0),
    "undated": Model("GP", ("GP",), ("GGA", "GLL"), 4, "2.3", 1, 4.5, 500),
}
#: Which models and which intervals in seconds each kind has.
FITTED: dict[DeviceKind, tuple[tuple[str, ...], tuple[int, ...]]] = {
    DeviceKind.PATROL_CAR: (("police", "police", "multi", "terminal"), (1, 2, 2, 5)),
    DeviceKind.OFFICER: (("handheld", "handheld", "beidou-2"), (5, 5, 10)),
    DeviceKind.TAXI: (("terminal", "dual", "beidou"), (5, 10, 10, 15, 30)),
    DeviceKind.BUS: (("bus", "terminal", "dual", "undated"), (5, 10, 10)),
    DeviceKind.PRIVATE_CAR: (("tracker", "multi", "dual", "beidou-2"), (10, 15, 30, 60)),
    DeviceKind.E_BIKE: (("tracker", "terminal", "beidou", "multi"), (3, 5, 10, 30)),
}


@dataclass(frozen=True, eq=False)
class Observations:
    """k epochs of one receiver, in the order they were measured and received.

    Parameters
    ----------
    model : Model
        Who speaks.
    true_ms, time_ms, received_ms : (k,) int64
        Milliseconds of UTC: when it was measured, when the receiver says so, when the bytes arrived.
    state : (k,) int8
        NO_TIME, NO_FIX or FIX.
    lon, lat, alt_m, speed_mps, course_deg, sigma_m, hdop : (k,) float64
        As measured; course is NaN while standing.
    openness : (k,) float64
        Share of the sky that is seen, 0 to 1.
    """

    model: Model
    true_ms: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    state: NDArray[np.int8]
    lon: Floats
    lat: Floats
    alt_m: Floats
    speed_mps: Floats
    course_deg: Floats
    sigma_m: Floats
    hdop: Floats
    openness: Floats


class Surroundings:
    """What stands beside the roads, as far as receivers notice.

    Parameters
    ----------
    city : City
        The city.
    ways : Ways
        Its ways.
    """

    CELL_M = 25.0

    def __init__(self, city: City, ways: Ways) -> None:
        network = ways.network
        self.plane = network.plane
        self.tunnel = ways.tunnel
        self._x_0, self._y_0 = network.node_x.min() - 500.0, network.node_y.min() - 500.0
        x_1, y_1 = network.node_x.max() + 500.0, network.node_y.max() + 500.0
        size = [int((high - low) / self.CELL_M) + 1 for low, high in ((self._x_0, x_1), (self._y_0, y_1))]
        middle = shapely.centroid(city.buildings.geometry.to_numpy())
        x, y = self.plane.forward(shapely.get_x(middle), shapely.get_y(middle))
        height = np.zeros(size)
        inside = (x > self._x_0) & (x < x_1) & (y > self._y_0) & (y < y_1)
        np.maximum.at(
            height, self._cell(x[inside], y[inside]), city.buildings["height_m"].to_numpy(np.float64)[inside]
        )
        self._canyon = np.clip(gaussian_filter(height, 1.2) / 14.0, 0.0, 1.0)
        self._slope = np.gradient(gaussian_filter(height, 2.0))

    def canyon(self, x: Floats, y: Floats) -> Floats:
        """How far tall buildings stand in the way, (n,), 0 in the open to 1 between towers."""
        return self._sample(self._canyon, x, y)

    def reflection(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Direction away from the taller side, (n,) each, 1 long or 0."""
        east, north = (-self._sample(part, x, y) for part in self._slope)
        long = np.hypot(east, north)
        scale = np.divide(1.0, long, out=np.zeros_like(long), where=long > 0.05)
        return east * scale, north * scale

    def ground_m(self, x: Floats, y: Floats) -> Floats:
        """Height of the ground above the sea, (n,): hills round a river plain."""
        a, b = (x - self._x_0) / 4700.0, (y - self._y_0) / 5300.0
        return 58.0 + 16.0 * np.sin(a + 0.4) * np.cos(b) + 7.0 * np.sin(2.3 * a + 1.1 * b)

    def _cell(self, x: Floats, y: Floats) -> tuple[NDArray[Any], NDArray[Any]]:
        return (
            ((x - self._x_0) / self.CELL_M).astype(np.int64),
            ((y - self._y_0) / self.CELL_M).astype(np.int64),
        )

    def _sample(self, grid: Floats, x: Floats, y: Floats) -> Floats:
        at = np.stack([(x - self._x_0) / self.CELL_M - 0.5, (y - self._y_0) / self.CELL_M - 0.5])
        return np.asarray(map_coordinates(grid, at, order=1, mode="nearest"))


def observe(
    movement: Movement,
    kind: DeviceKind,
    around: Surroundings,
    start_ms: int,
    rng: np.random.Generator,
) -> Observations:
    """Measure a movement with a receiver of a model that its kind is fitted with.

    Parameters
    ----------
    movement : Movement
        The truth.
    kind : DeviceKind
        What carries the receiver.
    around : Surroundings
        What disturbs it.
    start_ms : int
        Milliseconds of UTC at the begin of the movement.
    rng : Generator
        The device's own.
    """
    names, intervals = FITTED[kind]
    model = MODELS[names[int(rng.integers(len(names)))]]
    interval = intervals[int(rng.integers(len(intervals)))]
    n = len(movement.x)
    awake, searching, rough_m = _power(movement, around, kind, rng)
    x, y = movement.x, movement.y
    canyon = around.canyon(x, y)
    if kind == DeviceKind.OFFICER:
        canyon = np.maximum(canyon, np.where(movement.off, 0.6, 0.0))
    east, north, sigma = _errors(model, canyon, around.reflection(x, y), rough_m, rng)
    second = np.arange(int(rng.integers(interval)), n, interval)
    second = second[awake[second]]
    jump_east, jump_north = _jumps(len(second), interval, rng)
    fraction = model.fraction_ms / 1000.0
    following = np.minimum(second + 1, n - 1)
    at_x, at_y = (v[second] + (v[following] - v[second]) * fraction for v in (x, y))
    lon, lat = around.plane.inverse(at_x + east[second] + jump_east, at_y + north[second] + jump_north)
    speed = np.abs(movement.speed_mps[second] + rng.normal(0.0, 0.15, len(second)))
    course = (movement.course_deg[second] + rng.normal(0.0, 1.0, len(second)) * 4.0 / (speed + 0.5)) % 360.0
    true_ms = start_ms + second * 1000 + model.fraction_ms
    openness = np.clip(1.0 - 0.6 * canyon[second] + rng.normal(0.0, 0.04, len(second)), 0.15, 1.0)
    hdop = np.round(0.55 + 1.6 * (1.0 - openness) + 0.3 / openness + rough_m[second] / 40.0, 1)
    state = np.where(searching[second] == 0, FIX, np.where(searching[second] == 1, NO_FIX, NO_TIME))
    ground = around.ground_m(at_x, at_y)
    return Observations(
        model=model,
        true_ms=true_ms,
        time_ms=true_ms + _clock_error_ms(model, state, true_ms, rng),
        received_ms=_received(true_ms, rng),
        state=state.astype(np.int8),
        lon=lon,
        lat=lat,
        alt_m=ground + 1.5 * (north[second] + rng.normal(0.0, 1.0, len(second))),
        speed_mps=speed,
        course_deg=np.where(speed < 0.5, np.nan, course),
        sigma_m=sigma[second],
        hdop=hdop,
        openness=openness,
    )


def _power(
    movement: Movement, around: Surroundings, kind: DeviceKind, rng: np.random.Generator
) -> tuple[Bools, NDArray[np.int8], Floats]:
    """(n,) awake; searching: 0 not, 1 for a position, 2 for the time too; metres of roughness after that."""
    n = len(movement.x)
    second = np.arange(n)
    sleeps = kind in {DeviceKind.PRIVATE_CAR, DeviceKind.E_BIKE}
    off = movement.off if sleeps else np.zeros(n, np.bool_)
    since = second - np.maximum.accumulate(np.where(~off, second, -SLEEP_AFTER_S))
    awake = since < SLEEP_AFTER_S
    searching = np.zeros(n, np.int8)
    rough = np.zeros(n)
    starts = np.flatnonzero(np.diff(awake.astype(np.int8), prepend=0) == 1)
    if awake[0] and rng.random() < 0.7:
        starts = starts[1:]  # had been on for long
    dark = around.tunnel[movement.way]
    leaves = np.flatnonzero(np.diff(dark.astype(np.int8), prepend=0) == -1)
    searching[dark] = 1
    for begin, cold in [(s, True) for s in starts.tolist()] + [(s, False) for s in leaves.tolist()]:
        # A cold start needs the ephemeris, half a minute of it; after a tunnel it is still there.
        cold_now = cold and rng.random() < 0.5
        wait = int(rng.uniform(25, 50) if cold_now else rng.uniform(1, 7))
        searching[begin : begin + wait] = 1
        if cold_now:
            searching[begin : begin + wait // 3] = 2
        first, last = min(begin + wait, n), min(begin + wait + 90, n)
        size = rng.uniform(15.0, 40.0) if cold_now else rng.uniform(2.0, 15.0)
        rough[first:last] = np.maximum(rough[first:last], size * np.exp(-np.arange(last - first) / 15.0))
    return awake, searching, rough


def _errors(
    model: Model,
    canyon: Floats,
    reflection: tuple[Floats, Floats],
    rough_m: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Errors east and north, and the sigma that the receiver would say, (n,) each, metres.

    Drift and multipath are first-order Gauss-Markov (x' = a x + sqrt(1 - a²) n), of 3 minutes and of 25 s;
    multipath also pushes away from the taller side.
    """
    n = len(canyon)
    near_m = 12.0 * canyon
    errors = []
    for away in reflection:
        drift = _gauss_markov(n, 180.0, rng) * model.drift_m
        path = _gauss_markov(n, 25.0, rng) * near_m + away * near_m * 0.9
        start = _gauss_markov(n, 20.0, rng) * rough_m
        errors.append(drift + path + start + rng.normal(0.0, 0.4, n))
    sigma = np.sqrt(model.drift_m**2 + (1.2 * near_m) ** 2 + rough_m**2 + 0.16)
    return errors[0], errors[1], sigma * rng.uniform(0.8, 1.2)


def _gauss_markov(n: int, tau_s: float, rng: np.random.Generator) -> Floats:
    a = np.exp(-1.0 / tau_s)
    noise = rng.normal(0.0, 1.0, n) * np.sqrt(1.0 - a * a)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -a], noise))


def _jumps(count: int, interval_s: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """One or a few fixes far off, once in three hours or so."""
    east, north = np.zeros(count), np.zeros(count)
    for _ in range(rng.poisson(count * interval_s / 10_000.0)):
        first = int(rng.integers(count))
        part = slice(first, first + int(rng.integers(1, 4)))
        angle, far_m = rng.uniform(0.0, 2 * np.pi), rng.uniform(80.0, 900.0)
        east[part], north[part] = far_m * np.cos(angle), far_m * np.sin(angle)
    return east, north


def _clock_error_ms(
    model: Model, state: NDArray[Any], true_ms: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """(k,) what the receiver's clock is wrong by: seldom, and mostly for a while."""
    error = np.zeros(len(true_ms), np.int64)
    draw = rng.random()
    if not model.dated or len(true_ms) == 0:
        return error
    if draw < 0.03:  # the time zone was set wrong until somebody saw it
        error[true_ms < true_ms[0] + rng.integers(200_000, 1_200_000)] = 8 * 3_600_000
    elif draw < 0.06:  # a cheap receiver that is a little off for good
        error[:] = rng.integers(-30, 31) * 1000
    starting = np.flatnonzero((state == FIX) & (np.concatenate([[FIX], state[:-1]]) != FIX))
    for first in starting:
        if rng.random() < 0.15:  # the week number before it is known which 1024 weeks these are
            error[first : first + int(rng.integers(1, 4))] = -1024 * WEEK_MS
    return error


def _received(true_ms: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(k,) when the bytes arrive: after a second or so, or at once after a hole in the mobile network."""
    late = true_ms + int(rng.uniform(150, 900)) + rng.gamma(1.5, 120.0, len(true_ms)).astype(np.int64)
    if len(true_ms):
        span = int(true_ms[-1] - true_ms[0])
        for _ in range(rng.poisson(span / 3_600_000 * 0.25)):
            begin = true_ms[0] + int(rng.integers(max(span, 1)))
            end = begin + int(rng.uniform(40_000, 300_000))
            held = np.flatnonzero((true_ms >= begin) & (true_ms < end))
            late[held] = np.maximum(late[held], end + 40 * np.arange(len(held)))
    return np.maximum.accumulate(late)
