"""Times on a path, and what nobody saw of it, against their naive twins."""

import numpy as np
import pytest

from geo_policing.kernels import path_joining, path_times
from tests import naive


@pytest.mark.parametrize("seed", range(6))
def test_edges_are_entered_when_the_usual_times_between_the_places_say(seed):
    rng = np.random.default_rng(seed)
    m, p = 9, 14
    length_m, usual_s = rng.uniform(20.0, 300.0, m), rng.uniform(2.0, 60.0, m)
    path = rng.integers(0, m, p).astype(np.int32)
    at = np.sort(np.concatenate([[0, p - 1], rng.integers(0, p, 8)]))
    # A second path begins in the middle, with a place on its first edge and one on the last edge before.
    cut = int(rng.integers(1, p))
    at = np.sort(np.concatenate([at, [cut - 1, cut]]))
    starts = np.zeros(len(at), bool)
    starts[0] = starts[np.searchsorted(at, cut)] = True
    left_m = rng.uniform(0.0, 1.0, len(at)) * length_m[path[at]]
    t_s = np.cumsum(rng.uniform(0.0, 20.0, len(at)))
    found = path_times.entered(path, at, starts, left_m, t_s, usual_s, length_m)
    assert found == pytest.approx(naive.entered(path, at, starts, left_m, t_s, usual_s, length_m))


@pytest.mark.parametrize("seed", range(6))
def test_a_stretch_is_unseen_where_nothing_was_heard_or_what_was_heard_does_not_fit(seed):
    rng = np.random.default_rng(seed)
    n = 60
    t_s = np.cumsum(rng.choice([1.0, 2.0, 40.0], n, p=[0.6, 0.3, 0.1]))
    x, y = np.cumsum(rng.normal(0.0, 60.0, (2, n)), axis=1)
    speaker = path_joining.thin(x, y, 50.0)
    speaks = np.flatnonzero(speaker == np.arange(n))
    fix = speaks[rng.random(len(speaks)) < 0.8]
    limits = (30.0, 80.0, 70.0)
    found = path_times.unseen(t_s, speaker, fix, x[fix], y[fix], *limits)
    assert found.tolist() == naive.unseen(t_s, speaker.tolist(), fix.tolist(), x[fix], y[fix], *limits)
    assert 0 < found.sum() < len(found)
    assert path_times.usual_interval(t_s) == np.median(np.diff(t_s))
    assert path_times.usual_interval(t_s[:1]) == 0.0
