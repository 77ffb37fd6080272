import threading

import numpy as np
import pytest

from geo_policing.errors import InvalidInput
from geo_policing.kernels import trace_batches, trace_matching
from geo_policing.matching import Match, Matcher, MatcherParameters, match_many
from geo_policing.matching.trace import Trace
from geo_policing.roads import Access, RoadNetwork
from tests.matching.city import LON, drive, grid

ROUTE = ["0>1", "1>2", "2>8", "8>14", "14>13", "13>12"]


@pytest.fixture
def matcher(tmp_path):
    grid(footways=("1>2", "2>1")).save(tmp_path / "town.roads")
    network = RoadNetwork.load(tmp_path / "town.roads")
    return Matcher(network, MatcherParameters(sigma_m=7.0), access=Access.CAR)


def trace(seed, times=1):
    lon, lat = drive(grid(), ROUTE * times, noise_m=5.0, seed=seed)
    return {"t_s": np.arange(len(lon)) * 4.0, "lon": lon, "lat": lat}


def columns_of(matcher, trace):
    """Columns of a checked trace as the kernels take them."""
    x, y = matcher.network.plane.forward(trace.lon, trace.lat)
    return trace.t_s, x, y, trace.speed_mps, trace.course_deg, trace.accuracy_m


def roads_of(matcher):
    """What a kernel matches to, as it is and with how sure each edge is."""
    graph, believed = matcher.graph, matcher.parameters
    return (
        *(graph.grid, graph.shapes, graph.ways, graph.travel_s, graph.table),
        *(believed.reading, believed.model, True),
    )


def matching_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("match_")]


def same(one, other):
    assert one.confidence == pytest.approx(other.confidence, rel=0, abs=0, nan_ok=True)
    assert one.inferred.tolist() == other.inferred.tolist()
    assert one.time.tolist() == other.time.tolist()
    assert one.edge.tolist() == other.edge.tolist()
    assert one.offset_m.tolist() == other.offset_m.tolist()
    assert len(one.pieces) == len(other.pieces)
    for a, b in zip(one.pieces, other.pieces, strict=True):
        assert a.edges.tolist() == b.edges.tolist()
        assert a.enter_s.tolist() == b.enter_s.tolist()
        assert (a.start_m, a.end_m, a.inferred, a.confidence) == (
            b.start_m,
            b.end_m,
            b.inferred,
            b.confidence,
        )


def test_two_threads_match_as_one_does_in_the_order_of_the_traces_and_a_bad_one_alone_is_refused(matcher):
    traces = [trace(seed, times=1 + seed % 3 * 8) for seed in range(150)]
    traces[40] = traces[40] | {"lat": np.full(len(traces[40]["t_s"]), np.nan)}
    traces[41] = {"t_s": [0.0], "lon": [LON]}
    traces[42] = traces[42] | {"lon": traces[42]["lon"] + 1.0}
    traces[43] = {"t_s": [], "lon": [], "lat": []}
    # A gap, which is bridged.
    traces[44] = {name: np.delete(column, slice(8, 20)) for name, column in trace(1).items()}
    alone, most = list(match_many(matcher, traces)), 0
    together = []
    for found in match_many(matcher, iter(traces), workers=2):
        together.append(found)
        most = max(most, len(matching_threads()))
    assert most == 2
    assert matching_threads() == []
    assert len(together) == len(alone) == len(traces)
    for i, (one, other) in enumerate(zip(alone, together, strict=True)):
        if i in (40, 41):
            assert isinstance(one, InvalidInput)
            assert (str(one), one.field) == (str(other), other.field)
        else:
            same(one, other)
            same(one, matcher.match(**traces[i]))
    assert (alone[40].field, alone[41].field) == ("lat", "lat")
    assert alone[42].pieces == alone[43].pieces == ()
    assert any(piece.inferred for piece in alone[44].pieces)
    # Who travels is the same in every thread.
    number = matcher.network.edge_ids.index("1>2")
    assert all(number not in piece.edges for piece in together[0].pieces)


