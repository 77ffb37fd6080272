"""Days of a fleet on the sample roads, made fast: homes and work places, taxis, and buses that go round."""

# ruff: noqa: NPY002, PLR0912, PLR0915 - numba has a generator of its own, seeded for each device and day

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from geo_policing.model import FixColumns
from geo_policing.roads import RoadNetwork

DAY_US = 86_400_000_000
#: 2026-03-02, a Monday, in days since 1970.
FIRST_DAY = 20_514
HUBS = 300
MOVING_S, PARKED_S = 3, 60
ROWS_A_DEVICE_DAY = 4_100
_MAX_A_DAY = 20_000


@njit(cache=True, nogil=True)
def _day(
    device: int,
    day: int,
    hub_node: Any,
    onward: Any,
    to_node: Any,
    seconds: Any,
    node_lon: Any,
    node_lat: Any,
) -> tuple[Any, Any, Any, Any, Any]:
    """One device's day: time of day (n,) i64 us, lon, lat (n,) f64, speed, course (n,) f32."""
    np.random.seed(device * 1009 + 7)
    hubs = hub_node.shape[0]
    home, work = np.random.randint(hubs), np.random.randint(hubs)
    loop = np.random.randint(0, hubs, 4)
    kind = 2 if device % 50 == 0 else 1 if device % 10 == 1 else 0  # bus, taxi, private
    np.random.seed(device * 1009 + day * 7919 + 11)
    time = np.empty(_MAX_A_DAY, np.int64)
    lon = np.empty(_MAX_A_DAY)
    lat = np.empty(_MAX_A_DAY)
    speed = np.empty(_MAX_A_DAY, np.float32)
    course = np.empty(_MAX_A_DAY, np.float32)
    n = 0
    node = hub_node[home]
    t = float(np.random.randint(0, 60))
    trip = 0
    pace = 0.7 + 0.5 * np.random.random()
    while t < 86_400.0 and n < _MAX_A_DAY - 2:
        # When the next trip begins, and where it goes.
        if kind == 2:
            until, goal = max(6 * 3600.0, t + 60.0), loop[trip % 4]
            if t > 22 * 3600.0:
                until, goal = 90_000.0, home
        elif kind == 1:
            until, goal = max(6.5 * 3600.0, t + np.random.exponential(400.0)), np.random.randint(hubs)
        elif trip == 0:
            until, goal = 7.5 * 3600 + np.random.normal(0, 2400), work
        elif trip == 1:
            until, goal = max(t + 600, 12 * 3600 + np.random.normal(0, 1800)), np.random.randint(hubs)
        elif trip == 2:
            until, goal = t + np.random.exponential(2400), work
        elif trip == 3:
            until, goal = max(t + 600, 17.8 * 3600 + np.random.normal(0, 3600)), home
        else:
            until, goal = 90_000.0, home
        trip += 1
        at_lon, at_lat = node_lon[node], node_lat[node]
        while t < min(until, 86_400.0) and n < _MAX_A_DAY - 2:
            time[n] = np.int64(t) * 1_000_000
            lon[n], lat[n] = at_lon, at_lat
            speed[n], course[n] = 0.0, np.nan
            n += 1
            t += PARKED_S
        rest = 0.0  # of the step between two fixes, carried from edge to edge
        while node != hub_node[goal] and t < 86_400.0 and n < _MAX_A_DAY - 2:
            edge = onward[goal, node]
            if edge < 0:
                break
            after = to_node[edge]
            takes = seconds[edge] / pace * (0.8 + 0.4 * np.random.random())
            if np.random.random() < 0.08:
                takes += np.random.exponential(15.0)  # a red light
            dx = (node_lon[after] - node_lon[node]) * math.cos(math.radians(node_lat[node])) * 111_320
            dy = (node_lat[after] - node_lat[node]) * 111_320
            gone = rest
            while gone < takes and t < 86_400.0 and n < _MAX_A_DAY - 2:
                time[n] = np.int64(t + gone - rest) * 1_000_000
                lon[n] = node_lon[node] + gone / takes * (node_lon[after] - node_lon[node])
                lat[n] = node_lat[node] + gone / takes * (node_lat[after] - node_lat[node])
                speed[n] = math.hypot(dx, dy) / takes
                course[n] = math.degrees(math.atan2(dx, dy)) % 360.0
                n += 1
                gone += MOVING_S
            t += takes - rest if gone >= takes else 0.0
            t = max(t, time[n - 1] * 1e-6) if n else t
            rest = gone - takes
            t += rest
            node = after
    for i in range(n):
        lon[i] += np.random.normal(0, 3.0) / 98_000
        lat[i] += np.random.normal(0, 3.0) / 111_000
    keep = n
    while keep > 0 and time[keep - 1] >= 86_400_000_000:
        keep -= 1
    return time[:keep].copy(), lon[:keep].copy(), lat[:keep].copy(), speed[:keep].copy(), course[:keep].copy()


