"""Searches kept under their cases, on SQLite and PostgreSQL."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from geo_policing.errors import Conflict, InvalidInput, NotFound, Unavailable
from geo_policing.store import Look, Records
from geo_policing.store.searches import KeptSearch

T = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
LOOK = Look(T, "wang.li", "detective", "10.0.0.7", "/api/investigations/A1/searches/footholds", 2, "taxi-1")
QUESTION = {"device": "taxi-1", "stay_s": 1200, "radius_m": 100.0, "area": {"coordinates": [[113.1, 27.8]]}}
KEPT = KeptSearch(
    *("k1", "A1", "盗窃案", "wang.li", "detective", "10.0.0.7", T, "footholds", QUESTION), found=2, told=1
)
ANSWER = {"found": 2, "results": [{"device": "taxi-1", "name": "湘B·T0001"}], "next": None}


@pytest.fixture
def records(url):
    with Records(url) as records:
        yield records


def test_a_search_and_its_answer_come_back_as_they_were_and_the_look_with_them(records, url):
    records.searches.add(KEPT, ANSWER, LOOK)
    with Records(url) as again:
        assert again.searches.get("k1") == KEPT
        assert again.searches.answer("k1") == again.searches.answer("k1", "A1") == ANSWER
        assert [replace(look, id=0) for look in again.looks.list()] == [LOOK]


def test_one_of_another_case_is_not_there(records):
    records.searches.add(KEPT, ANSWER, LOOK)
    with pytest.raises(NotFound, match="no search 'k1'"):
        records.searches.answer("k1", "B2")
    for ask in (records.searches.get, records.searches.answer):
        with pytest.raises(NotFound, match="no search 'k2'"):
            ask("k2")


def test_one_that_was_refused_has_no_answer_but_why(records):
    records.searches.add(replace(KEPT, found=0, told=0, problem="the window is too long"), None, LOOK)
    assert records.searches.get("k1").problem == "the window is too long"
    with pytest.raises(Conflict, match="no answer, ask again: the window is too long"):
        records.searches.answer("k1")


def test_those_of_a_case_come_the_newest_first_in_pages_without_loss(records):
    for n in range(7):
        # Two at the same moment are told apart by their ids.
        kept = replace(KEPT, id=f"k{n}", asked_us=T + n // 2, case_number="B2" if n == 6 else "A1")
        records.searches.add(kept, ANSWER, LOOK)
    whole = [kept.id for kept in records.searches.of_case("A1")]
    assert sorted(whole) == ["k0", "k1", "k2", "k3", "k4", "k5"]
    assert [int(key[1]) // 2 for key in whole] == [2, 2, 1, 1, 0, 0]
    found, before = [], None
    while page := records.searches.of_case("A1", limit=1, before=before):
        found += [kept.id for kept in page]
        before = found[-1]
    assert found == whole
    with pytest.raises(NotFound):
        records.searches.of_case("A1", before="k6")


def test_neither_is_kept_without_the_other(records, url):
    records.searches.add(KEPT, ANSWER, LOOK)
    with pytest.raises(sa.exc.IntegrityError):  # the same id again
        records.searches.add(KEPT, ANSWER, LOOK)
    with pytest.raises(InvalidInput, match="cannot hold"):
        records.searches.add(replace(KEPT, id="k2", reason="\ud800"), ANSWER, LOOK)
    other = sa.create_engine(url)
    with other.begin() as db:
        db.execute(sa.text("ALTER TABLE searches RENAME TO away"))
    other.dispose()
    # PostgreSQL calls a table that is not there a fault of the program.
    with pytest.raises((Unavailable, sa.exc.ProgrammingError)):
        records.searches.add(replace(KEPT, id="k3"), ANSWER, LOOK)
    assert len(records.looks.list()) == 1


def test_nothing_changes_or_deletes_one(records):
    assert {name for name in dir(records.searches) if not name.startswith("_")} == {
        "add",
        "answer",
        "get",
        "of_case",
    }