def test_speed_course_and_accuracy_are_taken_by_every_thread(matcher):
    rng = np.random.default_rng(3)
    traces = [trace(seed, times=4) for seed in range(20)]
    for one in traces[::2]:
        n = len(one["t_s"])
        one["speed_mps"], one["course_deg"] = np.full(n, 9.0), rng.uniform(0.0, 360.0, n)
        one["accuracy_m"] = rng.uniform(3.0, 40.0, n)
    for one, found in zip(traces, match_many(matcher, traces, workers=2), strict=True):
        same(found, matcher.match(**one))
    plain = {name: traces[0][name] for name in ("t_s", "lon", "lat")}
    assert matcher.match(**plain).confidence.tolist() != matcher.match(**traces[0]).confidence.tolist()


def test_many_traces_in_one_call_are_found_as_each_alone_is(matcher):
    # The last but one has no fix, the last none that is near a road.
    given = [trace(seed, times=1 + seed) for seed in range(4)] + [{"t_s": [], "lon": [], "lat": []}, trace(5)]
    given[-1] = given[-1] | {"lat": given[-1]["lat"] + 1.0}
    traces = [Trace.checked(**one) for one in given]
    first = np.cumsum([0, *map(len, traces)])
    columns = [
        np.concatenate(column) for column in zip(*(columns_of(matcher, one) for one in traces), strict=True)
    ]
    found, places, edges = trace_batches.match_traces(first, *columns, *roads_of(matcher))
    assert places[-3] == places[-2] == places[-1] == len(found.fix) > 0
    assert edges[-3] == edges[-2] == edges[-1] == len(found.path) > 0
    for j, one in enumerate(traces):
        alone = trace_matching.match_trace(*columns_of(matcher, one), *roads_of(matcher))
        for name, column in alone._asdict().items():
            cut = edges if name in ("path", "entered_s", "sure") else places
            assert np.array_equal(getattr(found, name)[cut[j] : cut[j + 1]], column, equal_nan=True), name


def test_what_is_compiled_lets_the_other_threads_run(matcher):
    for kernel in (trace_batches.match_traces, trace_matching.match_trace):
        assert kernel.targetoptions["nogil"]
    list(match_many(matcher, [trace(0)]))
    compiled = len(trace_batches.match_traces.signatures)
    list(match_many(Matcher(grid()), [trace(0), trace(1)], workers=2))
    assert len(trace_batches.match_traces.signatures) == compiled == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_few_traces_are_read_ahead_and_who_stops_early_leaves_no_thread(matcher, workers):
    taken = []

    def endless():
        for seed in range(10**6):
            taken.append(seed)
            yield trace(seed % 3, times=30)

    found = match_many(matcher, endless(), workers=workers)
    assert isinstance(next(found), Match)
    assert len(taken) < 50
    found.close()
    assert matching_threads() == []


def test_what_fails_in_a_thread_or_in_the_source_of_the_traces_is_told_and_not_waited_for(
    matcher, monkeypatch
):
    def broken():
        yield from (trace(seed, times=30) for seed in range(3))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(match_many(matcher, broken(), workers=2))
    assert matching_threads() == []

    def fails(traces):
        raise MemoryError(len(traces))

    monkeypatch.setattr(matcher, "match_together", fails)
    with pytest.raises(MemoryError):
        list(match_many(matcher, (trace(seed) for seed in range(10**6)), workers=2))
    assert matching_threads() == []


def test_no_traces_have_no_matches(matcher):
    assert list(match_many(matcher, [], workers=2)) == []


def test_no_workers_are_refused_at_once():
    with pytest.raises(InvalidInput, match="workers is 0; give 1 or more"):
        match_many(Matcher(grid()), [], workers=0)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("t_s", [[[0.0, 1.0], [2.0]], "now", None, 3.0, [object()]])
def test_times_that_are_no_column_are_refused_and_the_other_traces_go_on(matcher, workers, t_s):
    before, found, after = match_many(matcher, [trace(0), trace(1) | {"t_s": t_s}, trace(2)], workers=workers)
    assert isinstance(found, InvalidInput)
    assert found.field == "t_s"
    assert before.pieces
    assert after.pieces


def test_a_column_the_matcher_does_not_know_is_refused():
    (found,) = match_many(Matcher(grid()), [trace(0) | {"speed": [1.0]}])
    assert str(found).startswith("unknown column speed; a trace has t_s, lon, lat")
