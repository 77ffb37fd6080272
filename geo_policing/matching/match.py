"""What a trace was matched to: pieces of path, observed or inferred."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo_policing.roads import RoadNetwork

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
    """

    edges: NDArray[np.int32]
    start_m: float
    end_m: float
    enter_s: Array
    inferred: bool
    confidence: float
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
        Edge of each fix; -1 for one that was taken for an outlier, or told nothing new.
    offset_m : (n,) float64
        How far along that edge.
    pieces : tuple of Piece
        The path in order of travel; empty if no fix is near a road. A piece starts where the one before it
        ends, on the same edge, which both name, or turns back there, on the other direction of that edge;
        where no road leads across it starts elsewhere.
    """

    edge: NDArray[np.int32]
    offset_m: Array
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


def _drawn_share(network: RoadNetwork, edge: int) -> float:
    """Drawn length of an edge for each metre of its length_m."""
    length = float(network.length_m[edge])
    drawn = float(np.hypot(*np.diff(network.vertices(edge), axis=0).T).sum())
    return drawn / length if length > 0.0 else 0.0
