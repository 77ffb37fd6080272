"""The k most probable paths of a trace."""

import math
import os
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.kernels import gap_routes, map_matching, path_sampling
from geo_policing.kernels.trace_matching import Lattice
from geo_policing.matching import Matcher, alternatives
from geo_policing.matching.alternatives import most_probable
from tests import naive
from tests.kernels.town import HOW, MODEL, Town, model_of
from tests.matching.city import LAT, LON, STEP, drive, grid

JITTED = os.environ.get("NUMBA_DISABLE_JIT") != "1"


def edges_of(network, alternative):
    return [[network.edge_ids[e] for e in path] for path in alternative.match.paths()]


@pytest.mark.parametrize("seed", range(6))
def test_sequences_are_drawn_as_often_as_they_are_probable(seed):
    rng = np.random.default_rng(seed)
    n, s, q = 4, 3, 20_000
    step = rng.normal(0.0, 1.5, (n, s, s)).astype(np.float32)
    step[0, 1:] = -np.inf
    step[2, 1, 0] = step[3, 0] = -np.inf
    _, links = map_matching.posterior(step)
    none = np.zeros(q, np.int16)
    drawn = path_sampling.drawn(links, 0, none, rng.random((n, q)))
    every = dict(naive.sequences(step))
    total = sum(every.values())
    sequences, times = np.unique(drawn, axis=0, return_counts=True)
    often = {tuple(states): count / q for states, count in zip(sequences.tolist(), times, strict=True)}
    assert set(often) <= {states for states, weight in every.items() if weight > 0.0}
    for states, weight in every.items():
        p = weight / total
        assert often.get(states, 0.0) == pytest.approx(p, abs=5.0 * math.sqrt(p * (1.0 - p) / q) + 1e-4)


def test_the_states_of_a_part_are_drawn_as_those_of_the_whole():
    rng = np.random.default_rng(2)
    n, s, q = 9, 3, 50
    _, links = map_matching.posterior(rng.normal(0.0, 1.5, (n, s, s)).astype(np.float32))
    chance = rng.random((n, q))
    after = np.zeros(q, np.int16)
    whole = path_sampling.drawn(links, 0, after, chance)
    until = n
    for first in (6, 5, 1, 0):
        part = path_sampling.drawn(links, first, after, chance[n - until : n - first])
        assert np.array_equal(part, whole[:, first:until])
        until, after = first, np.ascontiguousarray(part[:, 0])


def test_of_numbers_near_one_the_last_possible_state_is_drawn():
    step = np.full((2, 3, 3), -np.inf, np.float32)
    step[0, 0, :2] = step[1, :2, 1] = 0.0
    _, links = map_matching.posterior(step)
    none, chance = np.zeros(1, np.int16), np.full((2, 1), np.nextafter(1.0, 0.0))
    drawn = path_sampling.drawn(links, 0, none, chance)
    assert drawn.tolist() == [[1, 1]]


def test_a_transition_was_what_weighs_as_much():
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        town = Town(rng, n_nodes=12, n_streets=22)
        n, k = 12, 6
        x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 50.0, (2, n)), axis=1)
        edge, distance, offset = town.candidates(x, y, 500.0, k)
        emission = map_matching.emission_logp(distance, np.full(n, 30.0))
        model = MODEL | {"jump_cost": 4.0 if seed % 2 else 70.0}
        places, offsets, *_, step = map_matching.forward(
            x, y, emission, edge, offset, town.ways, town.table(0), 2, model_of(model), True
        )
        _, links = map_matching.posterior(step)
        drawn = path_sampling.drawn(links, 0, np.zeros(40, np.int16), rng.random((n, 40)))
        for states in drawn.astype(np.int64):
            arrived = path_sampling.arrivals(
                *(states, x, y, places, offsets, emission, step, town.length_m, town.reverse),
                model_of(model),
            )
            assert arrived[0] == map_matching.HELD
            last = 0
            for i in range(1, n):
                if states[i] >= k:
                    assert arrived[i] == map_matching.HELD
                    continue
                way = math.dist((x[i], y[i]), (x[last], y[last]))
                before = (places[i - 1, states[i - 1]], offsets[i - 1, states[i - 1]])
                _, how = naive.transition_logp(
                    *(town.roads, *before, edge[i, states[i]], offset[i, states[i]], way, model)
                )
                assert HOW[arrived[i]] == how
                seen.add(how)
                last = i
    assert seen == {"ahead", "back", "by way", "jump"}


