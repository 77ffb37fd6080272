"""The matcher fed fix by fix against a twin that keeps all it has heard and forgets nothing."""

import math
from itertools import pairwise

import numpy as np
import pytest

from geo_policing.kernels import edge_candidates, map_matching, matching_step, online_matching
from geo_policing.kernels.trace_matching import Reading
from geo_policing.kernels.way_search import scratch
from tests.kernels.town import MODEL, Town, model_of

CANDIDATES, HELD = 5, 2
READING = Reading(
    sigma_m=15.0,
    course_kappa=1.5,
    course_mps=3.0,
    radius_m=70.0,
    wide_radius_m=150.0,
    candidates=CANDIDATES,
    held=HELD,
    thin_m=25.0,
    thin_s=30.0,
    least_m=5.0,
    gap_s=15.0,
    gap_intervals=4.0,
    gap_m=100.0,
    fastest_mps=70.0,
)


def usual_s(t_s):
    """Median of the last seven times between fixes that are not equal."""
    apart = [b - a for a, b in pairwise(t_s) if b > a]
    return float(np.median(apart[-7:])) if apart else 0.0


def heard_and_used(t_s, x, y):
    """Numbers of the fixes that are not late, and of those of them that are far enough from the last used."""
    heard, used, spoken = [], [], None
    for i in range(len(t_s)):
        if heard and t_s[i] < t_s[heard[-1]]:
            continue
        heard.append(i)
        alike_m = max(READING.least_m, READING.thin_m * math.exp(-usual_s(t_s[heard]) / READING.thin_s))
        if spoken is None or math.dist(spoken, (x[i], y[i])) >= alike_m:
            spoken = x[i], y[i]
            used.append(i)
    return heard, used


class Twin:
    """The whole lattice of one device, with what was said and who is out."""

    def __init__(self, town, table, columns, lag_s, lag_fixes):
        t_s, x, y, speed_mps, course_deg, accuracy_m = columns
        self.lag_s, self.lag_fixes, self.model = lag_s, lag_fixes, model_of(MODEL)
        self.heard, used = heard_and_used(t_s, x, y)
        sigma_m = np.where(np.isnan(accuracy_m), READING.sigma_m, np.clip(accuracy_m, 7.5, 50.0))
        near = [
            [column[0] for column in town.candidates(x[i : i + 1], y[i : i + 1], r, CANDIDATES, wide_m=150.0)]
            for i, r in zip(used, np.clip(3.0 * sigma_m[used], 70.0, 150.0), strict=True)
        ]
        self.on_roads = near[-1][0][0] >= 0
        # Who has no road near is as if not used.
        self.used = [i for i, (edge, _, _) in zip(used, near, strict=True) if edge[0] >= 0]
        edge, distance, offset = (
            np.array(column) for column in zip(*(c for c in near if c[0][0] >= 0), strict=True)
        )
        emission = map_matching.emission_logp(distance, sigma_m[self.used])
        sharp = (speed_mps[self.used] >= 3.0) & np.isfinite(course_deg[self.used])
        heading = edge_candidates.headings(edge, offset, *town.geometry)
        emission += map_matching.course_logp(heading, course_deg[self.used], np.where(sharp, 1.5, 0.0))
        self.t_s, self.emission, self.edge, self.offset = t_s, emission, edge, offset
        self.around = x[self.used], y[self.used]
        self.town, self.table = town, table
        self.lattice = matching_step.lattice(len(self.used), CANDIDATES + HELD)

    def said(self):
        """Fix, edge and metre of each final place, in the order in which they became final, and when."""
        to, by = self.lattice, matching_step.room(CANDIDATES, CANDIDATES + HELD)
        on, stamp, last, so_far = scratch(0), 0, -1, []
        for i in self.heard:
            new = i in self.used
            if new:
                last += 1
                if last == 0:
                    to.edge[0, :CANDIDATES], to.offset[0, :CANDIDATES] = self.edge[0], self.offset[0]
                    to.score[0, :CANDIDATES] = np.where(self.edge[0] >= 0, self.emission[0], -np.inf)
                else:
                    on, stamp = matching_step.advance(
                        *(last, *self.around, self.emission, self.edge, self.offset),
                        *(self.town.ways, self.table, self.model, to, by, on, stamp),
                    )
            # Where nothing new is told, only too long a wait makes anything final.
            waiting = last + 1 - len(so_far)
            if new or (waiting > 1 and self.t_s[i] - self.t_s[self.used[len(so_far) + 1]] > self.lag_s):
                so_far += [(i, *place) for place in self._settled(last, self.t_s[i], len(so_far))]
        return so_far + [(math.inf, *place) for place in self._places(last, len(so_far), last)]

    def now(self):
        """Edge, metre and time of the likeliest place of the last used fix, after all was said."""
        best = int(self.lattice.score[-1].argmax())
        if best >= CANDIDATES or not self.on_roads:
            return -1, math.nan, math.nan
        return self.edge[-1][best], self.offset[-1][best], self.t_s[self.used[-1]]

    def _from(self, last, j, r):
        """The state of the used fix r that state j of the used fix `last` came from."""
        for i in range(last, r, -1):
            j = self.lattice.back[i, j]
        return j

    def _places(self, last, first, end):
        best = int(self.lattice.score[last].argmax())
        for r in range(first, end + 1):
            j = self._from(last, best, r)
            edge = self.lattice.edge[r, j] if j < CANDIDATES else -1
            yield self.used[r], edge, self.lattice.offset[r, j]

    def _settled(self, last, now_s, first):
        """Places that are final at now_s, from the used fix `first` on; who came from elsewhere is out."""
        score = self.lattice.score[last]
        least = score.max() - self.model.jump_cost - map_matching.SLACK
        alive = [j for j in range(len(score)) if score[j] >= least]
        for r in range(last, -1, -1):
            came_from = {self._from(last, j, r) for j in alive}
            waited_s = now_s - self.t_s[self.used[r + 1]] if r < last else -math.inf
            if len(came_from) == 1 or last - r >= self.lag_fixes or waited_s > self.lag_s:
                places = list(self._places(last, first, r))
                kept = self._from(last, int(score.argmax()), r)
                for j in range(len(score)):
                    if j not in alive or self._from(last, j, r) != kept:
                        score[j] = -np.inf
                return places
        return []


