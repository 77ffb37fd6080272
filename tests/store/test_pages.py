"""A device's fixes in a window, however long and however many, some at a time."""

import numpy as np
import pytest

from geo_policing.errors import InvalidTimeWindow
from geo_policing.model import FixColumns, TimeWindow, from_us
from geo_policing.model.fix import FIX_SCHEMA
from geo_policing.store import FixStore
from geo_policing.store import fixes as fixes_module
from geo_policing.store.history import layout, pages
from geo_policing.store.history.keeper import Keeper
from tests.store.moving import DAY_US, FIRST_DAY, T, fixes_at, rows, walks

YEARS = TimeWindow(from_us(T - 2000 * DAY_US), from_us(T + 2000 * DAY_US))


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Three days of some devices, sealed in two parts, in one, or not at all; many fixes at one instant."""
    monkeypatch.setattr(layout, "GROUP_ROWS", 20)
    monkeypatch.setattr(pages, "MOST_ROWS", 60)
    fixes = walks(np.random.default_rng(1), days=3)
    late = np.arange(len(fixes)) % 7 == 0
    with FixStore(tmp_path / "fixes.duckdb") as store:
        for part in (fixes.take(~late), fixes.take(late & (fixes.time < T + DAY_US))):
            store.append(part.take(part.time < T + 2 * DAY_US))
            Keeper(store).seal(FIRST_DAY + 2)
        store.append(fixes.take(~late & (fixes.time >= T + 2 * DAY_US)))
        n = 150
        at_once = np.full(n, T + DAY_US // 2), 113.0 + np.arange(n) * 1e-7, np.full(n, 27.8)
        store.append(fixes_at(np.full(n, "d1", object), *at_once))
        yield store


def alike(fixes):
    return [getattr(fixes, field.name).dtype for field in FIX_SCHEMA], rows(fixes)


@pytest.mark.parametrize("size", [1, 37, 100_000])
def test_pages_are_the_window_in_order_and_none_is_longer_than_asked_for(store, monkeypatch, size):
    found = list(store.pages("d1", YEARS, size))
    assert 0 < max(map(len, found)) <= size
    assert min(map(len, found)) > 0
    together = FixColumns.concatenated(found)
    assert (np.diff(together.time) >= 0).all()
    monkeypatch.setattr(pages, "MOST_ROWS", 10**9)
    at_once = store.window("d1", YEARS)
    assert len(at_once) > 500
    assert alike(together) == alike(at_once)
    assert together.time.tolist() == at_once.time.tolist()
    assert together.received.tolist() == at_once.received.tolist()


def test_no_more_is_in_memory_than_a_bound_says_but_for_what_is_of_one_second(store, monkeypatch):
    read = []

    def counted(now, device, start_us, end_us):
        found = read_(now, device, start_us, end_us)
        read.append((0 if found is None else len(found), end_us - start_us))
        return found

    read_ = pages._read
    monkeypatch.setattr(pages, "_read", counted)
    list(store.pages("d1", YEARS))
    assert max(count for count, span_us in read if span_us > 1_000_000) <= pages.MOST_ROWS
    assert max(count for count, _ in read) >= 150


def test_what_is_sealed_between_two_pages_is_neither_lost_nor_told_twice(store):
    expected = store.window("d1", YEARS)
    found = []
    for n, page in enumerate(store.pages("d1", YEARS, 50)):
        found.append(page)
        if n == 1:
            Keeper(store).seal(FIRST_DAY + 9)
        if n == 3:
            Keeper(store).compact()
    assert rows(FixColumns.concatenated(found)) == rows(expected)


def test_of_nobody_there_is_no_page(store):
    assert list(store.pages("nobody", YEARS)) == []
    assert len(store.window("nobody", YEARS)) == 0


def test_more_than_memory_should_hold_is_refused_with_what_to_do(store, monkeypatch):
    monkeypatch.setattr(fixes_module, "MOST_FIXES", 300)
    with pytest.raises(InvalidTimeWindow, match=r"more than 300 fixes in .*; ask for shorter windows"):
        store.window("d1", YEARS)
    with pytest.raises(InvalidTimeWindow, match="more than 300 fixes"):
        store.between(YEARS)
    short = TimeWindow(from_us(T), from_us(T + DAY_US // 3))
    assert 0 < len(store.window("d1", short)) <= 300
