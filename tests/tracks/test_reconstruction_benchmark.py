"""The benchmark of reconstruction on a drive through the small town."""

import json
from datetime import timedelta

import numpy as np
import pytest
from h3.api import basic_int as h3

from benchmarks import reconstruction
from benchmarks._prism import PRISM_MPS, Prism
from benchmarks.matching import Drive
from geo_policing.geodesy import cells
from geo_policing.tracks import MovementModel, reconstruct
from geo_policing.tracks.turns import Turns
from tests.matching.city import grid
from tests.matching.test_benchmark import ROUTE, write_track


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    write_track(folder / "001", ROUTE, ROUTE)
    return folder


@pytest.fixture(scope="module")
def task(tracks):
    """A sighting each half minute of a drive of one and a half."""
    drive = Drive.read(tracks / "001")
    taken = drive.fixes.index.get_indexer(drive.sampled(30.0).index)
    return reconstruction.Task(drive, Turns.of(drive.matcher.network), taken)


def test_the_cell_at_the_edge_of_a_region_counts_with_the_part_that_is_needed():
    probability = np.array([0.6, 0.2, 0.2])
    assert reconstruction.region(probability, 0, 0.5) == pytest.approx((5 / 6, 5 / 6))
    assert reconstruction.region(probability, 0, 0.9) == pytest.approx((1.0, 2.5))
    assert reconstruction.region(probability, 2, 0.9) == pytest.approx((0.5, 2.5))
    assert reconstruction.region(probability, -1, 0.9) == pytest.approx((0.0, 2.5))


def test_a_way_is_scored_by_the_metres_of_its_arcs(task):
    ids = grid().edge_ids
    length = dict(zip(ids, task.network.length_m.tolist(), strict=True))
    edges = [ids.index(name) for name in ("0>1", "1>2", "2>3")]
    metres = reconstruction.compared(task.drive, edges, 0.6 * length["0>1"], 0.4 * length["2>3"])
    right = length["0>1"] / 2 + length["1>2"]
    ours = right + length["2>3"] / 2
    assert metres == pytest.approx([right, ours, sum(length[name] for name in ROUTE)], rel=1e-3)
    assert reconstruction.f1(metres) == pytest.approx(2 * metres[0] / (metres[1] + metres[2]))


def test_the_prism_is_what_the_given_speed_reaches_from_both_sightings(task):
    found = reconstruct(task.network, task.sightings, MovementModel.of("any"), turns=task.turns)
    places = [values[task.taken] for values in task.fix]
    reached = [Prism(found, *places).cells(float(t)) for t in (places[0][0], places[0][0] + 10.0)]
    cell, *_ = found.cells_of_bins(10)
    assert reached[0] < reached[1] <= len(cell)
    # All of it lies in the circle that the speed allows, at the end of a cell's reach.
    x, y = task.network.plane.forward(places[1][:1], places[2][:1])
    lat, lon = np.array([h3.cell_to_latlng(int(c)) for c in cell]).T
    off_m = np.hypot(*(np.array(task.network.plane.forward(lon, lat)) - np.array([x, y])))
    for t, n in zip((0.0, 10.0), reached, strict=True):
        assert n <= (off_m <= PRISM_MPS * t + 250.0).sum()


def test_scores_are_those_of_reading_out_moment_by_moment(tracks, task, tmp_path):
    out = tmp_path / "out.json"
    said = ["--data", str(tracks), "--gap", "30", "--every", "2", "--json", str(out)]
    assert reconstruction.main(said) == 0
    (row,) = json.loads(out.read_text(encoding="ascii"))
    found = reconstruct(task.network, task.sightings, MovementModel.of("any"), turns=task.turns)
    t, lon, lat = task.fix
    inside, area = {0.5: [], 0.9: []}, []
    for i in task.hidden[::2]:
        there = found.occupancy(found.window.start + timedelta(seconds=float(t[i])))
        (mine,) = cells(lon[i : i + 1], lat[i : i + 1])
        for share, hits in inside.items():
            before, hit, size = 0.0, 0.0, 0.0
            for cell, probability in zip(there.cell, there.probability, strict=True):
                part = min(max((share - before) / probability, 0.0), 1.0)
                hit += part * (cell == mine)
                size += part
                before += probability
            hits.append(hit)
        area.append(size)
    assert row["coverage_50"] == pytest.approx(np.mean(inside[0.5]), abs=2e-4)
    assert row["coverage_90"] == pytest.approx(np.mean(inside[0.9]), abs=2e-4)
    of_a_cell = h3.cell_area(int(found.occupancy(found.window.start).cell[0]), "km^2")
    assert row["area_90_km2"] == pytest.approx(np.median(area) * of_a_cell, rel=5e-3)
    assert (row["path_f1"], row["path_f1_mean"]) == (1.0, 1.0)
    gain = row["log_score"] - _best_of_baselines(task, found)
    assert row["log_score_gain"] == pytest.approx(gain, abs=2e-4)


def _best_of_baselines(task, found):
    """Log score of the shortest way at constant speed with the best of the widths."""
    t, lon, lat = task.fix
    moments = task.hidden[::2]
    chance = reconstruction.baseline(task, moments, cells(lon[moments], lat[moments]))
    prism = Prism(found, *(values[task.taken] for values in task.fix))
    spread = np.array([reconstruction.SPREAD / prism.cells(float(t[i])) for i in moments])
    return np.log((1.0 - reconstruction.SPREAD) * chance + spread).mean(axis=1).max()
