"""Looks on SQLite and PostgreSQL."""

from dataclasses import replace

import pytest

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.store import Look, Records

T = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
SECOND = 1_000_000
LOOK = Look(
    T, "wang.li", "detective", "10.0.0.7", "/api/tracks/patrol-07?datetime=a/b", 12, "patrol-07", T, T + 1
)


@pytest.fixture
def records(url):
    with Records(url) as records:
        yield records


def test_a_look_comes_back_as_it_was_with_a_number(records):
    bare = Look(T + SECOND, "李", "analyst", "::1", "/api/incidents", 0)
    records.looks.add(LOOK)
    records.looks.add(bare)
    newest, oldest = records.looks.list()
    assert newest.id > oldest.id > 0
    assert [replace(look, id=0) for look in (newest, oldest)] == [bare, LOOK]


def test_looks_are_chosen_by_who_and_when_and_paged(records):
    for n in range(6):
        records.looks.add(replace(LOOK, at_us=T + n * SECOND, account="li" if n % 2 else "wang.li", rows=n))
    assert [look.rows for look in records.looks.list(account="li")] == [5, 3, 1]
    window = TimeWindow.parse("2026-03-01T00:00:01Z/2026-03-01T00:00:04Z")
    assert [look.rows for look in records.looks.list(window)] == [3, 2, 1]
    first = records.looks.list(window, "li", limit=1)
    assert [look.rows for look in records.looks.list(window, "li", before=first[-1].id)] == [1]
    assert records.looks.list(account="nobody") == []


def test_looks_outlive_a_restart_and_numbers_are_given_once(records, url):
    records.looks.add(LOOK)
    (first,) = records.looks.list()
    with Records(url) as again:
        again.looks.add(LOOK)
        assert [look.id > first.id for look in again.looks.list()] == [True, False]


def test_what_a_database_cannot_hold_is_refused_and_not_kept(records):
    with pytest.raises(InvalidInput, match="cannot hold"):
        records.looks.add(replace(LOOK, device="\ud800"))
    assert records.looks.list() == []