@pytest.mark.skipif(not JITTED, reason="plain Python searches too long")
@pytest.mark.parametrize("seed", range(5))
def test_a_path_is_as_probable_as_all_sequences_that_make_it_together(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng)
    n, k, q = 5, 3, 20_000
    # So much noise that several paths are likely.
    model = MODEL | {"beta_m": 60.0}
    x, y = rng.uniform(200.0, 400.0, (2, 1)) + np.cumsum(rng.normal(0.0, 60.0, (2, n)), axis=1)
    edge, distance, offset = town.candidates(x, y, 1000.0, k)
    emission = map_matching.emission_logp(distance, np.full(n, 120.0))
    roads = SimpleNamespace(ways=town.ways, table=town.table(0))
    settings = SimpleNamespace(candidates=k, model=model_of(model))
    places, offsets, score, back, how, step = map_matching.forward(
        x, y, emission, edge, offset, *roads.__dict__.values(), 1, settings.model, True
    )
    fix = np.arange(n)
    lattice = Lattice(fix, x, y, fix, 1.0, emission, places, offsets, score, back, how, step)
    _, links = map_matching.posterior(step)
    found = most_probable(roads, settings, lattice, links, 4, q, rng)

    def path_of(states):
        path, last = [int(places[0, states[0]])], 0
        for i in range(1, n):
            if states[i] >= k:
                continue
            a, b = int(places[i - 1, states[i - 1]]), int(edge[i, states[i]])
            a_m, way = offsets[i - 1, states[i - 1]], math.dist((x[i], y[i]), (x[last], y[last]))
            _, arrived = naive.transition_logp(town.roads, a, a_m, b, offset[i, states[i]], way, model)
            last = i
            if arrived == "by way":
                path += gap_routes.fastest_routes(a, 0.0, b, 1, 1.0, town.ways)[0].tolist()[1:]
            elif arrived != "ahead":
                path.append(b)
        return tuple(path)

    probability = {}
    every = [(states, weight) for states, weight in naive.sequences(step) if weight > 0.0]
    total = sum(weight for _, weight in every)
    for states, weight in every:
        probability[path_of(states)] = probability.get(path_of(states), 0.0) + weight / total
    assert len({path_of(choice.states) for choice in found}) == len(found)
    most = sorted(probability.values(), reverse=True)[:4]
    assert 0.3 < most[0] < 0.99
    assert len(found) == 4
    for choice, at_rank in zip(found, most, strict=True):
        p = probability[path_of(choice.states)]
        assert choice.probability == pytest.approx(p, abs=5.0 * math.sqrt(p * (1.0 - p) / q))
        assert choice.probability == pytest.approx(at_rank, abs=0.02)


def test_the_first_path_of_a_drive_that_leaves_little_doubt_is_the_match_and_nearly_certain():
    network = grid()
    lon, lat = drive(network, ["0>1", "1>2", "2>8", "8>14"], noise_m=3.0)
    matcher = Matcher(network)
    first, *_ = matcher.alternatives(np.arange(len(lon)), lon, lat, k=3)
    assert first.probability > 0.95
    assert edges_of(network, first) == [["0>1", "1>2", "2>8", "8>14"]]
    match = matcher.match(np.arange(len(lon)), lon, lat)
    assert first.match.edge.tolist() == match.edge.tolist()
    assert first.match.offset_m.tolist() == match.offset_m.tolist()
    assert first.match.pieces[0].enter_s.tolist() == match.pieces[0].enter_s.tolist()


