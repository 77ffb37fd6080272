"""Where the suspect was at each moment, as GeoJSON: regions, and cells with how probable each is when.

Over hours at a moment a minute the same few thousand cells come again and again, so each is written once with
all its moments, and the outlines of the regions at some moments alone; those of the others are their cells.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import shapely
from h3.api import basic_int as h3

from geo_policing.tracks.mixture import Mixture
from geo_policing.tracks.reconstruction import Occupancy, Reconstruction

Feature = dict[str, Any]
#: Shares of the probability of which the regions are told; cells are those of the largest.
SHARES = (0.5, 0.9)
#: Of so many moments at most, evenly apart, the outlines of the regions are told.
OUTLINED = 25
#: Decimals of a degree, to .1 m: outlines of cells are no place that was measured.
DECIMALS = 6


def moments_of(found: Reconstruction | Mixture, every_s: int) -> list[datetime]:
    """Return the moments of the window, from its start."""
    count = int((found.window.end - found.window.start) / timedelta(seconds=every_s))
    return [found.window.start + timedelta(seconds=every_s * k) for k in range(count + 1)]


def moment_features(
    found: Reconstruction | Mixture,
    every_s: int,
    resolution: int,
    tell: Callable[[], None] = lambda: None,
) -> list[Feature]:
    """Return the regions at each moment, every so many seconds, and each cell of them with its moments.

    Of more than `OUTLINED` moments every so many-th has regions with a geometry, as has the last.
    """
    moments = moments_of(found, every_s)
    every = -(-len(moments) // OUTLINED)
    features: list[Feature] = []
    when, cells, shares = [], [], []
    for k, moment in enumerate(moments):
        tell()
        there = found.occupancy(moment, resolution)
        features += region_features(there, outlined=k % every == 0 or k + 1 == len(moments))
        kept = len(there.region(SHARES[-1]))
        when.append(np.full(kept, k))
        cells.append(there.cell[:kept])
        shares.append(there.probability[:kept].round(DECIMALS))
    tell()
    begin = found.window.start.isoformat()
    cell, share, moment_of = np.concatenate(cells), np.concatenate(shares), np.concatenate(when)
    order = np.argsort(cell, kind="stable")
    outlines = Outlines()
    for mine in np.split(order, np.flatnonzero(np.diff(cell[order])) + 1):
        number, most = int(cell[mine[0]]), mine[share[mine].argmax()]
        about = {
            "what": "cell",
            "cell": h3.int_to_str(number),
            "most": float(share[most]),
            "most_at": moments[moment_of[most]].isoformat(),
            "mean": round(float(share[mine].sum()) / len(moments), DECIMALS),
            "begin": begin,
            "every_s": every_s,
            "moments": moment_of[mine].tolist(),
            "probabilities": share[mine].tolist(),
        }
        features.append({"type": "Feature", "geometry": outlines[number], "properties": about})
    return features


def region_features(there: Occupancy, *, outlined: bool = True) -> list[Feature]:
    """Return the smallest regions that hold 50 and 90 %, with their geometry or null in its place."""
    return [
        {
            "type": "Feature",
            "geometry": _outline(there, share) if outlined else None,
            "properties": {
                "what": "region",
                "time": there.time.isoformat(),
                "share": share,
                "area_km2": round(sum(h3.cell_area(int(c), "km^2") for c in there.region(share)), 4),
            },
        }
        for share in SHARES
    ]


def _outline(there: Occupancy, share: float) -> dict[str, Any]:
    shape = shapely.geometry.shape(there.polygon(share))
    # RFC 7946, 3.1.6: the outer ring runs against the clock.
    return dict(
        shapely.geometry.mapping(
            shapely.transform(shapely.orient_polygons(shape), lambda c: c.round(DECIMALS))
        )
    )


def cell_features(there: Occupancy) -> list[Feature]:
    """Return all cells at one moment, the most probable first."""
    outlines = Outlines()
    return [
        {
            "type": "Feature",
            "geometry": outlines[cell],
            "properties": {
                "what": "cell",
                "time": there.time.isoformat(),
                "cell": h3.int_to_str(cell),
                "probability": round(probability, DECIMALS),
            },
        }
        for cell, probability in zip(there.cell.tolist(), there.probability.tolist(), strict=True)
    ]


def cells_at(features: Iterable[Feature], time: str) -> Occupancy:
    """Read the cells at one of the moments out of features, those of answers of earlier versions as well."""
    moment = datetime.fromisoformat(time)
    found: list[tuple[float, int]] = []
    for feature in features:
        about = feature["properties"]
        if about["what"] != "cell":
            continue
        if "time" in about:
            here = [about["probability"]] if about["time"] == time else []
        else:
            k = (moment - datetime.fromisoformat(about["begin"])) / timedelta(seconds=about["every_s"])
            pairs = zip(about["moments"], about["probabilities"], strict=True)
            here = [probability for at, probability in pairs if at == k]
        found += [(-probability, h3.str_to_int(about["cell"])) for probability in here]
    found.sort()
    cells = np.array([cell for _, cell in found], np.uint64)
    return Occupancy(moment, cells, np.array([-probability for probability, _ in found]))


class Outlines(dict[int, dict[str, Any]]):
    """Polygons of H3 cells, each made once."""

    def __missing__(self, cell: int) -> dict[str, Any]:
        """Make the polygon of a cell and keep it."""
        ring = [[round(lon, DECIMALS), round(lat, DECIMALS)] for lat, lon in h3.cell_to_boundary(cell)]
        self[cell] = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        return self[cell]
