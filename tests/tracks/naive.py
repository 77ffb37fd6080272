"""Slow, obvious twins of the kernels of the reconstruction."""

import itertools

import numpy as np


def step_matrix(bin_m, bin_edge, first_bin, turns, share, distance_m, places=2000):
    """w[i, c, j] (b, classes, b): many places in each bin, each moved along every way that leads on."""
    n = len(bin_m)
    found = np.zeros((n, len(distance_m), n))

    def ahead(j, left, weight, c, i):
        if left < bin_m[j]:
            found[i, c, j] += weight
            return
        e = bin_edge[j]
        if j + 1 < first_bin[e + 1]:
            ahead(j + 1, left - bin_m[j], weight, c, i)
        elif len(turns[e]) == 0:
            found[i, c, j] += weight
        else:
            for follows, part in zip(turns[e], share[e], strict=True):
                ahead(first_bin[follows], left - bin_m[j], weight * part, c, i)

    for i, c in itertools.product(range(n), range(len(distance_m))):
        for k in range(places):
            ahead(i, (k + 0.5) / places * bin_m[i] + distance_m[c], 1 / places, c, i)
    return found


def turned(classes, offset, target, weight, way):
    """Rows (from bin, class) -> to bin as rows (to bin, class) -> from bin, in ascending order."""
    found = [[] for _ in range(len(offset) - 1)]
    for row in range(len(offset) - 1):
        for k in range(offset[row], offset[row + 1]):
            found[target[k] * classes + row % classes].append((row // classes, weight[k], way[k]))
    source, share, metres = (np.array([one[n] for row in found for one in row]) for n in range(3))
    return np.cumsum([0, *map(len, found)]), source, share, metres


def cut_out(bins, to_go_m, penalty, classes, offset, source, weight, way):
    """w[j, c, i] (r, classes, r) between some bins, rows (to bin, class) -> from bin, each with its
    detour."""
    found = np.zeros((len(bins), classes, len(bins)))
    for j, i, c in itertools.product(range(len(bins)), range(len(bins)), range(classes)):
        for k in range(offset[bins[j] * classes + c], offset[bins[j] * classes + c + 1]):
            if source[k] == bins[i]:
                detour_m = max(way[k] - (to_go_m[i] - to_go_m[j]), 0.0)
                found[j, c, i] += weight[k] * np.exp(-penalty * detour_m)
    return found


def wander(at, speed, u, offset, target, weight, way, chain, kind):
    """Where each comes by a step: the first class, and there the first way on, that a share u reaches."""
    found = []
    for b, c, share in zip(at, speed, u, strict=True):
        if b < 0:
            found.append((-1, c, np.inf))
            continue
        p = chain[kind[b], c]
        d = int(np.flatnonzero((np.cumsum(p) > share * p.sum()) & (p > 0.0))[0])
        rest = (share * p.sum() - p[:d].sum()) / p[d]
        row = slice(offset[b * len(p) + d], offset[b * len(p) + d + 1])
        if row.start == row.stop:
            found.append((-1, d, np.inf))
            continue
        k = row.start + int(np.flatnonzero(np.cumsum(weight[row]) > rest * weight[row].sum())[0])
        found.append((target[k], d, way[k]))
    return found


def onward(start, chain, kind, weight, way, came_m, penalty, steps):
    """What all ways of some steps weigh together: state after state, each way times exp(-penalty * detour).

    start (b, c) how likely each bin and class is; weight, way (b, c, b) of a step.
    """
    held, bins, classes = start.copy(), *start.shape
    for _ in range(steps):
        after = np.zeros_like(held)
        for b, c, d, j in itertools.product(range(bins), range(classes), range(classes), range(bins)):
            if weight[b, d, j] > 0.0:
                detour_m = max(way[b, d, j] - (came_m[j] - came_m[b]), 0.0)
                after[j, d] += (
                    held[b, c] * chain[kind[b], c, d] * weight[b, d, j] * np.exp(-penalty * detour_m)
                )
        held = after
    return held.sum()


def worth_keeping(mass, came_m, prior, reach_m, age, reached, cell_m, prune):
    """Bins that some start can have come to and that hold more than a share of what counts for it."""
    reachable = [b for b in range(len(mass)) if (came_m[:, b] <= reach_m).any()]
    kept = set()
    for s in range(len(reach_m)):
        worth = {}
        for b in reachable:
            cell = min(int(min(came_m[s, b], reach_m[s]) / cell_m), reached.shape[1] - 1)
            worth[b] = mass[b] * prior[s, b] * reached[age[s], cell]
        kept |= {b for b in reachable if worth[b] > prune * sum(worth.values())}
    return sorted(kept)


def distances(n, arcs, sources):
    """Bellman-Ford: least length from any of some nodes; arcs are (from, to, length)."""
    best = [0.0 if i in sources else np.inf for i in range(n)]
    for _ in range(n):
        for a, b, length in arcs:
            best[b] = min(best[b], best[a] + length)
    return best


def smooth(move, chain, kind, bin_m, start, steps, seen):
    """Posterior (steps, b) of bins, by summing over dense matrices.

    move (b, classes, b); chain (types, classes, classes); seen: {step: (b,) density}.
    """
    n, classes, _ = move.shape
    whole = np.einsum("bcd,bdj->bcjd", chain[kind], move).reshape(n * classes, n * classes)
    at = [np.repeat(seen[k], classes) if k in seen else np.ones(n * classes) for k in range(steps)]
    ahead = [(bin_m[:, None] * start).ravel() * at[0]]
    for k in range(1, steps):
        ahead.append((ahead[-1] @ whole) * at[k])
    back = [np.ones(n * classes)]
    for k in range(steps - 1, 0, -1):
        back.append(whole @ (at[k] * back[-1]))
    both = np.array([a * b for a, b in zip(ahead, back[::-1], strict=True)]).reshape(steps, n, classes)
    return both.sum(axis=2) / both.sum(axis=(1, 2))[:, None]


def over_the_kerb(rows, beside, stepping):
    """Rows (b, classes, b) of steps after which one may step on, from bin j as stepping[j, c] and beside[j].

    beside: for each bin a list of (bin, share).
    """
    found = np.zeros_like(rows)
    for i, c, j in itertools.product(*map(range, rows.shape)):
        found[i, c, j] += rows[i, c, j] * (1.0 - stepping[j, c])
        for k, share in beside[j]:
            found[i, c, k] += rows[i, c, j] * stepping[j, c] * share
    return found
