"""What a sighting or a watch weighs on the roads."""

from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.model import Sighting, Watch
from geo_policing.model.sighting import Area
from geo_policing.roads import RoadNetwork, Route
from geo_policing.tracks.lattice import POINT_M, Lattice

Array = NDArray[np.float64]

#: A place fits where the suspect is within this, and twice its accuracy, metres.
NEAR_M = 100.0


def edge_number(network: RoadNetwork, name: str) -> int | None:
    """Index of the edge that a sighting or a watch names; None without a name.

    Raises
    ------
    InvalidInput
        If it is not in the network.
    """
    if not name:
        return None
    at = np.flatnonzero(network.edge_id == name.encode(errors="surrogatepass"))
    if not len(at):
        raise InvalidInput(
            f"edge {name!r} is not in the network; correct it, or leave it out and give lon and lat",
            field="edge",
            value=name,
        )
    return int(at[0])


def edge_place(network: RoadNetwork, name: str) -> tuple[float, float, float]:
    """lon, lat of the middle of an edge, and half of its length in metres, for a camera without a place.

    Raises
    ------
    InvalidInput
        If it is not in the network.
    """
    edge = edge_number(network, name)
    if edge is None:
        raise InvalidInput("no edge; give its id", field="edge")
    half = float(network.length_m[edge]) / 2.0
    lon, lat = Route(np.array([edge], np.int32), 0.0, half, half, 0.0).lonlat(network)[-1]
    return float(lon), float(lat), half


def likelihood(lattice: Lattice, sighting: Sighting) -> Array:
    """How well each bin (b,) agrees with the place of a sighting, on a scale of its own.

    A point weighs exp(-(d / accuracy)^2 / 2) up to six times the accuracy, of which none is better than
    `lattice.FINEST_M`; an area and a cell weigh the share of the bin that lies within; an edge leaves out
    all others.
    """
    edge = edge_number(lattice.network, sighting.edge)
    if sighting.area is not None:
        found = _inside(lattice, sighting.area)
    elif sighting.cell:
        number = int(sighting.cell, 16)
        # The resolution of a cell: four bits of its index (H3, Bit layouts of H3Index modes).
        lon, lat = lattice.network.plane.inverse(lattice.point_x, lattice.point_y)
        found = _mean(lattice, cells(lon, lat, number >> 52 & 0xF) == number)
    else:
        (x,), (y,) = lattice.network.plane.forward(sighting.lon, sighting.lat)
        return lattice.near(x, y, sighting.accuracy_m, edge)
    if edge is not None:
        found[lattice.edge != edge] = 0.0
    return found


def close_by(lattice: Lattice, sighting: Sighting) -> Array:
    """Share (b,) of each bin that fits a sighting: of an area or a cell what is in it, else what is near."""
    if sighting.area is not None or sighting.cell:
        return likelihood(lattice, replace(sighting, edge=""))
    (x,), (y,) = lattice.network.plane.forward(sighting.lon, sighting.lat)
    return lattice.within(x, y, NEAR_M + 2.0 * sighting.accuracy_m)


def watched(lattice: Lattice, watch: Watch) -> tuple[Array, float]:
    """Share (b,) of each bin that is watched, and how long a passage through it is, metres.

    Through an area that is its mean chord, pi times the area by the perimeter (Cauchy).
    """
    edge = edge_number(lattice.network, watch.edge)
    if watch.area is not None:
        share = _inside(lattice, watch.area)
        if edge is not None:
            share[lattice.edge != edge] = 0.0
        plane = _in_plane(lattice, watch.area)
        return share, max(np.pi * plane.area / plane.length, 1.0)
    (x,), (y,) = lattice.network.plane.forward(watch.lon, watch.lat)
    # Less than this may lie between two of the places that are tried along a bin.
    radius_m = max(watch.radius_m, POINT_M)
    share = lattice.within(x, y, radius_m, edge)
    if edge is None:
        return share, 2.0 * radius_m
    # Few bins are seen: threads that share out the whole of it would cost more than they do.
    seen = np.flatnonzero(share)
    return share, max(float((share[seen] * lattice.bin_m[seen]).sum()), 1.0)


def _inside(lattice: Lattice, area: Area) -> Array:
    return _mean(lattice, shapely.contains_xy(_in_plane(lattice, area), lattice.point_x, lattice.point_y))


def _in_plane(lattice: Lattice, area: Area) -> Any:
    def forward(lonlat: Array) -> Array:
        return np.column_stack(lattice.network.plane.forward(lonlat[:, 0], lonlat[:, 1]))

    return shapely.transform(area, forward)


def _mean(lattice: Lattice, inside: NDArray[np.bool_]) -> Array:
    n = len(lattice)
    return np.bincount(lattice.point_bin, inside, n) / np.bincount(lattice.point_bin, minlength=n)
