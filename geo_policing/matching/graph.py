"""The roads as one kind of traveller may use them."""

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.kernels import edge_grid, node_tables, turning
from geo_policing.kernels.way_search import Ways, out_slots
from geo_policing.matching.kept_table import KeptTable, key_of
from geo_policing.matching.packed import pack
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.roads import Access, RoadNetwork

#: What has no speed is this slow, so that every edge takes a finite time.
SLOWEST_MPS = 0.5
#: Metres that turning costs are seconds at this speed.
TURNING_MPS = 10.0
#: A road goes straight on where it bends by less.
STRAIGHT = math.radians(40.0)
#: Nodes that a row of the table holds: in a city those within 2 km or so.
ROW = 600
#: Side of the cells in which edges are looked for.
CELL_M = 50.0
#: Length at which a road followed straight on is neither better nor worse than its length says, and how
#: much better or worse it can be.
THROUGH_M, THROUGH_BEST, THROUGH_WORST = 1000.0, 0.6, 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network with the edges that may follow each other.

    Parameters
    ----------
    network : RoadNetwork
        The roads, m edges.
    ways : Ways
        What driving costs in metres; edges that may not be used leave no node.
    times : Ways
        The same in seconds.
    travel_s : (m,) float64
        Time each edge usually takes.
    table : Table
        Ways between near nodes.
    key : str
        What the table depends on, as a digest.
    grid, shapes : Grid, Shapes
        What finds the usable edges near a place.
    """

    network: RoadNetwork
    ways: Ways
    times: Ways
    travel_s: NDArray[np.float64]
    table: node_tables.Table
    key: str
    grid: edge_grid.Grid
    shapes: edge_grid.Shapes

    @classmethod
    def of(cls, network: RoadNetwork, access: Access | None, parameters: MatcherParameters) -> Self:
        """Take the edges that one of these may use; every edge for None."""
        usable = np.full(network.n_edges, True)
        out_offset, out_edge = network.out_offset, network.out_edge
        if access is not None:
            usable = (network.access & int(access)) != 0
            leaves = np.concatenate([[0], np.cumsum(usable[out_edge])])
            out_offset, out_edge = leaves[out_offset].astype(np.int32), out_edge[usable[out_edge]]
        drawing = _read_only(network.vertex_offset, network.vertex_x, network.vertex_y, network.length_m)
        to_node, length_m, out_offset, out_edge, reverse, forbidden = _read_only(
            *(network.to_node, network.length_m, out_offset, out_edge, network.reverse),
            network.forbidden_turn,
        )
        start, end = turning.end_headings(*drawing[:3])
        through = turning.through_lengths(
            to_node, length_m, out_offset, out_edge, reverse, start, end, STRAIGHT
        )
        feels = np.maximum(through / THROUGH_M, 1e-3) ** -parameters.through_share
        feels = np.clip(feels, THROUGH_BEST, THROUGH_WORST)
        turns, turn_cost = turning.turn_costs(
            *(to_node, out_offset, out_edge, reverse, forbidden, start, end),
            *(parameters.right_angle_m, parameters.crossing_m, parameters.u_turn_m),
        )
        travel_s = length_m / np.maximum(network.speed_mps, SLOWEST_MPS)
        from_node = network.from_node
        ways = Ways(
            *_read_only(from_node, to_node, length_m, length_m * feels, out_offset, out_edge, reverse),
            *_read_only(turns, turn_cost, out_slots(network.n_edges, out_offset, out_edge)),
        )
        rank = node_tables.morton_ranks(network.node_x, network.node_y)
        key = key_of(ways, rank, ROW)
        kept = None if network.path is None else KeptTable.beside(network.path, access, key)
        table = None if kept is None else kept.read()
        if table is None:
            table = node_tables.build(ways, rank, ROW)
            # Mapped again, so that those who open it later share the memory of the one who made it.
            table = table if kept is None else kept.write(table) or table
        shapes = edge_grid.Shapes(
            *_read_only(*drawing[:3], edge_grid.along(*drawing), length_m, reverse, usable)
        )
        grid = edge_grid.build(shapes, CELL_M)
        costs = travel_s, travel_s * feels, turn_cost / TURNING_MPS
        packed = iter(pack([*ways, *table, *shapes, grid.offset, grid.segment, *costs]))
        ways, table = Ways(*islice(packed, len(ways))), node_tables.Table(*islice(packed, len(table)))
        shapes = edge_grid.Shapes(*islice(packed, len(shapes)))
        grid = grid._replace(offset=next(packed), segment=next(packed), edge_m=shapes.length_m)
        travel_s, cost_s, turn_s = packed
        times = ways._replace(cost_m=cost_s, turn_cost=turn_s)
        return cls(network, ways, times, travel_s, table, key, grid, shapes)


def _read_only(*arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """View arrays as if mapped from a file: a kernel is compiled for each kind that it meets."""
    views = tuple(array.view() for array in arrays)
    for view in views:
        view.flags.writeable = False
    return views
