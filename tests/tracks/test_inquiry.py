"""What is told of a search: pages that end where there would be too much, and evidence for all of it."""

import numpy as np
import pytest

from geo_policing.model import Device, DeviceKind, FixColumns
from geo_policing.model.moves import Moves, Proof, Visits, Ways
from geo_policing.tracks.inquiry import SEARCHES, Permitted, document
from geo_policing.tracks.inquiry.answer import FIXES_A_SPAN, SPANS, SPANS_A_HIT
from geo_policing.tracks.inquiry.found import Found, Hit, Span
from geo_policing.tracks.inquiry.questions import Companions, Presences
from geo_policing.tracks.searches import Area

AREA = {"type": "Point", "coordinates": [113.14, 27.83], "radius_m": 100}
WINDOW = "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"


def presences(**more):
    return Presences(area=AREA, window=WINDOW, **more)


def found_of(spans_of_each):
    hits = [
        Hit(f"d{n}", {}, tuple(Span(f"d{n}", "presence", k, k + 1, k, k + 1) for k in range(spans)))
        for n, spans in enumerate(spans_of_each)
    ]
    return Found(hits)


class Reader:
    """Evidence without fixes; it remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, stretches, most):
        assert most == FIXES_A_SPAN
        self.asked += stretches
        return [Proof(0, FixColumns.from_fixes([]))] * len(stretches)


def test_a_page_ends_where_there_would_be_too_much_evidence_and_the_next_goes_on():
    found = found_of([1000] * 200)
    told, skip = [], 0
    while skip is not None:
        read = Reader()
        page = document(found, presences(limit=500, skip=skip), read, {})
        assert len(read.asked) <= SPANS
        assert page["told"] == len(page["results"]) == min(SPANS // SPANS_A_HIT, 200 - len(told))
        told += [result["rank"] for result in page["results"]]
        skip = page["next"]
    assert told == list(range(1, 201))


def test_of_one_result_the_first_stretches_are_told_and_how_many_there_are():
    read = Reader()
    page = document(found_of([7, 1000]), presences(), read, {})
    assert [result["evidence"] for result in page["results"]] == [7, 1000]
    assert [one.device for one in read.asked] == ["d0"] * 7 + ["d1"] * SPANS_A_HIT
    assert [one.first_us for one in read.asked if one.device == "d1"] == list(range(SPANS_A_HIT))


def test_beyond_the_last_result_there_is_nothing_and_no_next_page():
    page = document(found_of([1, 1]), presences(skip=2), Reader(), {})
    assert (page["found"], page["told"], page["next"], page["results"]) == (2, 0, None, [])


def test_evidence_whose_fixes_are_gone_has_no_place():
    page = document(found_of([1]), presences(), Reader(), {})
    assert [(f["geometry"], f["properties"]["fixes"]) for f in page["features"]] == [(None, 0)]


def test_the_evidence_is_sought_for_those_alone_who_are_told():
    sought = []

    def proven(hits):
        sought.extend(hit.device for hit in hits)
        return list(hits)

    hits = [Hit(f"d{n}", {}) for n in range(10)]
    document(Found(hits, proven=proven), presences(limit=2, skip=4), Reader(), {})
    assert sought == ["d4", "d5"]


def test_a_device_that_is_not_admitted_is_said_to_be_none():
    question = Companions(device="ghost", window=WINDOW)
    assert document(Found([]), question, Reader(), {})["notes"] == ["no device 'ghost' is admitted"]
    known = {"ghost": Device("ghost", DeviceKind.TAXI)}
    assert document(Found([]), question, Reader(), known)["notes"] == []


@pytest.mark.parametrize("seed", range(5))
def test_who_may_not_be_searched_was_never_there(seed):
    rng = np.random.default_rng(seed)
    names = tuple(f"d{n}" for n in range(6))
    device = rng.integers(0, 6, 50).astype(np.int32)
    rows = [np.arange(50, dtype=np.uint64), np.arange(50), np.arange(50) + 5]

    class History:
        def visits(self, cells, start_us, end_us):
            return Visits(names, device, *rows)

        def ways(self, place, start_us, end_us):
            moves = Moves(names, device, rows[1], rows[1] / 2, rows[1] / 4)
            return Ways(moves, rows[0] % 2 == 0, frozenset(names[:4]))

        def moves(self, start_us, end_us, devices):
            return sorted(devices)

        fixes = moves

    without = {name for name in names if rng.random() < 0.5}
    found = Permitted(History(), without).visits(np.empty(0, np.uint64), 0, 1)
    kept = [(names[d], k) for k, d in enumerate(device.tolist()) if names[d] not in without]
    assert [
        (found.names[d], c) for d, c in zip(found.device.tolist(), found.cell.tolist(), strict=True)
    ] == kept
    assert without.isdisjoint(found.names)
    assert found.first_s.tolist() == [k for _, k in kept]
    assert found.last_s.tolist() == [k + 5 for _, k in kept]
    ways = Permitted(History(), without).ways(Area.circle(113.13, 27.83, 100), 0, 1)
    moves = ways.moves
    found = [(moves.names[d], k) for d, k in zip(moves.device.tolist(), moves.time.tolist(), strict=True)]
    assert found == kept
    assert ways.onward.tolist() == [k % 2 == 0 for _, k in kept]
    assert ways.unsure == set(names[:4]) - without
    assert moves.time.tolist() == [k for _, k in kept]
    assert moves.lon.tolist() == [k / 2 for _, k in kept]
    assert moves.lat.tolist() == [k / 4 for _, k in kept]
    for asked in ("moves", "fixes"):
        assert getattr(Permitted(History(), without), asked)(0, 1, names) == sorted(set(names) - without)


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_has_a_definition_and_describes_each_field(name):
    search = SEARCHES[name]
    assert len(search.definition) > 60
    assert "Parameters" not in search.definition
    schema = search.question.model_json_schema()
    for field, about in schema["properties"].items():
        if field not in ("area", "window", "device", "line", "moment"):
            assert about.get("description"), field