@dataclass(frozen=True, eq=False)
class Fleet:
    """Devices that know their ways: for each of some hubs the edge that leads to it from each node."""

    devices: int
    arrays: tuple[Any, ...]

    @classmethod
    def on(cls, roads: Path, devices: int) -> "Fleet":
        """Put a fleet on a road network."""
        network = RoadNetwork.load(roads)
        rng = np.random.default_rng(7)
        length, speed = np.asarray(network.length_m), np.asarray(network.speed_mps, np.float64)
        seconds = np.maximum(length, 1.0) / np.maximum(speed, 1.0)
        start, end = np.asarray(network.from_node), np.asarray(network.to_node)
        drivable = np.flatnonzero(np.asarray(network.road_class) <= 6)
        nodes = len(network.node_x)
        # Backwards from the hubs: the predecessor of a node is where its way to the hub goes on.
        order = drivable[np.argsort(-seconds[drivable])]
        fastest: dict[tuple[int, int], int] = {(int(start[e]), int(end[e])): int(e) for e in order.tolist()}
        edges = np.fromiter(fastest.values(), np.int64)
        back = csr_matrix((seconds[edges], (end[edges], start[edges])), shape=(nodes, nodes))
        whole = np.flatnonzero(np.isfinite(dijkstra(back, indices=end[edges[0]])))
        hub_node = rng.choice(whole, HUBS, replace=False).astype(np.int64)
        _, before = dijkstra(back, indices=hub_node, return_predecessors=True)
        onward = np.full((HUBS, nodes), -1, np.int32)
        number = fastest
        for hub in range(HUBS):
            for node in np.flatnonzero(before[hub] >= 0).tolist():
                onward[hub, node] = number[node, int(before[hub, node])]
        lon, lat = network.plane.inverse(np.asarray(network.node_x), np.asarray(network.node_y))
        return cls(devices, (hub_node, onward, end.astype(np.int64), seconds, lon, lat))

    @property
    def names(self) -> NDArray[np.object_]:
        """Ids of the devices."""
        return np.array([f"car-{n:05d}" for n in range(self.devices)], object)

    def day(self, number: int) -> Iterator[FixColumns]:
        """Yield a day's fixes in the order they arrive, 5,000 at once."""
        rng = np.random.default_rng(number)
        parts = [_day(n, number, *self.arrays) for n in range(self.devices)]
        count = [len(part[0]) for part in parts]
        device = np.repeat(np.arange(self.devices, dtype=np.int32), count)
        time, lon, lat, speed, course = (np.concatenate(column) for column in zip(*parts, strict=True))
        del parts
        received = time + rng.integers(150_000, 900_000, len(time))
        order = np.argsort(received)
        names = self.names
        base = (FIRST_DAY + number) * DAY_US
        for i in range(0, len(order), 5_000):
            at = order[i : i + 5_000]
            n = len(at)
            yield FixColumns(
                device=names[device[at]],
                time=time[at] + base,
                lon=lon[at].round(7),
                lat=lat[at].round(7),
                alt_m=rng.normal(60, 3, n).round(1).astype(np.float32),
                speed_mps=speed[at].round(1),
                course_deg=course[at].round(1),
                accuracy_m=rng.uniform(1.5, 4, n).round(1).astype(np.float32),
                quality=np.ones(n, np.uint8),
                satellites=rng.integers(18, 34, n).astype(np.uint8),
                beidou_satellites=rng.integers(8, 18, n).astype(np.uint8),
                cell=np.zeros(n, np.uint64),
                source=np.full(n, "nmea0183:tcp:7001", object),
                received=received[at] + base,
            )
