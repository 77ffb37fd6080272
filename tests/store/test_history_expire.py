"""Retention by kind of device and by case hold, and the record of what was deleted."""

from dataclasses import replace

import numpy as np
import pytest

from geo_policing.errors import InvalidInput, NotFound
from geo_policing.model import TimeWindow, from_us
from geo_policing.store import FixStore
from geo_policing.store.history import tail
from geo_policing.store.history.checks import verify
from geo_policing.store.history.keeper import OTHERS, Keeper
from geo_policing.store.history.manifest import Hold, Manifest
from tests.store.moving import DAY_US, FIRST_DAY, T, rows, walks

ALL = TimeWindow(from_us(T - DAY_US), from_us(T + 99 * DAY_US))
KINDS = {"d0": "patrol_car", "d1": "officer", "d2": "officer"}  # d3 is unknown


@pytest.fixture
def store(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(walks(np.random.default_rng(1), days=3))
        yield store


def now(days):
    """An instant so many days after the first day has ended."""
    return T + (1 + days) * DAY_US


def test_each_kind_is_kept_for_its_days(store):
    before = rows(store.between(ALL))
    made = Keeper(store).expire({"officer": 10, "patrol_car": 30}, KINDS, now(11), "admin")
    # Two days are over for officers; patrol cars stay, and devices of a kind without a rule.
    kept = [row for row in before if KINDS.get(row[0]) != "officer" or row[1] >= T + 2 * DAY_US]
    assert rows(store.between(ALL)) == kept
    assert [(d.day - FIRST_DAY, d.kind, d.rule, d.devices, d.by) for d in made] == [
        (0, "officer", "officer=10", 2, "admin"),
        (1, "officer", "officer=10", 2, "admin"),
    ]
    assert sum(d.rows for d in made) == len(before) - len(kept)
    assert Manifest.read(store.folder).deletions == tuple(made)
    assert list(verify(store.folder, store.manifest)) == []
    assert Keeper(store).expire({"officer": 10, "patrol_car": 30}, KINDS, now(11), "admin") == []


def test_a_day_that_nothing_keeps_goes_as_a_whole_and_with_it_the_newest_positions(store):
    files = [store.folder / name for name in store.manifest.names]
    made = Keeper(store).expire({OTHERS: 1}, KINDS, now(50), "admin")
    assert store.count() == 0
    assert store.devices() == []
    assert {d.rule for d in made} == {"others=1"}
    assert not any(path.exists() for path in files)
    assert list(store.folder.glob("day=*/*/*.parquet")) == []


def test_what_a_case_holds_stays_until_it_is_released(store):
    before = rows(store.between(ALL))
    keeper = Keeper(store)
    hold = Hold("A-7", "d1", T + DAY_US // 2, T + 2 * DAY_US, now(0), "zhang")
    keeper.hold(hold)
    keeper.hold(hold)
    assert store.manifest.holds == (hold,)
    keeper.expire({OTHERS: 1}, KINDS, now(50), "admin")
    held = [row for row in before if row[0] == "d1" and hold.start_us <= row[1] < hold.end_us]
    assert rows(store.between(ALL)) == held
    assert keeper.release("A-7") == 1
    keeper.expire({OTHERS: 1}, KINDS, now(50), "admin")
    assert store.count() == 0
    with pytest.raises(NotFound, match="hold of case 'A-7'"):
        keeper.release("A-7")


def test_of_a_device_of_which_only_some_is_held_the_newest_of_that_is_its_newest_position(store):
    keeper = Keeper(store)
    hold = Hold("A-7", "d1", T + DAY_US // 2, T + 2 * DAY_US, now(0), "zhang")
    keeper.hold(hold)
    held = [row for row in rows(store.between(ALL)) if row[0] == "d1" and row[1] < hold.end_us]
    keeper.expire({OTHERS: 1}, KINDS, now(50), "admin")
    assert store.devices() == ["d1"]
    assert store.latest().time.tolist() == [max(row[1] for row in held)]
    # What comes late goes on from there.
    (time,) = store.latest().time.tolist()
    store.append(replace(store.latest(), time=np.array([time + 5_000_000])))
    with store.snapshot() as seen:
        moved = tail.moved(seen, time - DAY_US, time + DAY_US)
    assert moved.column("time").to_pylist() == [time, time + 5_000_000]
    keeper.release("A-7")
    keeper.expire({OTHERS: 1}, KINDS, now(50), "admin")
    assert (store.count(), store.devices()) == (0, [])


def test_a_hold_on_everybody_holds_everybody(store):
    before = rows(store.between(ALL))
    keeper = Keeper(store)
    keeper.hold(Hold("B-1", "", T, T + DAY_US, now(0), "zhang"))
    keeper.expire({OTHERS: 1}, KINDS, now(50), "admin")
    assert rows(store.between(ALL)) == [row for row in before if row[1] < T + DAY_US]


@pytest.mark.parametrize(
    ("keep", "said"), [({"tram": 5}, "no kind of device"), ({"officer": 0}, "0 is less than a day")]
)
def test_a_rule_that_cannot_be_meant_is_refused(store, keep, said):
    with pytest.raises(InvalidInput, match=said):
        Keeper(store).expire(keep, KINDS, now(50), "admin")


def test_a_hold_needs_a_case_a_window_and_a_device_that_can_be_one(store):
    for hold in (
        Hold("", "d1", T, T + 1, 0, "zhang"),
        Hold("A-7", "d1", T, T, 0, "zhang"),
        Hold("A-7", "d1' OR true --", T, T + 1, 0, "zhang"),
    ):
        with pytest.raises(InvalidInput):
            Keeper(store).hold(hold)