def test_round_the_block_on_either_side_is_as_likely():
    network = grid()
    (lon1, lat1), (lon2, lat2) = drive(network, ["0>1"]), drive(network, ["8>9"])
    middle = ([LON + 1.5 * STEP], [LAT + 0.5 * STEP])
    lon, lat = np.concatenate([lon1, middle[0], lon2]), np.concatenate([lat1, middle[1], lat2])
    accuracy_m = np.full(len(lon), 5.0)
    accuracy_m[len(lon1)] = 60.0
    t = np.arange(len(lon)) * 30.0
    first, second, *others = Matcher(network).alternatives(t, lon, lat, accuracy_m=accuracy_m, k=9)
    sides = [edges_of(network, alternative) for alternative in (first, second)]
    assert sorted(sides) == [[["0>1", "1>2", "2>8", "8>9"]], [["0>1", "1>7", "7>8", "8>9"]]]
    assert first.probability == pytest.approx(second.probability, abs=0.1)
    assert first.probability + second.probability + sum(o.probability for o in others) <= 1.0 + 1e-9


def test_where_on_its_edges_a_path_turned_back_makes_it_no_other_path():
    # East, back within a street or at its blind end, and west again.
    network = grid(closed=[e for e in grid().edge_ids if max(map(int, e.split(">"))) > 2])
    lon = LON + STEP * np.array([0.5, 1.4, 1.2, 0.5])
    first, *others = Matcher(network).alternatives(np.arange(4) * 30.0, lon, np.full(4, LAT), k=9)
    there_and_back = [["0>1", "1>2", "2>1", "1>0"]]
    assert edges_of(network, first) == there_and_back
    # Four fifths of it have turned at the end, the rest before.
    assert first.probability > 0.95
    assert there_and_back not in [edges_of(network, other) for other in others]


def test_doubts_far_apart_multiply():
    # Twice a fix between two streets as near: four paths, each a quarter, however long the trace is.
    network = grid()
    (lon1, lat1), (lon2, lat2) = drive(network, ["0>1"]), drive(network, ["8>9"])
    lon3, lat3 = drive(network, ["16>17"])
    places = [(lon1, lat1, 5.0), ([LON + 1.5 * STEP], [LAT + 0.5 * STEP], 60.0), (lon2, lat2, 5.0)]
    places += [([LON + 3.5 * STEP], [LAT + 1.5 * STEP], 60.0), (lon3, lat3, 5.0)]
    lon = np.concatenate([p[0] for p in places])
    lat = np.concatenate([p[1] for p in places])
    accuracy_m = np.concatenate([np.full(len(p[0]), p[2]) for p in places])
    t = np.arange(len(lon)) * 30.0
    found = Matcher(network).alternatives(t, lon, lat, accuracy_m=accuracy_m, k=4, samples=4000)
    starts = {tuple(path[0][:4]) for path in (edges_of(network, a) for a in found)}
    ends = {tuple(path[0][3:]) for path in (edges_of(network, a) for a in found)}
    assert len(starts) == len(ends) == 2
    assert [a.probability for a in found] == pytest.approx([0.25] * 4, abs=0.06)
    halves = [sum(a.probability for a in found if tuple(edges_of(network, a)[0][:4]) == s) for s in starts]
    quarters = {(tuple(e[0][:4]), tuple(e[0][3:])) for e in (edges_of(network, a) for a in found)}
    assert len(quarters) == 4
    assert halves == pytest.approx([0.5, 0.5], abs=0.08)


def test_of_paths_too_improbable_for_a_number_the_most_probable_is_still_the_first():
    paths = [alternatives.Choice(p, np.array([state])) for p, state in ((0.6, 0), (0.4, 1))]
    best = [alternatives.Combination(0.0, ())]
    for first in range(2000):
        best = alternatives._combined(best, paths, first, 3)
    assert math.exp(best[0].logp) == 0.0
    assert best[0].logp == pytest.approx(2000 * math.log(0.6))
    assert [[states[0] for _, states in one.stretches].count(1) for one in best] == [0, 1, 1]