def drive(rng, n):
    """A random walk with stops, late fixes and outliers, some fixes of which know their course and error."""
    # Back and forth in the town: a walk would leave it.
    stands = rng.random(n) < 0.2
    at = 300.0 + 250.0 * np.sin(np.cumsum(np.where(stands, 0.0, rng.uniform(0.0, 0.4, (2, n))), axis=1))
    x, y = at + np.where(stands, 2.0, 20.0) * rng.normal(0.0, 1.0, (2, n))
    x[rng.random(n) < 0.06] += 400.0
    t_s = np.cumsum(rng.choice([0.0, 1.0, 3.0, 20.0], n, p=[0.1, 0.5, 0.3, 0.1]))
    t_s[rng.random(n) < 0.05] -= 30.0
    speed_mps, course_deg = rng.uniform(0.0, 9.0, n), rng.uniform(0.0, 360.0, n)
    course_deg[::3] = np.nan
    accuracy_m = np.where(rng.random(n) < 0.5, np.nan, rng.uniform(2.0, 60.0, n))
    return t_s, x, y, speed_mps, course_deg, accuracy_m


LAGS = [(10.0, 5), (math.inf, 3), (4.0, 9), (0.0, 0), (math.inf, 40)]


@pytest.mark.parametrize(("lag_s", "lag_fixes"), LAGS)
@pytest.mark.parametrize("seed", range(3))
def test_what_becomes_final_and_when_is_what_a_twin_that_forgets_nothing_says(seed, lag_s, lag_fixes):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    table = town.table(8)
    drives = [drive(rng, 40), drive(rng, 40)]
    devices = online_matching.devices(2, lag_fixes, READING)
    rest = (lag_s, lag_fixes, *town.drawn(), town.ways, table, READING, model_of(MODEL), devices)
    said = []
    for i in range(40):
        # Both devices in one call, by turns the one and the other first.
        who = np.array([i % 2, 1 - i % 2])
        columns = [np.array([drives[d][c][i] for d in who]) for c in range(6)]
        said += [(i, *place) for place in zip(*online_matching.feed(who, *columns, *rest), strict=True)]
    left = online_matching.finish(np.array([0, 1]), READING, model_of(MODEL), devices)
    said += [(math.inf, *place) for place in zip(*left, strict=True)]
    for d in range(2):
        found = [(when, fix, edge, offset) for when, who, fix, _, edge, offset, _ in said if who == d]
        expected = Twin(town, table, drives[d], lag_s, lag_fixes).said()
        assert [place[:3] for place in found] == [place[:3] for place in expected]
        assert [place[3] for place in found] == pytest.approx([place[3] for place in expected])
        assert len(found) > 20


@pytest.mark.parametrize("seed", range(3))
def test_where_a_device_likeliest_is_now_is_the_best_candidate_of_its_last_used_fix(seed):
    rng = np.random.default_rng(seed)
    town = Town(rng, n_nodes=12, n_streets=22)
    table = town.table(8)
    # To hold is dearer, so that there are places at all.
    columns, model = drive(rng, 60), model_of(MODEL | {"hold_cost": 10.0})
    devices = online_matching.devices(2, 5, READING)
    rest = (10.0, 5, *town.drawn(), town.ways, table, READING, model, devices)
    somewhere = []
    for i in range(60):
        online_matching.feed(np.array([1]), *(column[i : i + 1] for column in columns), *rest)
        edge, offset_m, time_s = online_matching.likeliest(np.array([0, 1]), CANDIDATES, devices)
        assert edge[0] == -1
        somewhere.append(edge[1] >= 0)
        if i >= 20:
            twin = Twin(town, table, [column[: i + 1] for column in columns], 10.0, 5)
            twin.model = model
            twin.said()
            assert (edge[1], offset_m[1], time_s[1]) == pytest.approx(twin.now(), nan_ok=True)
    # On the roads, and off them or an outlier as well.
    assert 5 < sum(somewhere[20:]) < 40
