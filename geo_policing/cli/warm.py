"""``geo-policing warm-up``: compile the kernels ahead of time; what `make setup` ends with."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from geo_policing.model import FixColumns, TimeWindow
    from geo_policing.roads import RoadNetwork


def warm_up() -> None:
    """Compile every kernel that the service and the commands use, and cache the machine code.

    What is cached is found by every later process of the same user, until numba, the kernel or the machine
    changes.
    """
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor

    from geo_policing.geodesy import LocalPlane, cells
    from geo_policing.geodesy.crs import to_wgs84

    began = time.perf_counter()
    # What the parts have in common first, so that none of them compiles it again.
    network, fixes, window = _town(), _drive(), _ever()
    cells(fixes.lon, fixes.lat)
    plane = LocalPlane.gauss_kruger_114()
    plane.inverse(*plane.forward(fixes.lon, fixes.lat))
    for crs in ("gcj02", "bd09"):
        to_wgs84(fixes.lon, fixes.lat, crs)
    # Only one thread of a process compiles at a time.
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 3), start) as pool:
        parts = [
            pool.submit(_match, network, fixes, window),
            pool.submit(_reconstruct, network),
            pool.submit(_search, network, fixes, window),
        ]
        for part in parts:
            part.result()
    print(f"kernels compiled and cached in {time.perf_counter() - began:.1f} s")


def _town() -> "RoadNetwork":
    """Return a road of three edges."""
    import numpy as np

    from geo_policing.roads import RoadNetwork

    lon, lat = np.linspace(113.13, 113.133, 4, dtype=np.float64), np.full(4, 27.83)
    nodes = np.arange(4, dtype=np.int32)
    return RoadNetwork.build(
        node_lon=lon,
        node_lat=lat,
        edge_id=["a", "b", "c"],
        from_node=nodes[:3],
        to_node=nodes[1:],
        geometry_lonlat=[np.column_stack([lon[i : i + 2], lat[i : i + 2]]) for i in range(3)],
        forbidden_turn=np.empty((0, 2), np.int32),
    )


def _drive() -> "FixColumns":
    """Return fixes with an outlier and a gap, so that the ways around them are compiled as well."""
    from geo_policing.model import Fix, FixColumns

    seconds = [0, 5, 10, 15, 20, 600]
    at = [113.1301, 113.1304, 113.2, 113.1311, 113.1316, 113.1329]
    return FixColumns.from_fixes(
        Fix("warm", s * 1_000_000, x, 27.83) for s, x in zip(seconds, at, strict=True)
    )


def _ever() -> "TimeWindow":
    from geo_policing.model import TimeWindow, from_us

    return TimeWindow(from_us(0), from_us(10**9))


def _match(network: "RoadNetwork", fixes: "FixColumns", window: "TimeWindow") -> None:
    """Match fixes in batch and online."""
    from geo_policing.matching import Matcher, OnlineMatcher, match_track

    matcher = Matcher(network)
    match_track(matcher, "warm", window, fixes)
    online = OnlineMatcher(matcher, 1)
    online.feed([0] * len(fixes), fixes.time / 1e6, fixes.lon, fixes.lat)
    online.now([0])
    online.finish([0])


def _reconstruct(network: "RoadNetwork") -> None:
    """Ask for half an hour, doubtful in the middle, and what is around it: both gears are used."""
    from geo_policing.model import Sighting, TimeWindow, Watch, from_us
    from geo_policing.tracks import MovementModel, answer, mixture, reconstruct

    def at(seconds: int) -> "datetime":
        return from_us(seconds * 1_000_000)

    seen = [
        Sighting(at(seconds), lon, 27.83, probability=probability)
        for seconds, lon, probability in ((0, 113.1301, 1.0), (900, 113.1304, 0.5), (1800, 113.1316, 1.0))
    ]
    model, watch = MovementModel.of(), Watch(at(300), at(400), 113.1325, 27.83)
    window = TimeWindow(at(-600), at(2400))
    found = reconstruct(network, seen, model, window, watches=[watch], samples=20)
    answer.features_of(found, model)
    still = [Sighting(at(seconds), 113.1301, 27.83) for seconds in (0, 60)]
    mixture(network, still, [MovementModel.of("foot")], samples=0)


def _search(network: "RoadNetwork", fixes: "FixColumns", window: "TimeWindow") -> None:
    """Seal fixes and search through them, and hold a sighting against the roads."""
    import tempfile
    from datetime import UTC
    from pathlib import Path

    from geo_policing.model import Sighting, from_us
    from geo_policing.roads.times import RoadTimes
    from geo_policing.store import FixStore
    from geo_policing.store.history.keeper import Keeper
    from geo_policing.store.history.questions import Questions
    from geo_policing.tracks.searches import (
        Area,
        DrawnPath,
        cloned,
        companions,
        footholds,
        itinerary,
        overlap,
        passages,
        presences,
    )
    from geo_policing.tracks.suspects import Suspects

    with tempfile.TemporaryDirectory() as folder, FixStore(Path(folder) / "fixes.duckdb") as store:
        store.append(fixes)
        Keeper(store).seal(1)
        asked = Questions(store)
        presences(asked, Area.circle(113.1305, 27.83, 50), window)
        passages(asked, [(113.1302, 27.8), (113.1302, 27.9)], window)
        companions(asked, "warm", window)
        footholds(asked, "warm", window, UTC)
        itinerary(asked, "warm", window)
        overlap(asked, DrawnPath.of_device(asked, "warm", window), window)
        roads = RoadTimes(network)
        cloned(asked, roads, ["warm"], window)
        roads.arrivals_s((113.1304, 27.83), 30.0)
    Suspects(network, [Sighting(from_us(0), 113.1304, 27.83)])
