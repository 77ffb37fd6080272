"""Arrays laid together in memory."""

import errno
import mmap

import numpy as np
import pytest

from geo_policing.matching import packed
from geo_policing.roads.mapped import read_arrays, write_arrays


def owner(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    record = np.zeros(1000, [("a", np.int32), ("b", np.float64)])
    record["a"], record["b"] = rng.integers(0, 99, 1000), rng.random(1000)
    return [
        rng.random((3, 7)),
        rng.integers(0, 9, 1_000_000),
        record,
        np.empty(0, np.int32),
        np.arange(5) > 2,
    ]


def test_the_values_are_the_same_in_one_piece_of_memory_and_each_begins_on_a_line_of_the_cache(arrays):
    found = packed.pack([*arrays, arrays[1]])
    for before, after in zip([*arrays, arrays[1]], found, strict=True):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert after.tobytes() == before.tobytes()
        assert after.ctypes.data % packed.LINE == 0
        assert not after.flags.writeable
    assert {id(owner(array)) for array in found} == {id(owner(found[0]))}
    assert isinstance(owner(found[0]).obj, mmap.mmap)
    assert found[1].ctypes.data == found[-1].ctypes.data


def test_who_gave_them_may_go_on_writing_theirs(arrays):
    found = packed.pack(arrays)
    arrays[0][0, 0] = 7.0
    assert arrays[0].flags.writeable
    assert found[0][0, 0] != 7.0


def test_what_is_small_all_together_is_not_copied(arrays):
    del arrays[1]
    for before, after in zip(arrays, packed.pack(arrays), strict=True):
        assert after.ctypes.data == before.ctypes.data
        assert not after.flags.writeable


def test_what_is_mapped_from_a_file_stays_there(arrays, tmp_path):
    write_arrays(tmp_path / "one", {"a": arrays[1]}, {})
    mapped = read_arrays(tmp_path / "one")[0]["a"]
    of_file, copied = packed.pack([mapped, arrays[1]])
    assert of_file.ctypes.data == mapped.ctypes.data
    assert copied.ctypes.data != arrays[1].ctypes.data


def test_where_the_system_has_no_huge_pages_the_values_are_there_all_the_same(arrays, monkeypatch):
    asked = []

    class WithoutHugePages(mmap.mmap):
        def madvise(self, option):
            asked.append(option)
            raise OSError(errno.EINVAL, "Invalid argument")  # as a kernel that was built without them says

    monkeypatch.setattr(packed.mmap, "mmap", WithoutHugePages)
    found = packed.pack(arrays)
    assert len(asked) == hasattr(mmap, "MADV_HUGEPAGE")
    assert [array.tobytes() for array in found] == [array.tobytes() for array in arrays]


def test_of_nothing_is_nothing():
    assert packed.pack([]) == []
