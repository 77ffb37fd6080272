"""A path: drawn, along edges, or where a device went; with times or without."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import shapely
from numpy.typing import NDArray

from geo_policing.errors import InvalidGeometry, InvalidInput
from geo_policing.geodesy import LocalPlane
from geo_policing.kernels.cell_visits import distance_m, joined
from geo_policing.model import TimeWindow
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.searches.history import History

Array = NDArray[np.float64]

#: Pieces are at most so long.
PIECE_M = 10.0
MOST_M = 200_000.0


class Pieces(NamedTuple):
    """p pieces of a path: middles x, y and unit headings in the plane, length_m, lon, lat and us (p,).

    ``us`` is (0,) where the path has no times; ``part`` says of which part of the path each is.
    """

    plane: LocalPlane
    x: Array
    y: Array
    heading_x: Array
    heading_y: Array
    length_m: Array
    lon: Array
    lat: Array
    us: NDArray[np.int64]
    part: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class DrawnPath:
    """A path of one or more parts, straight between its places in longitude and latitude.

    Parameters
    ----------
    parts : sequence of (k, 2) float64
        lon, lat of each part, k >= 2, degrees.
    times_us : sequence of (k,) int64, optional
        When each place was passed, microseconds of UTC, not running backward.

    Raises
    ------
    InvalidGeometry
        If there is no part, one has fewer than two places, a place is off the earth or times do not fit.
    """

    parts: Sequence[Array]
    times_us: Sequence[NDArray[np.int64]] | None = None

    def __post_init__(self) -> None:
        """Refuse what is no path."""
        if not self.parts:
            raise InvalidGeometry("a path has at least one part; this one is empty", field="path")
        for part in self.parts:
            if part.ndim != 2 or part.shape[1] != 2 or len(part) < 2:
                raise InvalidGeometry("each part of a path has two or more places lon, lat", field="path")
            if not (np.abs(part[:, 0]) <= 180).all() or not (np.abs(part[:, 1]) <= 90).all():
                raise InvalidGeometry("the path is off the earth; degrees, longitude first", field="path")
        if self.times_us is None:
            return
        if [len(times) for times in self.times_us] != [len(part) for part in self.parts]:
            raise InvalidGeometry("a path with times has one for each place", field="times")
        if any((np.diff(times) < 0).any() for times in self.times_us):
            raise InvalidGeometry("the times of a path run backward; give them in order", field="times")

    @classmethod
    def from_geojson(cls, geometry: dict[str, Any]) -> Self:
        """Make a path of an RFC 7946 LineString or MultiLineString.

        Raises
        ------
        InvalidGeometry
            If it is neither.
        """
        try:
            shape = shapely.geometry.shape(geometry)
        except (shapely.errors.ShapelyError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InvalidGeometry(f"the path is no GeoJSON geometry: {error}", field="path") from None
        if shape.geom_type not in {"LineString", "MultiLineString"}:
            raise InvalidGeometry(
                f"a path is a LineString or MultiLineString, not {shape.geom_type}", field="path"
            )
        parts = [shapely.get_coordinates(part) for part in shapely.get_parts(shape)]
        return cls([part for part in parts if len(part)])

    @classmethod
    def of_edges(cls, network: RoadNetwork, edges: Sequence[int]) -> Self:
        """Make a path along edges in order; where one does not begin where the last ended a part begins."""
        parts: list[list[Array]] = []
        before = -1
        for edge in edges:
            if not 0 <= edge < network.n_edges:
                raise InvalidInput(
                    f"edge {edge} is not in the network; its edges are 0 to {network.n_edges - 1}",
                    field="edges",
                    value=edge,
                )
            at = network.lonlat(edge)
            if before >= 0 and network.to_node[before] == network.from_node[edge]:
                parts[-1].append(at[1:])
            else:
                parts.append([at])
            before = edge
        return cls([np.concatenate(part) for part in parts])

    @classmethod
    def of_device(cls, history: History, device: str, window: TimeWindow) -> Self:
        """Make a path of where a device moved in a window, with its times; unknown ways are left out.

        Raises
        ------
        InvalidGeometry
            If it did not move then.
        """
        moves = history.moves(window.start_us, window.end_us, [device])
        mine = (moves.time >= window.start_us) & (moves.time < window.end_us)
        time, lon, lat = moves.time[mine], moves.lon[mine], moves.lat[mine]
        known = [
            joined(int(time[i + 1] - time[i]), distance_m(lon[i], lat[i], lon[i + 1], lat[i + 1]))
            for i in range(len(time) - 1)
        ]
        cuts = np.flatnonzero(~np.array(known, bool)) + 1
        runs = [run for run in np.split(np.arange(len(time)), cuts) if len(run) > 1]
        if not runs:
            raise InvalidGeometry(f"nothing is known of a way of {device!r} in the window", field="device")
        return cls([np.column_stack([lon[run], lat[run]]) for run in runs], [time[run] for run in runs])

    def lines(self) -> tuple[LocalPlane, list[shapely.LineString]]:
        """Return the parts in metres of a plane around their middle.

        Raises
        ------
        InvalidGeometry
            If they are longer than `MOST_M`.
        """
        plane = LocalPlane.around(*np.concatenate(list(self.parts)).mean(axis=0).tolist())
        lines = [
            shapely.LineString(np.column_stack(plane.forward(part[:, 0], part[:, 1]))) for part in self.parts
        ]
        if not sum(line.length for line in lines) <= MOST_M:
            raise InvalidGeometry(
                f"the path is longer than {MOST_M / 1000:g} km; give a shorter one", field="path"
            )
        return plane, lines

    def pieces(self) -> Pieces:
        """Cut each part into equal pieces of at most `PIECE_M`.

        Raises
        ------
        InvalidGeometry
            If the path has no length, or is longer than `MOST_M`.
        """
        plane, lines = self.lines()
        cut = []
        for number, line in enumerate(lines):
            xy = shapely.get_coordinates(line)
            along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
            if along[-1] == 0.0:
                continue
            count = int(np.ceil(along[-1] / PIECE_M))
            at = (np.arange(count) + 0.5) * (along[-1] / count)
            segment = np.searchsorted(along, at, side="right") - 1
            step = np.diff(xy, axis=0)[segment]
            share = (at - along[segment]) / np.hypot(*step.T)
            times = np.empty(0, np.int64)
            if self.times_us is not None:
                when = np.asarray(self.times_us[number], np.int64)
                times = when[segment] + np.rint(share * np.diff(when)[segment]).astype(np.int64)
            heading = step / np.hypot(*step.T)[:, None]
            middle = xy[segment] + share[:, None] * step
            length = np.full(count, along[-1] / count)
            cut.append((*middle.T, *heading.T, length, times, np.full(count, number, np.int32)))
        if not cut:
            raise InvalidGeometry("the path has no length; give places that differ", field="path")
        x, y, hx, hy, length, times, part_of = (np.concatenate(column) for column in zip(*cut, strict=True))
        lon, lat = plane.inverse(x, y)
        return Pieces(plane, x, y, hx, hy, length, lon, lat, times, part_of)
