"""The row groups of a footer are found where a reader that goes through it by the book finds them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geo_policing.kernels.footer_groups import row_groups


class Naive:
    """Thrift's compact protocol, value by value."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        bits = []
        while True:
            byte = self.byte()
            bits.append(byte & 127)
            if byte < 128:
                return sum(b << 7 * n for n, b in enumerate(bits))

    def list(self):
        head = self.byte()
        count = head >> 4 if head >> 4 < 15 else self.varint()
        return head & 15, count

    def fields(self):
        """Yield number and type of each field of a struct; each is to be gone through before the next."""
        number = 0
        while head := self.byte():
            if head >> 4:
                number += head >> 4
            else:
                zigzag = self.varint()
                number = zigzag >> 1 if zigzag % 2 == 0 else -(zigzag >> 1) - 1
            yield number, head & 15

    def value(self, kind, in_list=False):
        if kind in (1, 2):
            self.at += in_list
        elif kind == 3:
            self.at += 1
        elif kind in (4, 5, 6):
            self.varint()
        elif kind == 7:
            self.at += 8
        elif kind == 8:
            length = self.varint()
            self.at += length
        elif kind in (9, 10):
            inner, count = self.list()
            for _ in range(count):
                self.value(inner, in_list=True)
        else:
            assert kind == 12
            for _, inner in self.fields():
                self.value(inner)

    def row_groups(self):
        for number, kind in self.fields():
            if number == 4:
                found = [self.at]
                _, count = self.list()
                for _ in range(count):
                    found.append(self.at)
                    self.value(12)
                return [*found, self.at]
            self.value(kind)
        return []


def footer(path):
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    return data[-8 - length : -8]


def some_file(path, groups, seed, **options):
    rng = np.random.default_rng(seed)
    n = 40 * groups
    columns = {
        "device": pa.array([f"car-{k:0{1 + k % 9}d}" for k in rng.integers(0, 10**6, n).tolist()]),
        "time": np.sort(rng.integers(0, 1 << 60, n)),
        "lon": rng.normal(113, 1, n),
        "seen": rng.random(n) < 0.5,
        "codes": pa.array([list(range(k % 3)) for k in range(n)]),
    }
    pq.write_table(pa.table(columns), path, row_group_size=40, **options)
    assert pq.read_metadata(path).num_row_groups == groups


OPTIONS = [
    {},
    {"write_statistics": False, "compression": "zstd"},
    {"write_page_index": True, "use_dictionary": False, "version": "1.0"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("groups", [1, 2, 14, 15, 16, 130])
def test_row_groups_are_where_the_naive_reader_finds_them(tmp_path, groups, options):
    some_file(tmp_path / "a.parquet", groups, groups, **options)
    data = footer(tmp_path / "a.parquet")
    found = row_groups(np.frombuffer(data, np.uint8)).tolist()
    assert found == Naive(data).row_groups()
    assert len(found) == groups + 2


def test_a_footer_that_is_cut_or_of_something_else_has_none(tmp_path):
    some_file(tmp_path / "a.parquet", 3, 1)
    data = np.frombuffer(footer(tmp_path / "a.parquet"), np.uint8)
    end = int(row_groups(data)[-1])
    for length in range(end):
        assert len(row_groups(data[:length])) == 0
    rng = np.random.default_rng(1)
    for _ in range(2000):
        # It ends, and finds nothing or places that are in it.
        found = row_groups(rng.integers(0, 256, rng.integers(0, 60)).astype(np.uint8))
        assert (np.diff(found) > 0).all()
        wrong = data.copy()
        wrong[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
        found = row_groups(wrong)
        assert ((found >= 0) & (found < len(data))).all()
