"""The fixes behind a result: the first, the last and some between, whatever is sealed."""

import numpy as np
import pytest

from geo_policing.model.moves import Stretch
from geo_policing.store import FixStore
from geo_policing.store.history.evidence import evidence
from geo_policing.store.history.keeper import Keeper
from tests.store.moving import DAY_US, FIRST_DAY, T, rows, walks


def twin(fixes, asked, most):
    """Plain loops over plain lists: count and the chosen fixes of a stretch."""
    mine = sorted(
        (t, r, x, y)
        for d, t, r, x, y in zip(
            *(getattr(fixes, n).tolist() for n in ("device", "time", "received", "lon", "lat")), strict=True
        )
        if d == asked.device and asked.first_us - asked.around_us <= t <= asked.last_us + asked.around_us
    )
    before = [t for t, *_ in mine if t <= asked.first_us]
    after = [t for t, *_ in mine if t >= asked.last_us]
    low = max(before) if before else asked.first_us
    high = min(after) if after else asked.last_us
    mine = [fix for fix in mine if low <= fix[0] <= high]
    step = -(-len(mine) // (most - 1))
    return len(mine), [f for i, f in enumerate(mine) if i in (0, len(mine) - 1) or i % step == 0]


@pytest.mark.parametrize("seed", range(6))
def test_stretches_are_what_plain_loops_choose(seed, tmp_path):
    rng = np.random.default_rng(seed)
    fixes = walks(rng, days=3)
    asked = []
    for _ in range(60):
        first = T + int(rng.integers(-DAY_US // 10, 3 * DAY_US))
        length = int(rng.choice([0, 1_000_000, 600_000_000, DAY_US, 3 * DAY_US]))
        around = int(rng.choice([0, 120_000_000]))
        asked.append(Stretch(f"d{rng.integers(0, 5)}", first, first + length, around))
    # Some begin and end exactly at fixes.
    asked += [
        Stretch(fixes.device[i], int(fixes.time[i]), int(fixes.time[i]) + 60_000_000)
        for i in rng.integers(0, len(fixes), 20).tolist()
    ]
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes)

        def same():
            for one, found in zip(asked, evidence(store, asked, 6), strict=True):
                some = found.some
                told = zip(
                    *(getattr(some, n).tolist() for n in ("time", "received", "lon", "lat")), strict=True
                )
                assert (found.count, list(told)) == twin(fixes, one, 6)
                assert len(some) <= 7
                assert rows(some) == sorted(rows(some))
                assert set(some.source) <= {"nmea0183:tcp:7001"}

        same()
        Keeper(store).seal(FIRST_DAY + 2)
        same()


def test_nothing_is_asked_of_the_history_for_no_stretch(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        assert evidence(store, [], 10) == []
        (nobody,) = evidence(store, [Stretch("ghost'", 0, DAY_US)], 10)
        assert (nobody.count, len(nobody.some)) == (0, 0)
