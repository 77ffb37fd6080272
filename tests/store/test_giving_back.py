"""What is free goes back to the system, though something that is not lies behind it."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from geo_policing.store.history import giving_back


def resident_mb():
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(giving_back._TRIM is None, reason="the C library keeps what it likes")
def test_what_is_free_goes_back_though_something_lies_behind_it():
    pieces = [b"x" * 100_000 for _ in range(2000)]
    last = pieces.pop()
    del pieces
    before = resident_mb()
    giving_back.give_back()
    assert before - resident_mb() > 100
    assert len(last) == 100_000


def test_what_arrow_has_let_go_of_goes_back():
    some = [pa.array(range(n, n + 1000)) for n in range(2000)]
    last = some.pop()
    expected = last.to_pylist()
    del some
    giving_back.give_back()
    assert last.to_pylist() == expected
