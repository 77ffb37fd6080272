"""Slow, obvious twin of the whole filter: dense matrices, nothing forgotten, any sighting true or false."""

import numpy as np

from geo_policing.tracks.gears import Schedule


class Whole:
    """What `Smoother` tells of some anchors, within the sightings."""

    def __init__(self, lattice, model, anchors, steps, unseen, gears):
        self.lattice, self.model, self.anchors, self.steps = lattice, model, anchors, steps
        self.unseen, self.gears = unseen, gears
        self.n, self.classes = len(lattice), len(model.speed_mps)
        self.prior = (lattice.bin_m[:, None] * model.start).ravel()
        self.seen = [np.repeat(a.density, self.classes) * a.probability for a in anchors]
        self.behind, self.legs = self.backward()
        self.log_evidence, self.truth, self.posterior = self.forward()

    def false(self, first, last):
        """Weight of sightings first to last - 1 being false, each somewhere on the roads."""
        elsewhere = 1.0 / self.lattice.bin_m.sum()
        return float(np.prod([(1.0 - a.probability) * elsewhere for a in self.anchors[first:last]]))

    def starts(self, j):
        """Sightings that may be the last true one before another: none sure, at most two doubted between."""
        found = []
        for i in range(j):
            between = [a.probability for a in self.anchors[i + 1 : j]]
            if self.anchors[i].probability > 0 and 1.0 not in between and sum(p > 0 for p in between) <= 2:
                found.append(i)
        return found

    def step(self, before, gear, penalty, to_go_m):
        """Weights from all states to all states, each step by what it leads away from the goal."""
        offset, target, weight, way = self.gears.gear[gear].steps.whole()
        after, chain = self.gears.gear[gear].classes, self.gears.chain[before][gear]
        found = np.zeros((self.n, chain.shape[1], self.n, after))
        for row in range(len(offset) - 1):
            i, d = divmod(row, after)
            for k in range(offset[row], offset[row + 1]):
                j = target[k]
                if np.isfinite(to_go_m[i]) and np.isfinite(to_go_m[j]):
                    detour_m = max(way[k] - (to_go_m[i] - to_go_m[j]), 0.0)
                    share = weight[k] * np.exp(-penalty * detour_m)
                    found[i, :, j, d] += share * chain[self.lattice.kind[i]][:, d]
        return found.reshape(self.n * chain.shape[1], self.n * after)

    def passed_unseen(self, before, until, classes):
        """Probability, in each state, of not being detected in the steps after one, up to another."""
        start, joined = self.model.start, self.gears.joined
        found = np.ones((self.n, classes))
        for k in range(before + 1, until + 1):
            if k in self.unseen:
                bins, chance = self.unseen[k]
                fine = classes == self.classes
                found[bins] *= chance if fine else chance @ (start[:, None] * joined / (start @ joined))
        return found.ravel()

    def ways_to(self, j, behind):
        """(start, weight, weight of starting, [(step, next step, matrix)]) of each way to a sighting."""
        starts, found = self.starts(j), []
        goal = np.flatnonzero((behind / behind.sum()).astype(np.float32).reshape(self.n, -1).sum(axis=1))
        to_go_m = self.lattice.felt_to_go_m(goal)
        begin, end = (self.anchors[i].step for i in (starts[0], j))
        stops = sorted({*(self.anchors[i].step - begin for i in starts), end - begin})
        schedule = Schedule.between(stops, self.gears, self.model.step_s)
        for penalty, share in zip(self.model.penalty_per_m, self.model.penalty_share, strict=True):
            made, moves = {}, []
            for t in range(len(schedule.step) - 1):
                (k, later), gears = schedule.pair(t)
                if gears not in made:
                    made[gears] = self.step(*gears, penalty, to_go_m)
                classes = self.gears.gear[gears[1]].classes
                unseen = self.passed_unseen(begin + k, begin + later, classes)
                moves.append((begin + k, begin + later, made[gears] * unseen))
            for i in starts:
                beyond_m = to_go_m - to_go_m[self.anchors[i].density > 0].min()
                if np.isfinite(np.nanmin(beyond_m)):
                    starting = np.where(np.isfinite(beyond_m), beyond_m.clip(0.0, 1e9), 0.0)
                    starting = np.exp(-penalty * starting) * np.isfinite(beyond_m)
                    mine = [move for move in moves if move[0] >= self.anchors[i].step]
                    found.append((i, share * self.false(i + 1, j), np.repeat(starting, self.classes), mine))
        return found

    def backward(self):
        n = len(self.anchors)
        behind, legs = [np.zeros(self.n * self.classes)] * n, [[] for _ in range(n)]
        for i in range(n - 1, -1, -1):
            total = np.full(self.n * self.classes, self.false(i + 1, n))
            for j in range(i + 1, n):
                for start, weight, starting, moves in legs[j]:
                    if start == i:
                        state = behind[j]
                        for _, _, move in reversed(moves):
                            state = move @ state
                        total = total + weight * starting * state
            behind[i] = total * self.seen[i]
            if behind[i].sum() > 0.0 and self.starts(i):
                legs[i] = self.ways_to(i, behind[i])
        return behind, legs

    def forward(self):
        n = len(self.anchors)
        evidence = sum(self.prior @ self.behind[i] * self.false(0, i) for i in range(n))
        posterior, truth, came = np.zeros((self.steps, self.n)), np.zeros(n), []
        for j in range(n):
            total = self.prior * self.false(0, j)
            for i, weight, starting, moves in self.legs[j]:
                ahead, back = came[i] * starting * weight, [self.behind[j]]
                for _, _, move in reversed(moves):
                    back.append(move @ back[-1])
                back.reverse()
                for (k, later, move), here, there in zip(moves, back[:-1], back[1:], strict=True):
                    now = (ahead * here).reshape(self.n, -1).sum(axis=1)
                    ahead = ahead @ move
                    then = (ahead * there).reshape(self.n, -1).sum(axis=1)
                    for step in range(k, later):
                        part = (step - k) / (later - k)
                        posterior[step] += ((1.0 - part) * now + part * then) / evidence
                total = total + ahead
            came.append(total * self.seen[j])
            there = self.seen[j] > 0
            truth[j] = (came[j][there] * self.behind[j][there] / self.seen[j][there]).sum() / evidence
        return np.log(evidence), truth, posterior
