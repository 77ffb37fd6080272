import multiprocessing
import os
import signal

import numpy as np
import pytest

from geo_policing.errors import InvalidInput, Unavailable
from geo_policing.matching import Match, Matcher, MatcherParameters, match_many
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


def same(one, other):
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


def test_two_processes_match_as_one_does_in_the_order_of_the_traces_and_a_bad_one_alone_is_refused(matcher):
    traces = [trace(seed, times=1 + seed % 3 * 8) for seed in range(150)]
    traces[40] = traces[40] | {"lat": np.full(len(traces[40]["t_s"]), np.nan)}
    traces[41] = {"t_s": [0.0], "lon": [LON]}
    traces[42] = traces[42] | {"lon": traces[42]["lon"] + 1.0}
    alone = list(match_many(matcher, traces))
    together, most = [], 0
    for found in match_many(matcher, iter(traces), workers=2):
        together.append(found)
        most = max(most, len(multiprocessing.active_children()))
    assert most == 2
    assert multiprocessing.active_children() == []
    assert len(together) == len(alone) == len(traces)
    for i, (one, other) in enumerate(zip(alone, together, strict=True)):
        if i in (40, 41):
            assert isinstance(one, InvalidInput)
            assert (str(one), one.field) == (str(other), other.field)
        else:
            same(one, other)
    assert (alone[40].field, alone[41].field) == ("lat", "lat")
    assert alone[42].pieces == ()
    # The parameters and the traveller of the matcher are those of the processes.
    same(together[0], matcher.match(**traces[0]))
    number = matcher.network.edge_ids.index("1>2")
    assert all(number not in piece.edges for piece in together[0].pieces)


def test_few_traces_are_read_ahead_and_who_stops_early_leaves_no_process(matcher):
    taken = []

    def endless():
        for seed in range(10**6):
            taken.append(seed)
            yield trace(seed % 3, times=30)

    found = match_many(matcher, endless(), workers=2)
    assert isinstance(next(found), Match)
    assert len(taken) < 50
    found.close()
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_is_told_and_not_waited_for(matcher):
    found = match_many(matcher, (trace(seed, times=30) for seed in range(10**6)), workers=2)
    next(found)
    for process in multiprocessing.active_children():
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(Unavailable, match="a process that matched ended before its work"):
        list(found)


def test_roads_replaced_under_the_matcher_are_not_matched_on(matcher):
    grid(one_way=("0>1",)).save(matcher.network.path)
    with pytest.raises(Unavailable, match=r"town\.roads was replaced while it was in use; load it again"):
        list(match_many(matcher, [trace(0)], workers=2))


def test_no_traces_have_no_matches(matcher):
    assert list(match_many(matcher, [], workers=2)) == []


def test_what_cannot_be_shared_and_no_workers_are_refused_at_once():
    with pytest.raises(InvalidInput, match="workers is 0; give 1 or more"):
        match_many(Matcher(grid()), [], workers=0)
    with pytest.raises(
        InvalidInput, match=r"this one has none; save it, and make the matcher of RoadNetwork"
    ):
        match_many(Matcher(grid()), [], workers=2)


def test_a_column_the_matcher_does_not_know_is_refused():
    (found,) = match_many(Matcher(grid()), [trace(0) | {"speed": [1.0]}])
    assert str(found).startswith("unknown column speed; a trace has t_s, lon, lat")
