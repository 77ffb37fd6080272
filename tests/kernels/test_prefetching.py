"""Hints change nothing but the time that reading takes."""

import numpy as np
import pytest
from numba import njit

from geo_policing.kernels.prefetching import soon

EDGE = np.dtype([("node", np.int32), ("length_m", np.float64)])


@njit
def _read(array, ahead):
    for i in range(array.shape[0]):
        soon(array, i + ahead)
    return array.shape[0]


@pytest.mark.parametrize("array", [np.arange(9.0), np.ones((4, 6)), np.zeros(5, EDGE), np.empty(0, np.int32)])
@pytest.mark.parametrize("ahead", [0, 8, -20, 1 << 40])
def test_a_hint_at_what_is_not_there_does_no_harm(array, ahead):
    before = array.copy()
    assert _read(array, ahead) == len(array)
    assert np.array_equal(array, before)
