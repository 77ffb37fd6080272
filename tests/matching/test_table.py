"""Fixes of many devices in a table to a row an edge."""

import numpy as np
import pyarrow as pa
import pytest

from geo_policing.matching import Matcher
from geo_policing.matching.table import DRIVEN, match_table
from geo_policing.model import Fix, FixColumns
from tests.matching.city import drive, grid

ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"]
START_US = 1_772_352_000_000_000


def table(*devices):
    """Fixes of devices that drive one after the other, as Arrow has them."""
    lon, lat = drive(grid(), ROUTE, noise_m=4.0)
    places = list(zip(lon.tolist(), lat.tolist(), strict=True))
    return FixColumns.from_fixes(
        Fix(device, START_US + 4_000_000 * i + 1000 * len(device), x, y)
        for device in devices
        for i, (x, y) in enumerate(places)
    ).to_arrow()


def test_a_row_is_an_edge_with_its_time_and_how_sure_it_is():
    matcher = Matcher(grid())
    fixes = table("a", "b-2")
    found = match_table(matcher, fixes)
    assert found.edges.schema == DRIVEN
    assert (found.refused, found.unmatched) == ({}, ())
    assert found.edges.column("edge").to_pylist() == ROUTE * 2
    assert found.edges.column("device").to_pylist() == ["a"] * 6 + ["b-2"] * 6
    first = fixes.slice(0, len(fixes) // 2)
    lon, lat = first.column("lon").to_numpy(), first.column("lat").to_numpy()
    (piece,) = matcher.match(np.arange(len(lon)) * 4.0, lon, lat, weigh_edges=True).pieces
    entered = found.edges.column("enter_us").to_numpy()
    assert entered[:6].tolist() == (START_US + 1000 + np.rint(piece.enter_s * 1e6)).tolist()
    assert (entered[6:] - entered[:6]).tolist() == [2000] * 6  # each has times of its own
    assert found.edges.column("confidence").to_numpy()[:6] == pytest.approx(piece.confidence_of_edges)


def test_no_fixes_are_no_edges():
    found = match_table(Matcher(grid()), table("a").slice(0, 0))
    assert (len(found.edges), found.refused, found.unmatched) == (0, {}, ())


class Faulty(Matcher):
    """A matcher with a fault that fixes far east bring out."""

    def match(self, t_s, lon, lat, **more):
        if np.max(lon) > 114.0:
            raise ZeroDivisionError("division by zero")
        return super().match(t_s, lon, lat, **more)


def test_neither_bad_fixes_nor_a_fault_of_ours_cost_the_other_devices_theirs():
    fixes = table("a", "b", "c", "d")
    n = len(fixes) // 4
    lon, lat = fixes.column("lon").to_numpy().copy(), fixes.column("lat").to_numpy().copy()
    lon[n : 2 * n] += 1.0
    lat[2 * n + 1] = np.inf
    for name, values in (("lon", lon), ("lat", lat)):
        fixes = fixes.set_column(fixes.column_names.index(name), fixes.schema.field(name), pa.array(values))
    found = match_table(Faulty(grid()), fixes)
    assert found.edges.column("device").unique().to_pylist() == ["a", "d"]
    assert found.refused == {
        "b": "ZeroDivisionError: division by zero",
        "c": "fix 1: lat is inf; leave that fix out",
    }
    assert match_table(Matcher(grid()), fixes).unmatched == ("b",)
