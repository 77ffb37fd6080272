"""The 3-hour job of the city this is modelled on: from what was seen of a thief to a track drawn on a map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from shapely import LineString, STRtree, points

from geo_policing.maps import render, search_map
from geo_policing.model import BoundingBox, TimeWindow, format_instant
from geo_policing.roads import RoadNetwork
from geo_policing.service.searches import Asker, ask
from geo_policing.service.tracks import Tracks
from geo_policing.store import FixStore, open_records
from geo_policing.tracks.inquiry import SEARCHES

ZONE = "Asia/Shanghai"
SIGHTINGS, HOURS = 6, 3
#: A camera's place is so uncertain, metres, and its clock and the receiver's differ by so many seconds.
CAMERA_M, CLOCK_S = 20.0, 2.0
#: How probable it is that they are of the thief; the third is not.
PROBABILITY = (0.95, 0.9, 0.5, 0.9, 0.8, 0.95)
BOUNDS = BoundingBox(113.0, 27.7, 113.27, 27.96)


class ThreeHourJob:
    """Asks as a detective does: six sightings over three hours, ranked suspects, the first one's track.

    Parameters
    ----------
    roads : Path
        The road network.
    folder : Path
        Where the records of the questions are kept.
    names : sequence of str
        Devices, one of which is the thief's.
    start_us : int
        When the three hours begin, microseconds of UTC.
    """

    def __init__(self, roads: Path, folder: Path, names: Sequence[str], start_us: int) -> None:
        self._roads, self._folder, self._names = roads, folder, names
        self._start_us = start_us
        self._known: dict[int, tuple[str, dict[str, Any]]] = {}
        self._of: dict[Path, tuple[FixStore, Tracks]] = {}
        self._lines: STRtree | None = None

    def seen(self, store: FixStore, n: int) -> tuple[str, dict[str, Any]]:
        """Return the n-th thief and what was seen of him, made once: who drove about in these hours."""
        if n not in self._known:
            self._known[n] = self._made(store, n)
        return self._known[n]

    def _made(self, store: FixStore, n: int) -> tuple[str, dict[str, Any]]:
        rng = np.random.default_rng(n)
        window = TimeWindow.parse(
            f"{format_instant(self._start_us)}/{format_instant(self._start_us + HOURS * 3_600_000_000)}"
        )
        for name in (self._names[k] for k in rng.permutation(len(self._names))):
            fixes = store.window(str(name), window)
            # A camera hangs over a road: of the fixes, some lie on a straight line between two of its bends.
            driving = np.flatnonzero(fixes.speed_mps > 3.0)
            driving = driving[self._off_m(fixes.lon[driving], fixes.lat[driving]) < CAMERA_M]
            if len(driving) < 300 or fixes.time[driving[-1]] - fixes.time[driving[0]] < 2 * 3_600_000_000:
                continue
            rows = driving[np.linspace(0, len(driving) - 1, SIGHTINGS).astype(int)]
            features = []
            for k, (row, probability) in enumerate(zip(rows, PROBABILITY, strict=True)):
                off = rng.normal(0.0, CAMERA_M / 111_320, 2)
                at = rows[-1] if k == 2 else row  # the false one is where the thief is two hours later
                lon, lat = fixes.lon[at] + off[0], fixes.lat[at] + off[1]
                at_us = int(fixes.time[row] + rng.normal(0.0, CLOCK_S) * 1e6)
                about = {"time": format_instant(at_us), "accuracy_m": CAMERA_M, "probability": probability}
                place = {"type": "Point", "coordinates": [float(lon), float(lat)]}
                features.append({"type": "Feature", "geometry": place, "properties": about})
            return str(name), {"type": "FeatureCollection", "features": features}
        raise ValueError("nobody drove about for two of the three hours; give more rows")

    def _off_m(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far from the nearest road some places (k,) are, metres."""
        if self._lines is None:
            self._network = RoadNetwork.load(self._roads)
            drawn = [LineString(self._network.vertices(edge)) for edge in range(self._network.n_edges)]
            self._lines = STRtree(drawn)
        places = points(np.column_stack(self._network.plane.forward(lon, lat)))
        (_, _), off_m = self._lines.query_nearest(places, return_distance=True, all_matches=False)
        return np.asarray(off_m)

    def rank(self, store: FixStore, n: int) -> int:
        """Ask, draw the map, and return the rank of the true one, 0 where it is not among the candidates."""
        name, sightings = self.seen(store, n)
        question = SEARCHES["suspects"].question.model_validate({"sightings": sightings, "mode": "car"})
        asker = Asker("B20260302001", "benchmark", "benchmark", "command line", "", "benchmark")
        with open_records(self._folder) as records:
            tracks = self._tracks(store, records)
            answer = ask(store, records, tracks, ZoneInfo(ZONE), "suspects", question, asker)
        render(search_map(answer, tiles_url=None, bounds=BOUNDS, time_zone=ZONE), None)
        if not any(feature["properties"]["what"] == "track" for feature in answer["features"]):
            raise ValueError("no track was drawn")
        return next((r["rank"] for r in answer["results"] if r["device"] == name), 0)

    def _tracks(self, store: FixStore, records: Any) -> Tracks:
        """Return the roads as a service that has been asked before holds them."""
        known = self._of.get(store.folder)
        if known is None or known[0] is not store:
            known = self._of[store.folder] = (store, Tracks(store, records, self._roads))
        return known[1]