@pytest.mark.parametrize("block", [1, 2, 7])
def test_how_many_fixes_are_drawn_at_once_changes_nothing(monkeypatch, block):
    # Between two streets, near enough to the one now and to the other then, for twenty fixes.
    rng = np.random.default_rng(1)
    lon = LON + STEP * np.linspace(0.2, 4.8, 20)
    lat = LAT + STEP * (0.5 + 0.1 * np.cumsum(rng.normal(0.0, 1.0, 20)))
    network = grid()
    matcher = Matcher(network)
    t = np.arange(20) * 20.0
    expected = matcher.alternatives(t, lon, lat, k=6, samples=500)
    assert 1.0 > expected[0].probability > expected[5].probability > 0.0
    monkeypatch.setattr(alternatives, "BLOCK", block)
    found = matcher.alternatives(t, lon, lat, k=6, samples=500)
    assert [a.probability for a in found] == [a.probability for a in expected]
    assert [edges_of(network, a) for a in found] == [edges_of(network, a) for a in expected]


def test_of_a_long_trace_only_doubtful_stretches_are_kept():
    network = grid()
    lon, lat = drive(network, ["0>1", "1>2", "2>8", "8>9", "9>10", "10>4", "4>3", "3>9"] * 40, noise_m=2.0)
    matcher = Matcher(network)
    t = np.arange(len(lon)) * 4.0
    tracemalloc.start()
    (first, *_) = matcher.alternatives(t, lon, lat, k=2)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    fixes = int((first.match.edge >= 0).sum())
    assert fixes > 1000
    # Eight bytes for each of 2,000 states of every fix.
    assert most < fixes * 2000 * 8


def test_the_same_seed_draws_the_same_and_fewer_are_the_first_of_more():
    network = grid()
    t, lon, lat = [0, 40], [LON + STEP / 2, LON + 2.5 * STEP], [LAT + STEP / 2, LAT + 1.5 * STEP]
    matcher = Matcher(network)
    one, two = (matcher.alternatives(t, lon, lat, k=5, seed=3) for _ in range(2))
    assert [a.probability for a in one] == [a.probability for a in two]
    assert [edges_of(network, a) for a in one] == [edges_of(network, a) for a in two]
    fewer = matcher.alternatives(t, lon, lat, k=2, seed=3)
    assert [edges_of(network, a) for a in fewer] == [edges_of(network, a) for a in one][:2]
    chances = [a.probability for a in one]
    assert chances == sorted(chances, reverse=True)


def test_one_fix_between_two_directions_is_on_either():
    network = grid()
    both = Matcher(network).alternatives([0], [LON + STEP / 2], [LAT], k=2, samples=4000)
    assert sorted(edges_of(network, a) for a in both) == [[["0>1"]], [["1>0"]]]
    assert [a.probability for a in both] == pytest.approx([0.5, 0.5], abs=0.05)


def test_where_no_road_is_near_there_is_no_path():
    matcher = Matcher(grid())
    assert matcher.alternatives([0, 9], [LON - 1.0] * 2, [LAT] * 2) == ()
    assert matcher.alternatives([], [], []) == ()


@pytest.mark.parametrize("given", [{"k": 0}, {"samples": 0}, {"k": -1}, {"seed": -1}])
def test_what_makes_no_sense_is_refused_by_name(given):
    with pytest.raises(InvalidInput) as refused:
        Matcher(grid()).alternatives([0], [LON], [LAT], **given)
    assert refused.value.field in given


@pytest.mark.skipif(not JITTED, reason="this is that process")
def test_the_kernels_say_the_same_as_plain_python():
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "drawn or weighs", __file__],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
