import numpy as np
import pandas as pd
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.matching import Matcher, match
from geo_policing.model import Fix, FixColumns
from geo_policing.roads import Access
from tests.matching.city import LAT, LON, STEP, drive, grid

ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13"]
NOON_S = 1_790_000_000


def columns(network, seed=1):
    lon, lat = drive(network, ROUTE, noise_m=5.0, seed=seed)
    return {"t": NOON_S + np.arange(len(lon)) * 4.0, "lon": lon, "lat": lat}


def fixes_of(given):
    rows = zip(*(given[name] for name in ("t", "lon", "lat")), strict=True)
    return FixColumns.from_fixes(
        Fix(device="p1", time=int(t * 1_000_000), lon=float(lon), lat=float(lat)) for t, lon, lat in rows
    )


@pytest.mark.parametrize("kind", [dict, pd.DataFrame, fixes_of])
def test_whatever_holds_the_fixes_they_are_matched_alike(kind):
    network = grid()
    given = columns(network)
    found = match(network, kind(given))
    alone = Matcher(network).match(given["t"], given["lon"], given["lat"])
    assert [[network.edge_ids[e] for e in path] for path in found.paths()] == [ROUTE]
    assert found.edge.tolist() == alone.edge.tolist()
    assert found.time.tolist() == given["t"].tolist()
    assert found.pieces[0].enter_s == pytest.approx(alone.pieces[0].enter_s)


def test_columns_that_may_be_there_are_used_and_others_are_not_looked_at():
    network = grid()
    given = {"t": [0], "lon": [LON + STEP / 2], "lat": [LAT], "speed_mps": [9.0], "course_deg": [265.0]}
    found = match(network, given | {"driver": ["no number"]})
    assert network.edge_ids[found.edge[0]] == "1>0"


def test_who_travels_is_on_the_roads_that_he_may_use():
    network = grid(footways={"0>1", "1>0"})
    given = {"t": [0], "lon": [LON + STEP / 2], "lat": [LAT]}
    assert network.edge_ids[match(network, given).edge[0]] in ("0>1", "1>0")
    found = match(network, given, access=Access.CAR)
    assert network.edge_ids[found.edge[0]] not in ("0>1", "1>0")


def test_a_column_that_is_missing_is_named():
    with pytest.raises(InvalidInput, match="no column lat") as raised:
        match(grid(), {"t": [0], "lon": [LON]})
    assert raised.value.field == "lat"


def test_each_fix_has_its_time_how_sure_its_place_is_and_whether_its_path_is_inferred():
    network = grid(12)
    lon1, lat1 = drive(network, ["0>1", "1>2"])
    lon2, lat2 = drive(network, ["140>141", "141>142"])
    away = np.full(3, LON - 10 * STEP), np.full(3, LAT - 10 * STEP)
    lon, lat = np.concatenate([lon1, away[0], lon2]), np.concatenate([lat1, away[1], lat2])
    found = match(network, {"t": np.arange(len(lon)) * 4.0, "lon": lon, "lat": lat})
    lost = np.arange(len(lon1), len(lon1) + 3)
    assert np.flatnonzero(found.inferred).tolist() == lost.tolist()
    assert (found.edge[lost] == -1).all()
    assert (np.isnan(found.confidence) == (found.edge < 0)).all()
    seen = found.confidence[found.edge >= 0]
    assert (seen > 0.4).all()
    assert (seen <= 1.0).all()


def test_of_two_streets_as_near_each_has_half():
    network = grid()
    found = match(network, {"t": [0], "lon": [LON + STEP / 2], "lat": [LAT]})
    assert found.confidence[0] == pytest.approx(0.5)
    assert found.pieces[0].confidence_of_edges == pytest.approx([0.5])


def test_edges_that_the_fixes_leave_open_are_less_sure_than_those_that_have_them():
    # Round the block by either side: two ways as long, and no fix on them.
    network = grid()
    (lon1, lat1), (lon2, lat2) = drive(network, ["0>1"]), drive(network, ["8>9"])
    lon = np.concatenate([lon1, lon2])
    lat = np.concatenate([lat1, lat2])
    found = match(network, {"t": np.arange(len(lon)) * 30.0, "lon": lon, "lat": lat})
    (piece,) = found.pieces
    sure = dict(zip([network.edge_ids[e] for e in piece.edges], piece.confidence_of_edges, strict=True))
    inner = [name for name in sure if name not in ("0>1", "8>9")]
    assert len(inner) == 2
    assert max(sure[name] for name in inner) < min(sure["0>1"], sure["8>9"])


def test_pieces_become_rows_of_a_map():
    network = grid(12)
    lon1, lat1 = drive(network, ["0>1", "1>2"])
    lon2, lat2 = drive(network, ["140>141", "141>142"])
    lon, lat = np.concatenate([lon1, lon2]), np.concatenate([lat1, lat2])
    found = match(network, {"t": np.arange(len(lon)) * 4.0, "lon": lon, "lat": lat})
    frame = found.to_geodataframe(network)
    assert frame.crs.to_epsg() == 4326
    assert frame["inferred"].tolist() == [False, True, False]
    assert frame["edges"][0] == ["0>1", "1>2"]
    for row, piece in zip(frame.itertuples(), found.pieces, strict=True):
        drawn = np.array(row.geometry.coords).T
        assert drawn == pytest.approx(np.array(piece.drawn(network)))
        assert row.enter_s == piece.enter_s.tolist()
        assert row.confidence_of_edges == piece.confidence_of_edges.tolist()
        assert len(row.edges) == len(row.enter_s) == len(row.confidence_of_edges)


def test_what_was_matched_to_nothing_is_an_empty_map():
    network = grid()
    frame = match(network, {"t": [], "lon": [], "lat": []}).to_geodataframe(network)
    assert len(frame) == 0
    assert frame.crs.to_epsg() == 4326
