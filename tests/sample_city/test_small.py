"""The piece of the city that is committed, and its morning."""

import csv
from pathlib import Path

import numpy as np
import pytest
import shapely
from geo_policing_sample_city.clip import CUT, WHOLE, clip_city
from geo_policing_sample_city.small import OLD_CENTRE, make_small
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo_policing.ingest.incident_files import read_incidents
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.model import DeviceKind
from geo_policing.roads.gis import read_gis

SMALL = Path(__file__).parents[2] / "sample_data" / "small"
LIFE = ("fleet.nmea", "devices.csv", "truth.csv", "incidents.csv", "theft.json", "theft_truth.csv")


def rows(name):
    with (SMALL / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def centre(city):
    return clip_city(city, OLD_CENTRE)


@pytest.fixture(scope="module")
def roads():
    return read_gis(SMALL / "old-centre.gpkg", layer="roads", min_piece_nodes=0)


def test_a_clip_holds_whole_roads_that_are_all_reached_from_each_other(centre, city):
    network = centre.network
    assert network.n_edges > 1500
    ends = (network.from_node, network.to_node)
    graph = coo_array((np.ones(network.n_edges), ends), shape=(network.n_nodes, network.n_nodes))
    assert connected_components(graph, connection="strong")[0] == 1
    number = {name: e for e, name in enumerate(city.network.edge_ids)}
    for e in range(0, network.n_edges, 50):
        whole = number[network.edge_ids[e]]
        assert network.vertices(e) == pytest.approx(city.network.vertices(whole), abs=1e-6)
        assert network.name_of(e) == city.network.name_of(whole)


def test_turns_that_are_forbidden_in_the_city_are_so_in_its_clip(centre, city):
    def named(network):
        return {(network.edge_ids[a], network.edge_ids[b]) for a, b in network.forbidden_turn.tolist()}

    kept = set(centre.network.edge_ids)
    assert named(centre.network) == {pair for pair in named(city.network) if kept.issuperset(pair)}
    assert len(centre.network.forbidden_turn) > 100


def test_what_is_clipped_lies_in_the_box_and_cameras_on_roads_of_it(centre):
    box = shapely.box(OLD_CENTRE.west, OLD_CENTRE.south, OLD_CENTRE.east, OLD_CENTRE.north)
    for name in (*CUT, "places", "cameras"):
        assert shapely.covers(box.buffer(1e-9), getattr(centre, name).geometry.to_numpy()).all(), name
    for name in (*CUT, *WHOLE, "cameras"):
        assert len(getattr(centre, name)) > 0, name
    assert set(centre.cameras["edge_id"]) <= set(centre.network.edge_ids)
    assert (centre.network.flags > 0).any()


def test_the_committed_files_are_what_the_command_writes(city, tmp_path):
    make_small(city, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in SMALL.iterdir()}
    for file in sorted(tmp_path.iterdir()):
        assert file.read_bytes() == (SMALL / file.name).read_bytes(), file.name


def test_the_small_files_stay_small():
    assert sum(file.stat().st_size for file in SMALL.iterdir()) < 5e6
    assert sum((SMALL / name).stat().st_size for name in LIFE) < 1.5e6


def test_the_folder_says_what_each_file_is():
    text = (SMALL / "README.txt").read_text(encoding="utf-8")
    for file in SMALL.iterdir():
        assert file.name == "README.txt" or f"\n{file.name} " in text


def test_the_roads_import_without_a_repair(roads, centre):
    network, report = roads
    assert network.edge_ids == centre.network.edge_ids
    assert report.repeated_ids == 0


def test_ten_devices_of_all_kinds_speak_and_their_true_paths_are_of_the_roads(roads):
    kinds = {row["id"]: row["kind"] for row in rows("devices.csv")}
    assert len(kinds) == 10
    assert set(kinds.values()) == {kind.value for kind in DeviceKind} & set(kinds.values())
    assert len(set(kinds.values())) == 6
    decoder = Decoder()
    fixes = decoder.feed((SMALL / "fleet.nmea").read_bytes()) + decoder.flush()
    assert {fix.device for fix in fixes} == set(kinds)
    assert decoder.framing.bad_checksums == 0
    truth = rows("truth.csv")
    assert {row["device"] for row in truth} == set(kinds)
    assert {row["edge_id"] for row in truth} <= set(roads[0].edge_ids)


def test_the_incidents_are_read_without_a_refusal_and_lie_in_the_old_centre():
    read = read_incidents(SMALL / "incidents.csv")
    assert read.refused == []
    assert len(read.incidents) > 500
    inside = [OLD_CENTRE.contains(incident.lon, incident.lat) for incident in read.incidents]
    assert np.mean(inside) > 0.95
