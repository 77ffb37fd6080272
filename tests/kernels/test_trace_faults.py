"""The first fault of a trace against a plain look at each fix."""

import math

import numpy as np
import pytest

from geo_policing.kernels import trace_faults
from geo_policing.kernels.trace_faults import BACKWARD, NO_LAT, NO_LON, NO_TIME, OFF_EARTH, SOUND


def faults(t, lon, lat, ordered):
    """All that is wrong, as pairs of fault and fix."""
    for i in range(len(t)):
        for fault, column in ((NO_TIME, t), (NO_LON, lon), (NO_LAT, lat)):
            if not math.isfinite(column[i]):
                yield fault, i
                break
        else:
            if abs(lon[i]) > 180.0 or abs(lat[i]) > 90.0:
                yield OFF_EARTH, i
            elif ordered and i > 0 and t[i] < t[i - 1]:
                yield BACKWARD, i


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_the_worst_fault_is_named_with_its_first_fix(seed, ordered):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 9))
    t = np.sort(rng.uniform(0.0, 10.0, n))
    lon, lat = rng.uniform(-180.0, 180.0, n), rng.uniform(-90.0, 90.0, n)
    strange = [math.nan, math.inf, -math.inf, 500.0, -500.0, 5.0]
    for column in (t, lon, lat):
        for i in range(n):
            if rng.random() < 0.15:
                column[i] = strange[rng.integers(0, len(strange))]
    expected = min(faults(t.tolist(), lon.tolist(), lat.tolist(), ordered), default=(SOUND, -1))
    assert trace_faults.first_fault(t, lon, lat, ordered) == expected


def test_the_ends_of_the_earth_are_on_it():
    lon, lat = np.array([180.0, -180.0, 0.0]), np.array([90.0, -90.0, 0.0])
    assert trace_faults.first_fault(np.zeros(3), lon, lat, True) == (SOUND, -1)
    assert trace_faults.first_fault(np.zeros(3), lon, lat + 1e-9, True) == (OFF_EARTH, 0)
