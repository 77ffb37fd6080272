"""Sightings of every kind: points, cameras on edges, areas, cells, and intervals of time."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import shapely
from h3.api import basic_str as h3

from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting, TimeWindow, Watch
from geo_policing.tracks import leave_one_out, reconstruct
from geo_policing.tracks.evidence import likelihood, watched
from geo_policing.tracks.smoothing import Smoother
from tests.matching.city import LAT, LON, STEP, grid
from tests.tracks.test_reconstruct import BEGIN, at, seen


@pytest.fixture(scope="module")
def town():
    return grid(6)


@pytest.fixture(scope="module")
def lattice(town):
    return reconstruct(town, [seen(0, 0, 0), seen(5, 5, 240)]).lattice


def square(west, south, east, north):
    """An area between columns and rows of the town."""
    return shapely.box(LON + STEP * west, LAT + STEP * south, LON + STEP * east, LAT + STEP * north)


def test_an_area_weighs_the_bins_in_it_and_no_others(lattice):
    area = square(1.5, 1.5, 3.5, 3.5)
    weight = likelihood(lattice, Sighting.in_area(BEGIN, area))
    lon, lat = lattice.network.plane.inverse(lattice.point_x, lattice.point_y)
    inside = shapely.contains_xy(area, lon, lat)
    everywhere = np.array([inside[lattice.point_bin == b].mean() for b in range(len(lattice))])
    assert weight == pytest.approx(everywhere)
    assert 0 < (weight > 0).sum() < len(lattice)


def test_a_cell_weighs_the_places_whose_cell_it_is(lattice):
    cell = h3.latlng_to_cell(LAT + STEP, LON + 2 * STEP, 9)
    weight = likelihood(lattice, Sighting.in_cell(BEGIN, cell))
    lon, lat = lattice.network.plane.inverse(lattice.point_x, lattice.point_y)
    mine = np.array([h3.latlng_to_cell(y, x, 9) == cell for x, y in zip(lon, lat, strict=True)])
    everywhere = np.array([mine[lattice.point_bin == b].mean() for b in range(len(lattice))])
    assert weight == pytest.approx(everywhere)
    assert weight.max() == 1.0


def test_a_camera_leaves_out_the_other_direction(town, lattice):
    there = seen(0.5, 0, 0)
    both = likelihood(lattice, there)
    one = likelihood(lattice, replace(there, edge="0>1"))
    names = np.array([town.edge_ids[e] for e in lattice.edge])
    assert set(names[one > 0]) == {"0>1"}
    assert {"0>1", "1>0"} <= set(names[both > 0])


def test_who_was_seen_in_an_area_between_two_points_went_through_it(town):
    ends = [seen(0, 0, 0), seen(5, 5, 180)]
    area = Sighting.in_area(at(90), square(3.5, -0.5, 5.5, 1.5))
    found = reconstruct(town, [ends[0], area, ends[1]])
    there = found.occupancy(at(90), 11)
    corners = [h3.cell_to_latlng(f"{c:x}") for c in there.cell.tolist()]
    within = [area.area.buffer(0.0005).contains(shapely.Point(lon, lat)) for lat, lon in corners]
    assert there.probability[np.array(within)].sum() == pytest.approx(1.0)
    assert leave_one_out(town, found.sightings)[1] < 0.9


def test_an_interval_narrows_to_the_moment_that_fits(town):
    """Between ends 60 s apart who was in the middle at some time was so about half-way."""
    ends = [seen(0, 0, 0), seen(4, 0, 60)]
    whole = replace(seen(2, 0, 5), until=at(55))
    found = reconstruct(town, [ends[0], whole, ends[1]])
    exact = reconstruct(town, [ends[0], seen(2, 0, 30), ends[1]])
    assert found.truth == pytest.approx(1.0, abs=1e-4)
    assert found.occupancy(at(30), 9).cell[0] == exact.occupancy(at(30), 9).cell[0]
    for after_s in range(0, 61, 10):
        assert found.occupancy(at(after_s)).probability.sum() == pytest.approx(1.0)
    assert found.best_path.edges.tolist() == exact.best_path.edges.tolist()


def test_an_interval_is_the_mixture_of_its_moments_weighed_by_the_evidence(town):
    ends = [seen(0, 0, 0), seen(3, 0, 60)]
    whole = replace(seen(2, 0, 12), until=at(54))
    moments = [12 + 7 * k for k in range(7)]
    alone = [reconstruct(town, [ends[0], seen(2, 0, m), ends[1]], samples=0) for m in moments]
    weight = np.exp([one.log_evidence for one in alone])
    expected = {}
    for one, share in zip(alone, weight / weight.sum(), strict=True):
        there = one.occupancy(at(30))
        for cell, p in zip(there.cell.tolist(), there.probability.tolist(), strict=True):
            expected[cell] = expected.get(cell, 0.0) + share * p
    found = reconstruct(town, [ends[0], whole, ends[1]])
    there = found.occupancy(at(30))
    assert dict(zip(there.cell.tolist(), there.probability.tolist(), strict=True)) == pytest.approx(
        expected, abs=1e-4
    )
    assert found.log_evidence == pytest.approx(np.log(weight.mean()))


def test_an_interval_may_overlap_another_sighting(town):
    sure = [seen(0, 0, 0), seen(2, 0, 30), seen(4, 0, 60)]
    early = replace(seen(1, 0, 6), until=at(54))
    found = reconstruct(town, [*sure, early])
    assert found.truth.shape == (4,)
    assert found.truth == pytest.approx(1.0, abs=1e-4)


def test_more_than_three_intervals_are_refused(town):
    many = [replace(seen(k, 0, 20 * k), until=at(20 * k + 10)) for k in range(4)]
    with pytest.raises(InvalidInput, match="4 sightings are known only to an interval, at most 3"):
        reconstruct(town, many)


def test_an_interval_that_leaves_the_window_is_refused(town):
    late = replace(seen(1, 0, 10), until=at(90))
    with pytest.raises(InvalidInput, match="outside the window"):
        reconstruct(town, [seen(0, 0, 0), late], window=TimeWindow(at(0), at(60)))


def test_an_area_and_a_cell_without_roads_are_refused_with_what_to_do(town):
    nowhere = Sighting.in_area(at(0), square(2.2, 2.2, 2.8, 2.8))
    with pytest.raises(InvalidInput, match=r"off the roads \(its area\); draw a larger one"):
        reconstruct(town, [nowhere])
    empty = h3.latlng_to_cell(LAT + 0.5 * STEP, LON + 0.5 * STEP, 12)
    with pytest.raises(InvalidInput, match="give its parent cell"):
        reconstruct(town, [Sighting.in_cell(at(0), empty)])


@pytest.mark.parametrize("accuracy_m", [1e-9, 0.02, 2.0])
def test_a_sighting_known_to_the_centimetre_is_on_the_road_wherever_it_is(lattice, accuracy_m):
    for column in np.arange(1.0, 2.0, 0.013):
        weight = likelihood(lattice, seen(column, 2, 0, accuracy_m=accuracy_m))
        assert weight.max() > 0.1
        (x,), (y,) = lattice.network.plane.forward(LON + STEP * column, LAT + 2 * STEP)
        there = np.isin(lattice.point_bin, np.flatnonzero(weight))
        assert np.hypot(lattice.point_x[there] - x, lattice.point_y[there] - y).max() < 36.0 + 48.0


@pytest.mark.parametrize("much", [1e9, 1e200, 1e308])
def test_an_accuracy_or_a_radius_beyond_all_bounds_tells_nothing_and_breaks_nothing(town, much):
    anywhere = reconstruct(town, [seen(0, 0, 0), seen(5, 5, 240, accuracy_m=much)])
    assert anywhere.truth == pytest.approx([1.0, 1.0])
    everywhere = Watch(at(0), at(60), LON, LAT, radius_m=much)
    assert watched(anywhere.lattice, everywhere)[0].min() == 1.0
    assert reconstruct(town, [seen(0, 0, 0), seen(2, 0, 60)], watches=[everywhere]).truth.min() > 0.999
    assert leave_one_out(town, [seen(0, 0, 0), seen(2, 0, 60, accuracy_m=much)])[1] == pytest.approx(1.0)


def test_a_watch_of_a_step_of_road_sees_who_passes(lattice):
    for column in np.arange(1.0, 1.5, 0.013):
        small = Watch(at(0), at(60), LON + STEP * column, LAT, radius_m=0.5)
        assert watched(lattice, small)[0].max() > 0.0


def test_an_edge_far_from_its_place_is_refused_with_both(town):
    with pytest.raises(InvalidInput, match="edge 0>1, accuracy 20 m"):
        reconstruct(town, [seen(5, 5, 0, edge="0>1")])


@pytest.mark.parametrize("edge", ["", "1>2", "7>8"])
def test_a_watched_circle_is_what_of_each_bin_lies_in_it(town, lattice, edge):
    """Around the middle of 1>2, also where only one direction, or another street beside, is watched."""
    lon, lat = LON + 1.5 * STEP, LAT
    share, passage_m = watched(lattice, Watch(at(0), at(60), lon, lat, radius_m=60.0, edge=edge))
    (x,), (y,) = town.plane.forward(lon, lat)
    expected = []
    for b in range(len(lattice)):
        points = np.flatnonzero(lattice.point_bin == b)
        inside = [np.hypot(lattice.point_x[p] - x, lattice.point_y[p] - y) <= 60.0 for p in points]
        there = not edge or town.edge_ids[lattice.edge[b]] == edge
        expected.append(np.mean(inside) if there else 0.0)
    assert share == pytest.approx(np.array(expected))
    if edge:
        assert passage_m == pytest.approx(max(float((share * lattice.bin_m).sum()), 1.0))
    else:
        assert passage_m == 120.0


def test_an_area_watched_in_vain_takes_probability_away(town):
    ends = [seen(0, 0, 0), seen(3, 3, 150)]
    area = square(0.5, -0.5, 3.5, 1.5)
    watch = Watch.of_area(at(0), at(150), area, detection=0.95)
    before, after = (
        reconstruct(town, ends, watches=watches).passing(town.edge_ids.index("1>2"))
        for watches in ([], [watch])
    )
    assert after < before / 2


def test_the_passage_through_a_watched_square_is_its_mean_chord(lattice):
    """Pi times the area by the perimeter: of a square pi / 4 of its side."""
    share, passage_m = watched(lattice, Watch.of_area(at(0), at(60), square(0.5, 0.5, 2.5, 2.5)))
    plane = lattice.network.plane
    (x0, x1), (y0, y1) = plane.forward([LON, LON + 2 * STEP], [LAT, LAT + 2 * STEP])
    w, h = x1 - x0, y1 - y0
    assert passage_m == pytest.approx(np.pi * w * h / (2 * (w + h)), rel=0.01)
    assert set(np.unique(share)) >= {0.0, 1.0}


def test_progress_grows_and_what_it_raises_ends_the_work(town):
    told = []
    reconstruct(town, [seen(0, 0, 0), seen(3, 0, 60), seen(3, 3, 120)], progress=told.append)
    assert told == sorted(told)
    assert told[-1] < 1.0

    class Cancelled(Exception):
        pass

    def stop(share):
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        reconstruct(town, [seen(0, 0, 0), seen(3, 0, 60), seen(3, 3, 120)], progress=stop)


def test_a_window_beyond_the_memory_is_refused_with_the_number_and_a_remedy(town):
    far = [seen(0, 0, 0), seen(5, 5, 1400)]
    with pytest.raises(InvalidInput, match=r"takes more than the 1 MB allowed.*coarser steps"):
        reconstruct(town, far, window=TimeWindow(at(0), at(36_000)), memory_bytes=10**6)


def test_a_window_long_after_the_last_sighting_counts_as_well(town):
    with pytest.raises(InvalidInput, match="takes more than the 2 MB allowed"):
        reconstruct(town, [seen(0, 0, 0)], window=TimeWindow(at(0), at(200_000)), memory_bytes=2 * 10**6)


def test_sightings_of_which_none_may_be_true_are_refused(town):
    with pytest.raises(InvalidInput, match="all sightings have probability 0; give at least one"):
        reconstruct(town, [seen(0, 0, 0, probability=0.0), seen(1, 0, 20, probability=0.0)])


def test_of_all_moments_of_an_interval_only_the_mixture_is_kept(town, monkeypatch):
    """27 answers of three intervals at once would take 27 times what is allowed."""
    kept, most = [], []
    run = Smoother.run

    def watched_run(self, samples, draw):
        answer = run(self, samples, draw)
        most.append(sum(one() is not None for one in kept))
        kept.append(weakref.ref(answer.mass[5]))
        return answer

    monkeypatch.setattr(Smoother, "run", watched_run)
    found = reconstruct(town, [seen(0, 0, 0), replace(seen(2, 0, 5), until=at(55)), seen(4, 0, 60)])
    assert len(most) == 7
    assert max(most) <= 1
    for mass in found.smoothed.mass:
        assert mass.sum() == pytest.approx(1.0, abs=1e-5)
