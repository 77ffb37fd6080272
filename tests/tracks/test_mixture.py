"""Tracks of people of whom it is not known what they travel with, on a small invented town."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from h3.api import basic_int as h3

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.model import Sighting, TimeWindow
from geo_policing.tracks import Mode, MovementModel, Speeds, mixture, models_of, reconstruct
from geo_policing.tracks.comparing import Measure, agreeing_m, anywhere_m
from geo_policing.tracks.containment import Gate, containment
from geo_policing.tracks.fit import leave_one_out
from geo_policing.tracks.mixed_answer import fits, mixture_features, passings_of
from geo_policing.tracks.mixture import SURE, _member, _rough, _tried, prior_of
from tests.matching.city import grid
from tests.tracks.test_reconstruct import at, seen

#: The third street from the south, both directions: nobody drives there.
FOOTWAYS = {name for a in range(18, 23) for name in (f"{a}>{a + 1}", f"{a + 1}>{a}")}


@pytest.fixture(scope="module")
def town():
    return grid(6)


@pytest.fixture(scope="module")
def with_footways():
    return grid(6, footways=FOOTWAYS)


@pytest.fixture(scope="module")
def open_to_all(town):
    """Two minutes along a road at the pace of a bicycle."""
    return mixture(town, [seen(0.5, 0, 0), seen(2.5, 0, 60), seen(4.5, 0, 120)])


def walked(row, *columns, pace=1.2):
    """Sightings along a street, the crossings 197 m apart there, at a walking pace."""
    return [seen(c, row, (c - columns[0]) * 197.0 / pace) for c in columns]


def test_who_drives_from_sighting_to_sighting_drives(town):
    fast = [seen(0, 0, 0), seen(4, 0, 52), seen(4, 4, 111), seen(1, 4, 151)]
    assert mixture(town, fast).weights[Mode.CAR] > 0.9


def test_who_walks_where_nobody_drives_walks(with_footways):
    found = mixture(with_footways, walked(3, 1.5, 2.5, 3.5))
    assert found.weights[Mode.FOOT] > 0.9
    assert sum(found.weights.values()) == pytest.approx(1.0)


def test_where_all_modes_lead_as_well_the_prior_is_what_is_known(town):
    prior = {Mode.CAR: 5.0, Mode.E_BIKE: 3.0, Mode.FOOT: 2.0}
    weights = mixture(town, [seen(2, 2, 0)], prior=prior).weights
    assert weights[Mode.CAR] / weights[Mode.E_BIKE] == pytest.approx(5.0 / 3.0, rel=1e-3)
    # Who walks may as well be beside the roads, where one would not be seen on one.
    assert 0.15 < weights[Mode.FOOT] < 0.2
    standing = mixture(town, [seen(2, 2, 0), seen(2, 2, 4)])
    assert all(0.2 < weight < 0.5 for weight in standing.weights.values())
    assert sum(standing.weights.values()) == pytest.approx(1.0)


def test_priors_multiply_the_odds(town, open_to_all):
    twice = mixture(town, open_to_all.sightings, prior={Mode.CAR: 2.0, Mode.E_BIKE: 1.0, Mode.FOOT: 1.0})
    before, after = open_to_all.weights, twice.weights
    assert after[Mode.CAR] / after[Mode.E_BIKE] == pytest.approx(2.0 * before[Mode.CAR] / before[Mode.E_BIKE])


# A block is enough for a car; a walker, who leaves the roads, has seven times as large cells of four blocks.
@pytest.mark.parametrize(
    ("mode", "after_s", "crossings", "start", "resolution"),
    [("car", 20, 2, (0.5, 0), 11), ("foot", 60, 3, (1, 1), 10)],
)
def test_by_each_mode_one_is_somewhere_with_probability_one(mode, after_s, crossings, start, resolution):
    small = grid(crossings)
    first, window = seen(*start, 0), TimeWindow(at(0), at(after_s))
    model = MovementModel.of(mode)
    lattice = reconstruct(small, [first], model, window, samples=0).lattice
    places = small.plane.inverse(lattice.point_x, lattice.point_y)
    somewhere, unfair = 0.0, 0.0
    for cell in np.unique(cells(*places, resolution)).tolist():
        both = [first, Sighting.in_cell(at(after_s), h3.int_to_str(cell))]
        # Told by the metre of road that agrees with it, a cell weighs as much as it holds.
        measure = Measure((agreeing_m(small, first), 1.0), 1.0)
        try:
            somewhere += np.exp(reconstruct(small, both, model, samples=0, measure=measure).log_evidence)
        except InvalidInput:
            continue
        alone = reconstruct(small, both, model, samples=0).log_evidence
        unfair += np.exp(alone) * agreeing_m(small, both[1])
    # A way within the cell where it ends is a detour: some hundredths are missing.
    assert 0.85 < somewhere < 1.05
    assert unfair < 0.75 * somewhere


def test_a_doubtful_sighting_weighs_what_it_does_if_true_and_if_false(town):
    ends, window = [seen(0, 0, 0), seen(4, 0, 80)], TimeWindow(at(0), at(80))
    doubted = seen(2, 0, 40, probability=0.7)
    measure = Measure(tuple(agreeing_m(town, s) for s in (ends[0], doubted, ends[1])), 9000.0)

    def evidence(*sightings, which=slice(None)):
        mine = replace(measure, seen_m=measure.seen_m[which])
        return np.exp(reconstruct(town, sightings, window=window, samples=0, measure=mine).log_evidence)

    if_true = evidence(ends[0], replace(doubted, probability=1.0), ends[1])
    if_false = evidence(*ends, which=slice(None, None, 2)) / measure.elsewhere_m
    both = evidence(ends[0], doubted, ends[1])
    assert both == pytest.approx(0.7 * if_true + 0.3 * if_false, rel=1e-3)
    found = reconstruct(town, [ends[0], doubted, ends[1]], window=window, measure=measure)
    assert found.truth[1] == pytest.approx(0.7 * if_true / both, rel=1e-3)


def test_roads_that_agree_with_a_sighting_are_measured_whoever_uses_them(town, with_footways):
    along = seen(2.5, 3, 0, accuracy_m=20.0)
    # Two directions of a straight road, each the integral of a bell of 20 m.
    assert agreeing_m(town, along) == pytest.approx(2.0 * np.sqrt(2.0 * np.pi) * 20.0, rel=0.02)
    assert agreeing_m(with_footways, along) == agreeing_m(town, along)
    one = seen(2.5, 3, 0, accuracy_m=200.0, edge="20>21")
    length_m = float(town.length_m[list(town.edge_ids).index("20>21")])
    assert 0.9 * length_m < agreeing_m(town, one) <= length_m
    nowhere = seen(60, 60, 0)
    assert agreeing_m(town, nowhere) == pytest.approx(0.001 * 2.0 * np.pi * 20.0**2)


def test_who_walks_may_have_begun_on_the_ground_beside_the_roads_of_the_map(town):
    roads_m = float(town.length_m.sum())
    by_car, on_foot = (anywhere_m(town, MovementModel.of(mode)) for mode in ("car", "foot"))
    assert by_car == pytest.approx(roads_m)
    # A square kilometre of town, and the rest of the cells at its border: 40 m to the hectare.
    assert 4000.0 < on_foot - roads_m < 8000.0


def test_probabilities_over_cells_are_those_of_the_modes_by_their_weights(open_to_all):
    moment = at(30)
    mixed = open_to_all.occupancy(moment, 10)
    assert mixed.probability.sum() == pytest.approx(1.0)
    assert (np.diff(mixed.probability) <= 0.0).all()
    expected = {}
    for member, told in open_to_all.likely:
        there = told.occupancy(moment, 10)
        for cell, p in zip(there.cell.tolist(), there.probability.tolist(), strict=True):
            expected[cell] = expected.get(cell, 0.0) + member.probability * p
    for cell, p in zip(mixed.cell.tolist(), mixed.probability.tolist(), strict=True):
        assert p == pytest.approx(expected[cell], abs=1e-6)
    with pytest.raises(InvalidInput, match="resolution 12"):
        open_to_all.occupancy(moment, 12)


def test_paths_are_told_with_their_mode_and_add_up_over_all(open_to_all):
    told = open_to_all.paths(10_000)
    shares = [path.probability for _, path in told]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    by_mode = {mode: sum(p.probability for m, p in told if m is mode) for mode, _ in told}
    for mode, share in by_mode.items():
        assert share == pytest.approx(open_to_all.weights[mode])
    for (mode, path), (same, again) in zip(told, open_to_all.paths(2), strict=False):
        assert (mode, path.edges.tolist()) == (same, again.edges.tolist())
    assert len(open_to_all.paths(2)) == 2
    assert open_to_all.best_path[0] is Mode.E_BIKE


def test_passing_and_truth_are_those_of_the_modes_by_their_weights(open_to_all):
    likeliest = open_to_all.likely_edges()[0]
    of_each = [member.probability * told.passing(likeliest) for member, told in open_to_all.likely]
    assert open_to_all.passing(likeliest) == pytest.approx(sum(of_each), abs=1e-6)
    assert open_to_all.truth == pytest.approx([1.0, 1.0, 1.0])


def test_a_doubtful_sighting_off_the_roads_of_a_mode_is_false_by_it(with_footways):
    on_footway = seen(2.5, 3, 60, probability=0.5, accuracy_m=10.0)
    found = mixture(with_footways, [seen(2, 2, 0), on_footway, seen(3, 2, 120)])
    by = {member.mode: member for member in found.members}
    assert (by[Mode.CAR].kept, by[Mode.FOOT].kept) == ((0, 2), (0, 1, 2))
    assert 0.0 < by[Mode.CAR].probability < 1.0
    by_foot = by[Mode.FOOT].probability * by[Mode.FOOT].found.truth[1]
    assert found.truth[1] == pytest.approx(by_foot, abs=1e-6)


def test_what_only_some_modes_can_do_says_why_not_the_others(with_footways):
    found = mixture(with_footways, [seen(1.5, 3, 0, accuracy_m=10.0), seen(2.5, 3, 150, accuracy_m=10.0)])
    by = {member.mode: member for member in found.members}
    assert by[Mode.FOOT].probability == 1.0
    assert by[Mode.CAR].probability == 0.0
    assert "is off the roads" in by[Mode.CAR].problem


def test_of_two_sightings_at_one_place_only_the_one_off_the_roads_is_false(with_footways):
    narrow = seen(2.5, 3, 60, probability=0.5, accuracy_m=10.0)
    wide = replace(narrow, time=at(66), accuracy_m=60.0)
    found = mixture(with_footways, [seen(2, 2, 0), narrow, wide, seen(3, 2, 120)])
    by = {member.mode: member for member in found.members}
    assert by[Mode.CAR].kept == (0, 2, 3)
    surely_wide = mixture(with_footways, [seen(2, 2, 0), narrow, replace(wide, probability=1.0)])
    assert {member.mode: member for member in surely_wide.members}[Mode.CAR].kept == (0, 2)


def test_a_mode_without_a_prior_is_left_out_and_said_to_be(town, with_footways):
    prior = {Mode.CAR: 3.0, Mode.E_BIKE: 1.0, Mode.FOOT: 0.0}
    found = mixture(town, [seen(2, 2, 0)], prior=prior)
    on_foot = found.members[2]
    assert (on_foot.probability, on_foot.found, on_foot.problem) == (0.0, None, "its prior is 0")
    assert found.weights[Mode.CAR] == pytest.approx(0.75, rel=1e-3)
    only_walked = [seen(1.5, 3, 0, accuracy_m=10.0), seen(2.5, 3, 150, accuracy_m=10.0)]
    with pytest.raises(InvalidInput, match=r"car: .*off the roads.*; foot: its prior is 0$"):
        mixture(with_footways, only_walked, prior={Mode.CAR: 1.0})


@pytest.fixture(scope="module")
def hasty():
    """By car only, unless many of them are false."""
    places = ((0, 0, 0), (4, 0, 52), (4, 4, 111), (1, 4, 151), (1, 1, 191), (5, 1, 244))
    return [seen(*place, probability=0.999) for place in places]


@pytest.mark.parametrize("until_s", [None, 64])
def test_a_negligible_mode_is_weighed_but_not_reconstructed(town, hasty, until_s):
    if until_s is not None:
        hasty = [hasty[0], replace(hasty[1], until=at(until_s)), *hasty[2:]]
    modes = [MovementModel.of("car"), MovementModel.of("e-bike")]
    found, whole = mixture(town, hasty, modes), mixture(town, hasty, modes[::-1])
    by_e_bike = found.members[1]
    assert (by_e_bike.found, by_e_bike.problem) == (None, "")
    assert whole.members[0].found is not None
    assert 0.0 < by_e_bike.probability < 1e-6
    assert by_e_bike.log_evidence == pytest.approx(whole.members[0].log_evidence, abs=0.05)
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert found.truth == pytest.approx(whole.truth, abs=1e-6)


def test_who_would_have_to_run_is_only_glanced_at(town, hasty):
    modes = [MovementModel.of("car"), MovementModel.of("foot")]
    found, whole = mixture(town, hasty, modes), mixture(town, hasty, modes[::-1])
    on_foot = found.members[1]
    assert (on_foot.mode, on_foot.found, on_foot.kept) == (Mode.FOOT, None, (0, 1, 2, 3, 4, 5))
    assert 0.0 < on_foot.probability < 1e-9
    assert on_foot.log_evidence == pytest.approx(whole.members[0].log_evidence, abs=3.0)
    assert found.truth == pytest.approx(whole.truth, abs=1e-6)


def test_a_glance_that_misses_where_somebody_was_seen_decides_nothing(town):
    """A yard of 20 m that lies between the places of the cells of a glance."""
    yard = seen(3.26, 2.61, 600)
    area = shapely.box(yard.lon - 1e-4, yard.lat - 1e-4, yard.lon + 1e-4, yard.lat + 1e-4)
    stood = (seen(2, 2, 0), Sighting.in_area(at(600), area, probability=0.9999), seen(3, 2, 1200))
    seen_m = tuple(agreeing_m(town, sighting) for sighting in stood)
    measure, window = Measure(seen_m, 5000.0, least=-30.0), TimeWindow(at(0), at(1200))
    walker = MovementModel.of("foot")
    glance = _tried(town, stood, _rough(walker), window, measure, {})
    assert glance.kept == (0, 2)
    assert glance.log_evidence < measure.least - SURE
    looked = _member(town, stood, walker, window, measure, 1.0, {})
    assert looked.found is not None
    assert looked.found.truth[1] > 0.99


def test_what_no_mode_can_do_is_refused_with_the_reason_of_each(town):
    with pytest.raises(InvalidInput, match=r"by any mode: car: .*cannot both be true.*; foot: .*cannot"):
        mixture(town, [seen(0, 0, 0), seen(5, 5, 3)])
    with pytest.raises(InvalidInput, match="no sightings"):
        mixture(town, [])


def test_what_is_wrong_with_the_question_is_no_reason_against_a_mode(town):
    with pytest.raises(InvalidInput, match="0 MB allowed"):
        mixture(town, [seen(0, 0, 0), seen(3, 3, 600)], memory_bytes=10_000)
    with pytest.raises(InvalidInput, match="edge 'nowhere' is not in the network"):
        mixture(town, [seen(0, 0, 0, edge="nowhere")])


@pytest.mark.parametrize("prior", [{}, {Mode.CAR: -1.0, Mode.FOOT: 2.0}, {Mode.CAR: float("nan")}])
def test_priors_that_are_none_are_refused(town, prior):
    with pytest.raises(InvalidInput, match="priors of the modes are car"):
        mixture(town, [seen(0, 0, 0)], prior=prior)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"car": 1.0, "foot": 1.0}, "prior says nothing of e-bike; name all of car, e-bike, foot"),
        ({"car": 1.0, "e-bike": 1.0, "boat": 1.0}, "prior of 'boat': give one of each of car, e-bike, foot"),
        ({"car": 1.0, "e-bike": -0.1, "foot": 1.0}, "car 1, e-bike -0.1, foot 1; give numbers from 0 on"),
        ({"car": 0.0, "e-bike": 0.0, "foot": 0.0}, "one of them above 0"),
        ({"car": 1.0, "e-bike": float("inf"), "foot": 1.0}, "e-bike inf"),
        ({"car": 1e308, "e-bike": 1e308, "foot": 1e308}, "give numbers from 0 on"),
    ],
)
def test_a_prior_that_is_written_wrongly_is_refused(given, says):
    with pytest.raises(InvalidInput, match=says):
        prior_of(given)


def test_a_prior_is_on_any_scale():
    told = prior_of({"foot": 1, "car": 6, "e-bike": 3})
    assert told == pytest.approx({Mode.CAR: 0.6, Mode.E_BIKE: 0.3, Mode.FOOT: 0.1})
    assert list(told) == [Mode.CAR, Mode.E_BIKE, Mode.FOOT]


def test_progress_ascends_over_all_modes_and_the_same_input_gives_the_same_answer(town, open_to_all):
    told = []
    again = mixture(town, list(reversed(open_to_all.sightings)), progress=told.append)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert 0.67 < told[-1] <= 1.0
    assert again.weights == open_to_all.weights
    assert again.log_evidence == open_to_all.log_evidence


def test_speeds_are_those_of_the_mode_that_they_were_learned_of():
    shares = {5: np.full((25, 10), 0.1)}
    speeds = Speeds("foot", "Asia/Shanghai", MovementModel.of().speed_mps, shares, {5: np.ones(25)})
    with pytest.raises(InvalidInput, match="learned of any, none of car, e-bike, foot; leave them out"):
        models_of(replace(speeds, mode="any"))
    of_cars = replace(speeds, mode="car")
    assert [model.speeds for model in models_of(of_cars)] == [of_cars, None, None]


def test_gates_are_passed_by_the_modes_by_their_weights(town):
    window = TimeWindow(at(0), at(240))
    found = mixture(town, [seen(0.5, 2, 0), seen(2.5, 2, 60)], window=window)
    gate = Gate.given(town, [list(town.edge_ids).index("15>16")], "east")
    moments = [at(90), at(240)]
    (mixed,) = passings_of(found, [gate], moments)
    expected, soonest = np.zeros(2), []
    for member in found.members:
        if member.probability >= 0.01:
            (one,) = containment(member.found, [gate], moments)
            expected += member.probability * one.passed
            soonest.append(one.earliest)
    assert mixed.passed == pytest.approx(expected, abs=0.02)
    assert 0.0 < mixed.passed[0] < mixed.passed[1]
    assert mixed.earliest == min(soonest)


def test_a_sighting_fits_by_the_modes_by_their_weights(town, open_to_all):
    of_each = {m.mode: leave_one_out(town, open_to_all.sightings, m.model) for m in open_to_all.members}
    expected = sum(m.probability * of_each[m.mode] for m in open_to_all.members if m.probability > 0.01)
    assert fits(open_to_all) == pytest.approx(expected, abs=1e-3)
    assert np.isnan(fits(mixture(town, [seen(2, 2, 0)]))).all()


def test_what_is_off_the_roads_of_a_mode_fits_by_the_others_and_says_nothing_of_them(with_footways):
    on_footway = seen(2.5, 3, 60, probability=0.5, accuracy_m=10.0)
    sightings = [on_footway, seen(2, 2, 20), seen(2.5, 2, 60, probability=0.8), seen(3, 2, 120)]
    found = mixture(with_footways, sightings, [MovementModel.of("car")])
    by_car = found.members[0]
    assert by_car.kept == (0, 1, 3)
    without = [found.sightings[i] for i in by_car.kept]
    alone, known = fits(found), leave_one_out(with_footways, without, by_car.model, found=by_car.found)
    assert alone[list(by_car.kept)] == pytest.approx(known)
    assert 0.0 <= alone[2] < 0.05


def test_reading_a_mixture_out_can_be_ended(open_to_all):
    class Enough(Exception):
        pass

    told = []

    def tell():
        told.append(1)
        if len(told) == 5:
            raise Enough

    with pytest.raises(Enough):
        mixture_features(open_to_all, tell=tell)
