"""Tracks from sightings on a small invented town."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.model import Sighting, TimeWindow, Watch
from geo_policing.tracks import MovementModel, information_bits, leave_one_out, legs, reconstruct
from geo_policing.tracks.answer import Wanted, features_of, sighting_feature
from geo_policing.tracks.containment import Gate, containment
from geo_policing.tracks.evidence import close_by
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.routes import without_wavering
from geo_policing.tracks.smoothing import Anchor, Smoother
from geo_policing.tracks.turns import Turns
from tests.matching.city import LAT, LON, STEP, grid
from tests.tracks import naive

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def seen(column, row, after_s, **more):
    """A sighting at a crossing of the town."""
    return Sighting(BEGIN + timedelta(seconds=after_s), LON + STEP * column, LAT + STEP * row, **more)


def at(after_s):
    return BEGIN + timedelta(seconds=after_s)


@pytest.fixture(scope="module")
def town():
    return grid(6)


@pytest.fixture(scope="module")
def along(town):
    """Three sightings along the southern road, 200 m apart each half minute."""
    return reconstruct(town, [seen(0.5, 0, 0), seen(2.5, 0, 60), seen(4.5, 0, 120)])


def test_probabilities_over_cells_sum_to_one_at_every_moment(along):
    for after_s in range(0, 121, 10):
        for resolution in (9, 10, 11):
            assert along.occupancy(at(after_s), resolution).probability.sum() == pytest.approx(1.0)


def test_halfway_in_time_the_suspect_is_about_halfway(along):
    found = along.occupancy(at(30), 9)
    assert found.cell[0] == cells(LON + STEP * 1.5, LAT, 9)[0]


def test_regions_grow_with_their_share(along):
    found = along.occupancy(at(30))
    assert set(found.region(0.5)) < set(found.region(0.9))
    assert found.probability[: len(found.region(0.9))].sum() >= 0.9
    assert found.polygon(0.9)["type"] in ("Polygon", "MultiPolygon")


def test_the_best_path_is_the_straight_road_and_its_times_ascend(town, along):
    path = along.best_path
    assert [town.edge_ids[e] for e in path.edges] == ["0>1", "1>2", "2>3", "3>4", "4>5"]
    assert list(path.entered) == sorted(path.entered)
    assert along.paths(1)[0].probability > 0.5


def test_the_same_input_gives_the_same_answer_in_any_order(town, along):
    again = reconstruct(town, list(reversed(along.sightings)))
    assert again.log_evidence == along.log_evidence
    assert all((a == b).all() for a, b in zip(again.smoothed.mass, along.smoothed.mass, strict=True))
    assert again.paths(3) is not along.paths(3)
    assert [p.edges.tolist() for p in again.paths(3)] == [p.edges.tolist() for p in along.paths(3)]


def test_a_doubtful_sighting_where_nobody_can_have_come_to_is_false_and_not_off_the_roads(town):
    found = reconstruct(town, [seen(0, 0, 0), seen(5, 5, 12, probability=0.9), seen(1, 0, 30)])
    assert found.truth.round(6).tolist() == [1.0, 0.0, 1.0]


def test_a_doubtful_sighting_that_does_not_fit_is_found_out(town):
    doubtful = seen(2, 5, 60, probability=0.7)
    fits = replace(doubtful, lat=LAT)
    sure = [seen(0, 0, 0), seen(4, 0, 120)]
    assert reconstruct(town, [*sure, doubtful]).truth[1] < 0.1
    # More probable than it was given: it says what was likely without it.
    assert reconstruct(town, [*sure, fits]).truth[1] > 0.75


def test_a_sure_sighting_is_true_however_much_is_forgotten_on_the_way(town):
    ends = [seen(0, 0, 0), seen(2, 3, 200), seen(5, 5, 420)]
    hasty = replace(MovementModel.of(), prune=1e-3)
    assert reconstruct(town, ends, hasty).truth == pytest.approx([1.0, 1.0, 1.0])


def test_haste_that_is_too_rare_for_what_is_kept_is_still_found(town, monkeypatch):
    sightings = [seen(0, 0, 0), seen(5, 0, 45)]
    forgetful = replace(MovementModel.of(), prune=0.2)
    found = reconstruct(town, sightings, forgetful)
    assert found.truth == pytest.approx([1.0, 1.0])
    assert {"1>2", "2>3", "3>4"} < {town.edge_ids[e] for e in found.best_path.edges}
    monkeypatch.setattr(legs, "LAST_RESORT", 1.0)
    with pytest.raises(InvalidInput, match="cannot both be true"):
        reconstruct(town, sightings, forgetful)


def test_a_prune_that_forgets_all_places_is_refused_by_name(town):
    absurd = replace(MovementModel.of(), prune=0.5)
    with pytest.raises(InvalidInput, match=r"prune 0\.5 forgets all; give a smaller one") as refused:
        reconstruct(town, [seen(0, 0, 0), seen(5, 0, 45)], absurd)
    assert (refused.value.field, refused.value.value) == ("prune", 0.5)


def test_what_was_watched_and_not_seen_is_less_probable(town):
    ends = [seen(0, 0, 0), seen(2, 2, 120)]
    corner = Watch(at(0), at(120), LON + STEP * 2, LAT, radius_m=40.0, detection=0.95)
    cell = cells(LON + STEP * 2, LAT, 10)[0]

    def passes(found):
        moments = (found.occupancy(at(s)) for s in range(0, 121, 4))
        return sum(m.probability[m.cell == cell].sum() for m in moments)

    assert passes(reconstruct(town, ends, watches=[corner])) < 0.3 * passes(reconstruct(town, ends))


def test_the_best_path_does_not_lead_past_who_saw_nobody(town):
    ends = [seen(0.5, 0, 0), seen(2, 1.5, 100)]
    in_vain = [
        Watch(at(0), at(120), LON + STEP * column, LAT + STEP * row, radius_m=30.0, detection=0.9)
        for column, row in ((1.5, 0), (2, 0), (2, 0.5))
    ]
    around = {"1>2", "2>8"}
    for watches, led_past in (([], True), (in_vain, False)):
        best = reconstruct(town, ends, watches=watches).best_path
        assert (around < {town.edge_ids[e] for e in best.edges}) == led_past


def test_watches_that_overlap_are_passed_unseen_by_the_product_of_their_chances(town):
    window = TimeWindow(at(0), at(60))
    corner, wider = (
        Watch(at(begin), at(end), LON + STEP * 2, LAT, radius_m=radius_m, detection=detection)
        for begin, end, radius_m, detection in ((0, 40, 40.0, 0.9), (20, 60, 250.0, 0.5))
    )
    of_one, of_other, of_both = (
        reconstruct(town, [seen(0, 0, 0)], window=window, watches=watches)
        for watches in ([corner], [wider], [corner, wider])
    )

    def chance(found, second):
        whole = np.ones((len(found.lattice), len(found.model.speed_mps)))
        if (step := round(second / found.step_s)) in found.unseen:
            bins, unseen = found.unseen[step]
            whole[bins] = unseen
        return whole

    for second in (0, 10, 30, 50):
        product = chance(of_one, second) * chance(of_other, second)
        assert chance(of_both, second) == pytest.approx(product, rel=1e-5)
    # What is known of a moment is kept once for all moments at which the same is watched.
    assert len({id(unseen) for unseen in of_both.unseen.values()}) == 3


def test_a_watch_shorter_than_a_step_counts_for_its_part_of_one(town):
    def unseen(start_s, end_s):
        watch = Watch(at(start_s), at(end_s), LON, LAT, detection=0.9)
        return reconstruct(town, [seen(0, 0, 0), seen(1, 0, 30)], watches=[watch], samples=0).unseen

    ((step, (bins, chance)),) = unseen(10.6, 11.6).items()
    (whole_bins, whole) = unseen(11.9, 12.1)[6]
    assert step == 6
    assert bins.tolist() == whole_bins.tolist()
    # Who passes in one step is seen as probably in half of it as if half of the chances to be were taken.
    assert chance**2 == pytest.approx(whole, rel=1e-4)


def test_without_sampled_paths_there_is_no_path_to_tell(town):
    found = reconstruct(town, [seen(0, 0, 0), seen(1, 0, 30)], samples=0)
    assert (found.paths(5), found.passing(0), found.likely_edges()) == ([], 0.0, [])
    with pytest.raises(InvalidInput, match="no path was sampled; reconstruct with samples"):
        _ = found.best_path
    with pytest.raises(InvalidInput, match="samples -1 is below 0"):
        reconstruct(town, [seen(0, 0, 0)], samples=-1)


def test_a_camera_over_an_edge_tells_the_direction(town):
    eastward = reconstruct(town, [seen(2.5, 2, 0, edge="14>15"), seen(2.5, 2, 0, edge="14>15")])
    assert eastward.truth == pytest.approx([1.0, 1.0])
    with pytest.raises(InvalidInput, match="edge 'nowhere' is not in the network"):
        reconstruct(town, [seen(2.5, 2, 0, edge="nowhere")])


def test_after_the_last_sighting_the_probability_spreads(town):
    window = TimeWindow(at(-60), at(120))
    found = reconstruct(town, [seen(2, 2, 0)], window=window)
    sizes = [len(found.occupancy(at(s)).region(0.9)) for s in (-60, -20, 0, 40, 120)]
    assert sizes[0] > sizes[1] > sizes[2] < sizes[3] < sizes[4]


def test_the_farther_apart_sightings_are_the_less_a_detour_costs():
    model = MovementModel.of()
    times = (1.0, 120.0, 300.0, 600.0, 650.0, 1e9)
    ratio = [model.over_gaps_of(gap_s).penalty_per_m / model.penalty_per_m for gap_s in times]
    falling = np.array([2.5, 2.5, 1.0, 1 / 2, 6 / 13, 6 / 13]) ** 1.2
    assert np.array(ratio) == pytest.approx(np.outer(falling, np.ones(4)))


def test_who_turns_more_than_needed_is_less_probable_where_turning_feels_long(town):
    ends, plain = [seen(0.5, 1, 0), seen(4, 4.5, 120)], MovementModel.of()

    def turns_taken(right_angle_m):
        found = reconstruct(town, ends, replace(plain, right_angle_m=right_angle_m))
        at = np.column_stack([town.node_x, town.node_y])
        going = at[town.to_node] - at[town.from_node]
        bends = [
            (path.probability, (np.abs(np.diff(going[path.edges], axis=0)).sum(axis=1) > 100.0).sum())
            for path in found.paths(200)
        ]
        return sum(share * n for share, n in bends)

    assert turns_taken(150.0) < 0.9 * turns_taken(0.0)


def test_smoothing_and_samples_equal_the_dense_sums(town):
    model = replace(
        MovementModel.of(), bin_m=60.0, penalty_per_m=np.zeros(1), penalty_share=np.ones(1), prune=0.0
    )
    wanted = np.isin(town.from_node, range(9)) & np.isin(town.to_node, range(9))
    lattice = Lattice.of(town, Turns.of(town), model, wanted)
    steps, classes = 21, len(model.speed_mps)
    density = []
    for column in (0.5, 3.0):
        (x,), (y,) = town.plane.forward(LON + STEP * column, LAT)
        near = lattice.near(x, y, 20.0)
        density.append(near / (near * lattice.bin_m).sum())
    anchors = [Anchor(0, density[0], 1.0), Anchor(20, density[1], 1.0)]
    found = Smoother(lattice, model, anchors, steps, {}, 10**9).run(4000, np.random.default_rng(0))
    n = len(lattice)
    move = np.zeros((n, classes, n))
    offset, target, weight, _ = lattice.ahead
    for row in range(n * classes):
        for k in range(offset[row], offset[row + 1]):
            move[row // classes, row % classes, target[k]] += weight[k]
    expected = naive.smooth(
        *(move, model.chain, lattice.kind, lattice.bin_m, model.start, steps),
        {0: density[0], 20: density[1]},
    )
    for step in (0, 5, 10, 20):
        mass = np.zeros(n)
        mass[found.bins[step]] = found.mass[step]
        assert mass == pytest.approx(expected[step], abs=1e-4)
        sampled = np.bincount([path[0][1][step] for path in found.paths], minlength=n) / 4000
        assert np.abs(sampled - expected[step]).sum() < 0.15


@pytest.mark.parametrize(
    ("sightings", "says"),
    [
        ([], "no sightings"),
        ([seen(0, 0, 0), seen(5, 5, 3)], "cannot both be true.*m apart on the roads"),
        ([seen(0, 0, 0), seen(400, 0, 60)], "is off the roads"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(town, sightings, says):
    with pytest.raises(InvalidInput, match=says):
        reconstruct(town, sightings)


def test_a_moment_or_a_sighting_outside_the_window_is_refused(town, along):
    with pytest.raises(InvalidInput, match="is outside"):
        along.occupancy(at(-10))
    with pytest.raises(InvalidInput, match="resolution 12"):
        along.occupancy(at(10), 12)
    with pytest.raises(InvalidInput, match="is outside the window"):
        reconstruct(town, [seen(0, 0, 0)], window=TimeWindow(at(10), at(20)))


def test_a_window_that_needs_too_much_memory_is_refused_with_the_number(town):
    with pytest.raises(InvalidInput, match="more than the 0 MB allowed"):
        reconstruct(town, [seen(0, 0, 0), seen(5, 5, 600)], memory_bytes=10_000)


def test_nobody_turns_back_on_a_one_way_road_onto_another():
    town = grid(6, one_way=("0>1", "35>34"))
    lattice = Lattice.of(town, Turns.of(town), MovementModel.of(), np.ones(town.n_edges, bool))
    for edge in np.flatnonzero(town.reverse < 0):
        assert (lattice.cut.aside[lattice.edge == edge, 0] < 0).all()
    two_way = np.flatnonzero(town.reverse[lattice.edge] >= 0)
    assert (lattice.edge[lattice.cut.aside[two_way, 0]] == town.reverse[lattice.edge[two_way]]).all()


def test_turning_back_twice_within_an_edge_is_no_way():
    reverse = np.array([1, 0, 3, 2])
    assert without_wavering([0, 1, 0, 2, 3], [0, 4, 8, 9, 12], reverse) == ([0, 2, 3], [0, 9, 12])


def test_left_out_a_sighting_that_fits_is_expected_and_one_that_does_not_is_not(town):
    fits = leave_one_out(town, [seen(0, 0, 0), seen(2, 0, 60), seen(4, 0, 120)])
    astray = leave_one_out(town, [seen(0, 0, 0), seen(2, 5, 60), seen(4, 0, 120)])
    assert fits[1] > 0.3
    assert astray[1] < 0.01
    assert np.isnan(leave_one_out(town, [seen(0, 0, 0)])).all()


@pytest.mark.parametrize("probability", [0.8, 1.0])
def test_a_true_sighting_beside_a_false_one_fits_by_what_is_probable_of_both(town, probability):
    sightings = [
        seen(0, 0, 0),
        seen(1, 0, 60, probability=0.8),
        seen(1, 5, 90, probability=0.6),
        seen(2, 0, 120, probability=probability),
        seen(3, 0, 180),
    ]
    found = reconstruct(town, sightings)
    assert found.truth[2] < 0.05
    alone = leave_one_out(town, sightings, found=found)
    assert alone[2] < 0.05
    assert alone[[1, 3]].min() > 0.3


def test_what_the_others_say_of_a_doubtful_sighting_is_what_they_say_where_it_was_never_told(town):
    sightings = [
        replace(seen(*one), probability=probability)
        for one, probability in zip(
            [(0, 0, 0), (1, 0, 40), (2, 1, 90), (2, 3, 150), (4, 3, 200)],
            (1.0, 0.7, 0.5, 0.8, 1.0),
            strict=True,
        )
    ]
    found = reconstruct(town, sightings)
    assert np.isfinite(found.smoothed.left_out[1:4]).all()
    alone = leave_one_out(town, sightings, found=found)
    for i in (1, 2, 3):
        rest = reconstruct(town, [*sightings[:i], *sightings[i + 1 :]])
        step = found.anchor_step[i]
        near = close_by(rest.lattice, sightings[i])
        assert alone[i] == pytest.approx(near[rest.smoothed.bins[step]] @ rest.smoothed.mass[step], abs=0.02)


@pytest.mark.parametrize(
    ("probability", "truth", "alone", "fits"),
    [
        (0.7, 0.98, 0.01, True),
        (0.7, 0.6, 0.01, False),
        (0.7, 0.6, 0.06, True),
        (1.0, 1.0, 0.01, False),
        (0.7, 0.98, np.nan, None),
    ],
)
def test_a_sighting_fits_where_it_is_expected_or_more_probable_than_it_was(probability, truth, alone, fits):
    told = sighting_feature(seen(0, 0, 0, probability=probability), truth, alone)["properties"]
    assert told["fits"] is fits


def test_beside_a_sighting_in_an_interval_the_answer_tells_what_is_said_of_the_others(town):
    sightings = [
        seen(0, 0, 0),
        seen(1, 0, 40, probability=0.7),
        replace(seen(2, 1, 70, probability=0.9), until=at(110)),
        seen(3, 1, 150, probability=0.8),
        seen(4, 3, 220),
    ]
    found = reconstruct(town, sightings)
    told = np.isfinite(found.smoothed.left_out).all(axis=1)
    assert told.tolist() == [False, True, False, True, False]
    alone = leave_one_out(town, sightings, found=found)
    for i in (1, 3):
        rest = reconstruct(town, [*sightings[:i], *sightings[i + 1 :]])
        step = found.anchor_step[i]
        near = close_by(rest.lattice, sightings[i])
        assert alone[i] == pytest.approx(near[rest.smoothed.bins[step]] @ rest.smoothed.mass[step], abs=0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sighting_that_is_surely_false_before_all_others_changes_nothing(town, workers):
    sightings = [seen(1, 1, 0), seen(2, 1, 60, probability=0.8), seen(3, 1, 120)]
    false = [seen(0, 0, 0, probability=0.0), replace(sightings[0], time=at(10))]
    window = TimeWindow(at(0), at(120))
    found = reconstruct(town, [*false, *sightings[1:]], window=window, workers=workers)
    without = reconstruct(town, [*false[1:], *sightings[1:]], window=window, workers=workers)
    assert found.truth == pytest.approx([0.0, *without.truth], abs=1e-6)


def test_a_camera_tells_most_where_half_of_the_paths_pass(town):
    found = reconstruct(town, [seen(0, 0, 0), seen(2, 2, 120)], samples=400)
    edges = found.likely_edges()
    bits = information_bits(found, edges, detection=1.0)
    passing = np.array([found.passing(edge) for edge in edges])
    assert bits.argmax() == np.abs(passing - 0.5).argmin()
    assert information_bits(found, edges, detection=0.5) == pytest.approx(
        np.minimum(information_bits(found, edges, detection=0.5), bits)
    )
    with pytest.raises(InvalidInput, match=r"detection 1\.5"):
        information_bits(found, edges, detection=1.5)


def test_what_is_made_again_is_what_was_not_kept(town, monkeypatch):
    sightings = [seen(0, 0, 0), seen(4, 0, 61), seen(5, 3, 160)]
    watches = [Watch(at(70), at(120), LON + STEP * 5, LAT, radius_m=60.0)]
    kept = reconstruct(town, sightings, watches=watches)
    monkeypatch.setattr(legs, "WHOLE", 1e-6)
    monkeypatch.setattr(legs, "KEPT_EVERY", 7)
    again = reconstruct(town, sightings, watches=watches)
    assert again.log_evidence == kept.log_evidence
    assert all((a == b).all() for a, b in zip(again.smoothed.mass, kept.smoothed.mass, strict=True))
    assert [p.edges.tolist() for p in again.paths(3)] == [p.edges.tolist() for p in kept.paths(3)]


def test_reading_an_answer_out_can_be_ended_at_any_part_of_it(town):
    found = reconstruct(town, [seen(0, 0, 0), seen(2, 2, 60), seen(4, 0, 120)])

    class Enough(Exception):
        pass

    def read(most):
        told = []

        def tell():
            told.append(len(told))
            if len(told) == most:
                raise Enough

        features_of(found, MovementModel.of(), Wanted(every_s=20), tell=tell)
        return len(told)

    # Path by path, where one sighting after the other is left out, at the moments, before the cameras.
    for most in (1, 2, 150, 205):
        with pytest.raises(Enough):
            read(most)
    assert read(-1) > len(found.smoothed.paths)


def test_drawing_ways_to_the_gates_can_be_ended_between_any_two(town):
    found = reconstruct(town, [seen(0, 0, 0)], window=TimeWindow(at(0), at(120)))
    told = []

    def tell():
        told.append(len(told))
        if len(told) == 100:
            raise InterruptedError

    gate = Gate.given(town, [3])
    with pytest.raises(InterruptedError):
        containment(found, [gate], [at(60)], samples=200, tell=tell)
    containment(found, [gate], [at(60)], samples=200, tell=lambda: told.append(0))
    assert len(told) > 100 + 200


def test_watches_whose_overlaps_take_too_much_memory_are_refused_with_the_number_and_a_remedy(town):
    # Each begins and ends at moments of its own: at each step others overlap.
    watches = [Watch(at(2 * k), at(200 + 2 * k), LON, LAT, radius_m=1500.0) for k in range(80)]
    sightings = [seen(0, 0, 0), seen(4, 0, 400)]
    with pytest.raises(InvalidInput, match=r"told by the watches takes more than the 2 MB.*fewer or smaller"):
        reconstruct(town, sightings, watches=watches, memory_bytes=2_000_000)
    assert reconstruct(town, sightings, watches=watches[:2], memory_bytes=20_000_000).unseen
