"""What a trace was matched to: pieces of path, observed or inferred."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads import RoadNetwork

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A stretch of path without break.

    Parameters
    ----------
    edges : (e,) int32
        Edges in order of travel; one driven twice is there twice.
    start_m, end_m : float
        Where on the first edge it starts and on the last it ends.
    enter_s : (e,) float64
        When each edge was entered, in the time of the fixes; of the first one, when the piece starts.
    inferred : bool
        Whether it is the likeliest route across a gap, with no fix on it.
    confidence : float
        Observed: mean posterior probability of the positions chosen on it. Inferred: expected share of it
        that was really travelled. 0 to 1.
    confidence_of_edges : (e,) float64
        Observed: probability that each edge was driven here, calibrated on real drives (docs/matching.md).
        Inferred: the confidence of the piece. 0 to 1; NaN if it was not asked for.
    turned_back : bool
        Whether it begins by turning back within an edge.
    """

    edges: NDArray[np.int32]
    start_m: float
    end_m: float
    enter_s: Array
    inferred: bool
    confidence: float
    confidence_of_edges: Array
    turned_back: bool = False

    def drawn(self, network: RoadNetwork) -> tuple[Array, Array]:
        """lon, lat (m,) in degrees from where it starts to where it ends; m >= 2, equal for a point."""
        first, last = int(self.edges[0]), int(self.edges[-1])
        xy = np.concatenate([network.vertices(e) for e in self.edges.tolist()])
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        # Lengths of the source may differ from those of the drawing.
        start = self.start_m * _drawn_share(network, first)
        end = along[-1] - (network.length_m[last] - self.end_m) * _drawn_share(network, last)
        end = max(start, end)
        at = np.concatenate([[start], along[(along > start) & (along < end)], [end]])
        keep = np.concatenate([[True], np.diff(at) > 0.0])
        at = at[keep] if keep.sum() > 1 else at[[0, -1]]
        return network.plane.inverse(np.interp(at, along, xy[:, 0]), np.interp(at, along, xy[:, 1]))


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What a trace of n fixes was matched to.

    Parameters
    ----------
    edge : (n,) int32
        Edge of each fix; -1 for one that was taken for an outlier, told nothing new, or has no road near.
    offset_m : (n,) float64
        How far along that edge, metres.
    time : (n,) float64
        Of each fix, seconds, as it was given.
    confidence : (n,) float64
        Posterior probability of the place of each fix given all of them, by adding up all sequences forward
        and backward (L. R. Rabiner, 1989); NaN of one without a place.
    inferred : (n,) bool
        Whether the fix has no place and the path at its time is inferred.
    pieces : tuple of Piece
        The path in order of travel; empty if no fix is near a road. A piece starts where the one before it
        ends, on the same edge, which both name, or turns back there, on the other direction of that edge;
        where no road leads across it starts elsewhere.
    """

    edge: NDArray[np.int32]
    offset_m: Array
    time: Array
    confidence: Array
    inferred: NDArray[np.bool_]
    pieces: tuple[Piece, ...]

    def paths(self) -> tuple[NDArray[np.int32], ...]:
        """Edges of each connected stretch, those where pieces touch named once; one unless roads break."""
        stretches: list[list[int]] = []
        before: Piece | None = None
        for piece in self.pieces:
            if before is not None and piece.edges[0] == before.edges[-1] and piece.start_m == before.end_m:
                stretches[-1].extend(piece.edges[1:].tolist())
            elif piece.turned_back:
                stretches[-1].extend(piece.edges.tolist())
            else:
                stretches.append(piece.edges.tolist())
            before = piece
        return tuple(np.array(edges, np.int32) for edges in stretches)

    def to_geodataframe(self, network: RoadNetwork) -> "GeoDataFrame":
        """Return the pieces on a map.

        Parameters
        ----------
        network : RoadNetwork
            The one that was matched to.

        Returns
        -------
        GeoDataFrame
            EPSG:4326, a LineString a piece in order of travel; columns ``edges`` (ids of the source, in order
            of travel), ``start_m``, ``end_m`` (on the first and the last of them), ``enter_s`` and
            ``confidence_of_edges`` (one of each for each edge), ``inferred``, ``confidence``,
            ``turned_back``. Without rows if nothing was matched.
        """
        # It takes a second to load, which who only matches should not wait for.
        import geopandas as gpd
        from shapely import linestrings

        columns: dict[str, list[object]] = {
            "edges": [[network.edge_ids[e] for e in piece.edges.tolist()] for piece in self.pieces],
            "start_m": [piece.start_m for piece in self.pieces],
            "end_m": [piece.end_m for piece in self.pieces],
            "enter_s": [piece.enter_s.tolist() for piece in self.pieces],
            "confidence_of_edges": [piece.confidence_of_edges.tolist() for piece in self.pieces],
            "inferred": [piece.inferred for piece in self.pieces],
            "confidence": [piece.confidence for piece in self.pieces],
            "turned_back": [piece.turned_back for piece in self.pieces],
        }
        lines = [linestrings(*piece.drawn(network)) for piece in self.pieces]
        return gpd.GeoDataFrame(columns, geometry=lines, crs="EPSG:4326")


def _drawn_share(network: RoadNetwork, edge: int) -> float:
    """Drawn length of an edge for each metre of its length_m."""
    length = float(network.length_m[edge])
    drawn = float(np.hypot(*np.diff(network.vertices(edge), axis=0).T).sum())
    return drawn / length if length > 0.0 else 0.0
