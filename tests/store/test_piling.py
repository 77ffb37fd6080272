"""Parts of a day are merged so that few are left and each fix is seldom written again."""

import math

import numpy as np
import pytest

from geo_policing.store.history.manifest import Part, SealedFile
from geo_policing.store.history.piling import ENDED, RUNNING, piled_up


def part(number, rows):
    file = SealedFile("", rows, 0, "")
    return Part(number, 0, 0, 0, None, file, file, file)


def merged(parts, times):
    """Return the parts with those that are to become one as one, and how many fixes were written for it."""
    some = piled_up(tuple(parts), times)
    if not some:
        return parts, 0
    rows = sum(one.rows for one in some)
    return [*parts[: len(parts) - len(some)], part(some[-1].id, rows)], rows


@pytest.mark.parametrize("times", [RUNNING, 2.0, ENDED])
@pytest.mark.parametrize("seed", range(5))
def test_few_parts_are_left_and_what_is_written_again_is_bounded(seed, times):
    rng = np.random.default_rng(seed)
    parts, written = [], 0
    sizes = rng.integers(1, 10 ** int(rng.integers(1, 5)), 300).tolist()
    for number, rows in enumerate(sizes):
        parts, again = merged([*parts, part(number, rows)], times)
        written += again
        assert sum(one.rows for one in parts) == sum(sizes[: number + 1])
        assert [one.id for one in parts] == sorted(one.id for one in parts)
        after = 0
        for one in reversed(parts):
            assert one.rows >= times * after
            after += one.rows
        # Each has `times` as many fixes as all after it, so all so far grow by 1 + `times` with each.
        assert len(parts) <= 1 + math.log(after, 1 + times)
        assert piled_up(tuple(parts), times) == ()
    # Once as the newest one; the oldest of a merge was less than `times` the others, so it grows by
    # 1 / `times` of itself, and the others were less than 1 / `times` of it, so they grow by `times`.
    grows = min(1 + times, 1 + 1 / times)
    assert written <= sum(sizes) * (1 + math.log(sum(sizes), grows))


def test_a_few_late_fixes_do_not_write_a_day_that_has_ended_anew():
    day = (part(1, 18_000_000), part(2, 900), part(3, 100))
    assert [one.id for one in piled_up(day, ENDED)] == [2, 3]
    assert piled_up((part(1, 18_000_000), part(4, 1_000)), ENDED) == ()
    assert len(piled_up((part(1, 18_000_000), part(4, 1_200_000)), ENDED)) == 2


def test_one_part_and_none_stay():
    assert piled_up((), RUNNING) == piled_up((part(1, 5),), RUNNING) == ()
    assert len(piled_up((part(1, 5), part(2, 9)), RUNNING)) == 2
    assert piled_up((part(1, 9), part(2, 5)), RUNNING) == ()
