"""Learn the numbers of the movement model from drives whose route is known: ``tracks/learned.json``.

``python -m benchmarks.learn_reconstruction --data DIR --out learned.json``

DIR is laid out as for `benchmarks.matching`; every other drive is learned from (``--half``). Counted or
fitted are

speed_mps, start   mean speed and share of the time of each class, every 2 s over ``--span`` seconds (2), each
                   drive for half an hour at most
chain              the next class 2 s later, by the length of the edge; the two fastest classes are shrunk
turn               a conditional logit of the edges chosen at nodes beside the detours that they mean

What is set and not fitted (steps, bins, what a way feels like, penalties and their shares; how they were set
is in docs/reconstruction.md) is taken over from the file of the package. ``--compare`` prints what is
different from it, ``--likelihood`` the nats a turn that are lost with the turns as learned and with other
values of what a way feels like, on both halves.
"""

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as progress
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from benchmarks.matching import BESIDE, Drive
from geo_policing.tracks.turns import FEATURES, Turns

Array = NDArray[np.float64]

#: Seconds between speeds.
STEP_S = 2.0
#: Speeds at which the classes change, m/s; the first is standing.
BOUNDS_MPS = (0.7, 2.41, 4.64, 7.57, 11.275, 15.5, 20.85, 26.8, 35.81)
#: Steps that a drive counts for at most, and turns.
MOST_STEPS, MOST_TURNS = 900, 200
#: The classes from here on were driven for minutes only. Beforehand one stays in them with this probability;
#: that counts for so many steps over all types of edges, and all types for so many in each.
FAST, STAYS, PRIOR_STEPS, TYPE_STEPS = 8, 0.92, 40.0, 30.0
#: What is rarer than this in a row of the chain is left out.
NEVER = 1e-5
#: Turns are learned towards where the car was after so long, seconds, beside this penalty by the metre that
#: feels longer, the middle of the penalties; and kept small by this ridge.
AHEAD_S, PENALTY_PER_M, RIDGE = 300.0, 0.003, 2.0
#: What a way feels like is judged at this penalty.
JUDGED_PER_M = 0.006
#: Speed at a turn is taken over so many seconds before and after it.
AT_TURN_S = 2.0
#: Of what a way feels like: `Turns.felt`.
FELT = ("through_share", "right_angle_m", "crossing_m", "u_turn_m")


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Turns that were taken, with all that could have been.

    Parameters
    ----------
    offset : (n + 1,) int64
        Rows of the others by choice.
    features : (r, features) float64
        What each possible turn is described by.
    longer_m : (r,) float64
        How much longer the rest of the way feels than by the turn that was taken; infinite without a way.
    taken : (n,) int64
        Row of the one that was taken.
    band : (n,) int64
        Band of the speed there.
    weight : (n,) float64
        What it counts for.
    """

    offset: NDArray[np.int64]
    features: Array
    longer_m: Array
    taken: NDArray[np.int64]
    band: NDArray[np.int64]
    weight: Array

    @classmethod
    def joined(cls, parts: Sequence["Choices"]) -> "Choices":
        """Put those of several drives together."""
        rows = np.concatenate([[0], np.cumsum([len(p.features) for p in parts])])
        return cls(
            np.concatenate([[0], *(p.offset[1:] + first for p, first in zip(parts, rows, strict=False))]),
            np.concatenate([p.features for p in parts]),
            np.concatenate([p.longer_m for p in parts]),
            np.concatenate([p.taken + first for p, first in zip(parts, rows, strict=False)]),
            np.concatenate([p.band for p in parts]),
            np.concatenate([p.weight for p in parts]),
        )

    def loss(self, turn: Array, penalty_per_m: float = PENALTY_PER_M) -> float:
        """Mean nats a turn that are lost with coefficients (bands, features)."""
        row_band = np.repeat(self.band, np.diff(self.offset))
        utility = (self.features * turn[row_band]).sum(axis=1) - penalty_per_m * self.longer_m
        lost = _log_sum(utility, self.offset) - utility[self.taken]
        return float(self.weight @ lost / self.weight.sum())

    def fitted(self, bands: int, penalty_per_m: float = PENALTY_PER_M) -> Array:
        """Coefficients (bands, features) that lose the least, with `RIDGE`."""
        return np.array([self._fit(band, penalty_per_m) for band in range(bands)])

    def _fit(self, band: int, penalty_per_m: float) -> Array:
        chosen = np.flatnonzero(self.band == band)
        rows = np.concatenate(
            [np.arange(self.offset[i], self.offset[i + 1]) for i in chosen] or [np.empty(0, np.int64)]
        )
        count = np.diff(self.offset)[chosen]
        offset = np.concatenate([[0], np.cumsum(count)])
        x, base = self.features[rows], -penalty_per_m * self.longer_m[rows]
        taken = offset[:-1] + self.taken[chosen] - self.offset[chosen]
        weight = self.weight[chosen]

        def lost(beta: Array) -> tuple[float, Array]:
            utility = x @ beta + base
            total = _log_sum(utility, offset)
            share = np.exp(utility - np.repeat(total, count)) * np.repeat(weight, count)
            value = weight @ (total - utility[taken]) + RIDGE / 2.0 * beta @ beta
            return float(value), share @ x - weight @ x[taken] + RIDGE * beta

        found = minimize(lost, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B")
        return np.asarray(found.x)


@dataclass(frozen=True, eq=False)
class Route:
    """One drive with the edges it passed.

    Parameters
    ----------
    drive : Drive
        The drive.
    turns : Turns
        Of its network.
    """

    drive: Drive
    turns: Turns

    @cached_property
    def fix(self) -> tuple[Array, Array, Array]:
        """Seconds from the first fix, x, y in metres."""
        t, lon, lat = (self.drive.fixes[name].to_numpy(np.float64) for name in ("t", "lon", "lat"))
        return (t - t[0], *self.drive.matcher.network.plane.forward(lon, lat))

    @cached_property
    def passed(self) -> tuple[NDArray[np.int64], Array]:
        """Edges as all fixes were matched, and when each was entered."""
        t, lon, lat = (self.drive.fixes[name].to_numpy(np.float64) for name in ("t", "lon", "lat"))
        pieces = self.drive.matcher.match(t, lon, lat).pieces
        edge = np.concatenate([piece.edges for piece in pieces]).astype(np.int64)
        enter_s = np.concatenate([piece.enter_s for piece in pieces]) - t[0]
        order = np.argsort(enter_s, kind="stable")
        return edge[order], enter_s[order]

    def steps(self, phase_s: float, span_s: float) -> tuple[Array, NDArray[np.int64]]:
        """Return speeds over a span in the middle of each step from a phase on, and edges where they were."""
        t, x, y = self.fix
        edge, enter_s = self.passed
        middle = np.arange(phase_s, t[-1], STEP_S)[:-1] + STEP_S / 2.0
        ends = np.clip([middle - span_s / 2.0, middle + span_s / 2.0], 0.0, t[-1])
        gone = np.hypot(np.diff(np.interp(ends, t, x), axis=0), np.diff(np.interp(ends, t, y), axis=0))[0]
        row = np.searchsorted(enter_s, middle, side="right").clip(1) - 1
        return gone / np.diff(ends, axis=0)[0], edge[row]

    def choices(self, felt: Mapping[str, float], band_mps: Array) -> Choices:
        """Return turns with their alternatives, towards where the car was every `AHEAD_S`."""
        t, x, y = self.fix
        edge, enter_s = self.passed
        kept = np.concatenate([[True], edge[1:] != edge[:-1]])
        edge, enter_s = edge[kept], enter_s[kept]
        turns = self.turns
        feels, metres = turns.felt(*(felt[name] for name in FELT))
        length_m = np.maximum(self.drive.matcher.network.length_m, 0.01) * feels
        m = len(length_m)
        # Backward: from the edge that follows to the one before, which is driven first.
        back = csr_array((metres + length_m[turns.source], (turns.target, turns.source)), shape=(m, m))
        rows: list[tuple[Array, Array, int, int]] = []
        for begin in np.arange(0.0, t[-1], AHEAD_S):
            first = max(int(np.searchsorted(enter_s, begin, side="right")) - 1, 0)
            last = int(np.searchsorted(enter_s, min(begin + AHEAD_S, t[-1]), side="right")) - 1
            if last <= first:
                continue
            to_go = dijkstra(back, indices=int(edge[last]))
            for j in range(first, last):
                options = np.arange(turns.offset[edge[j]], turns.offset[edge[j] + 1])
                hit = np.flatnonzero(turns.target[options] == edge[j + 1])
                rest = metres[options] + to_go[turns.target[options]]
                if len(options) < 2 or not len(hit) or not np.isfinite(rest[hit[0]]):
                    continue
                around = enter_s[j + 1] + np.array([-AT_TURN_S, AT_TURN_S])
                gone = np.hypot(np.diff(np.interp(around, t, x)), np.diff(np.interp(around, t, y)))
                band = int(np.searchsorted(band_mps, gone[0] / (2.0 * AT_TURN_S), side="right"))
                rows.append((turns.features[options], rest - rest[hit[0]], int(hit[0]), band))
        offset = np.concatenate([[0], np.cumsum([len(row[1]) for row in rows])]).astype(np.int64)
        return Choices(
            offset,
            np.concatenate([row[0] for row in rows] or [np.empty((0, len(FEATURES)))]),
            np.concatenate([row[1] for row in rows] or [np.empty(0)]),
            offset[:-1] + np.array([row[2] for row in rows], np.int64),
            np.array([row[3] for row in rows], np.int64),
            np.full(len(rows), min(1.0, MOST_TURNS / max(len(rows), 1))),
        )


def _log_sum(utility: Array, offset: NDArray[np.int64]) -> Array:
    """Logarithm (n,) of the sums of exponentials of rows."""
    best = np.maximum.reduceat(utility, offset[:-1])
    weight = np.exp(utility - np.repeat(best, np.diff(offset)))
    return np.asarray(best + np.log(np.add.reduceat(weight, offset[:-1])))


def speeds(routes: Iterable[Route], type_m: Array, span_s: float = STEP_S) -> tuple[Array, Array, Array]:
    """Mean speed (classes,) and share of the time of each class, and the chain (types, classes, classes)."""
    classes, types = len(BOUNDS_MPS) + 1, len(type_m) + 1
    count, gone = np.zeros(classes), np.zeros(classes)
    follows = np.zeros((types, classes, classes))
    for route in routes:
        for phase_s in (0.0, STEP_S / 2.0):
            speed, edge = route.steps(phase_s, span_s)
            kind = np.searchsorted(BOUNDS_MPS, speed)
            weight = min(1.0, MOST_STEPS / max(len(speed), 1)) / 2.0
            np.add.at(count, kind, weight)
            np.add.at(gone, kind, weight * speed)
            of_type = np.searchsorted(type_m, route.drive.matcher.network.length_m[edge[:-1]])
            np.add.at(follows, (of_type, kind[:-1], kind[1:]), weight)
    # A class that nobody drove is taken to be as fast as the middle of its bounds.
    middle = np.concatenate(
        [[0.0], (np.array(BOUNDS_MPS[1:]) + BOUNDS_MPS[:-1]) / 2.0, [BOUNDS_MPS[-1] + 6.0]]
    )
    speed_mps = np.where(count > 0.0, gone / np.maximum(count, 1e-9), middle)
    return speed_mps, (count + 1.0) / (count + 1.0).sum(), chain_of(follows)


def chain_of(follows: Array) -> Array:
    """Chain of counts (types, classes, classes); the classes from `FAST` on are shrunk."""
    classes = follows.shape[1]
    usual = np.zeros((classes, classes))
    for k in range(classes):
        down, up = max(k - 1, 0), min(k + 1, classes - 1)
        usual[k, down] += (1.0 - STAYS) * (0.7 if up > k else 1.0)
        usual[k, up] += (1.0 - STAYS) * (0.3 if up > k else 0.0)
        usual[k, k] += STAYS
    prior = np.where(np.arange(classes) >= FAST, PRIOR_STEPS, 2.0)[:, None]
    pooled = follows.sum(axis=0) + prior * usual
    pooled /= pooled.sum(axis=1, keepdims=True)
    found = follows + TYPE_STEPS * pooled
    found /= found.sum(axis=2, keepdims=True)
    found[found < NEVER] = 0.0
    return np.asarray(found / found.sum(axis=2, keepdims=True))


def learn(routes: Sequence[Route], package: Mapping[str, Any], span_s: float = STEP_S) -> dict[str, Any]:
    """Return the numbers of the model; what is set is that of the package."""
    speed_mps, start, chain = speeds(routes, np.array(package["type_m"]), span_s)
    band_mps = np.array(package["band_mps"])
    felt = {name: float(package[name]) for name in FELT}
    choices = Choices.joined([route.choices(felt, band_mps) for route in routes])
    turn = choices.fitted(len(band_mps) + 1)
    return dict(package) | {
        "speed_mps": speed_mps.round(2).tolist(),
        "start": start.round(5).tolist(),
        "chain": chain.round(5).tolist(),
        "turn": turn.round(3).tolist(),
    }


def compared(found: Mapping[str, Any], package: Mapping[str, Any]) -> dict[str, Any]:
    """Say how far the numbers are from those of the package, and where farthest."""
    told: dict[str, Any] = {}
    for name in ("speed_mps", "start", "chain", "turn"):
        ours, theirs = np.array(found[name]), np.array(package[name])
        if ours.shape != theirs.shape:
            told[name] = f"shape {ours.shape}, was {theirs.shape}"
            continue
        apart = np.abs(ours - theirs)
        at = np.unravel_index(int(apart.argmax()), apart.shape)
        told[name] = {
            "largest": round(float(apart.max()), 5),
            "mean": round(float(apart.mean()), 5),
            "at": [int(k) for k in at],
            "found": float(ours[at]),
            "package": float(theirs[at]),
        }
    return told


def likelihood(halves: Mapping[str, Sequence[Route]], package: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Nats a turn that are lost on each half, turns fitted to the first, by what a way feels like."""
    band_mps, found = np.array(package["band_mps"]), []
    felt = {name: float(package[name]) for name in FELT}
    tries = [felt, felt | {"right_angle_m": 80.0}, dict.fromkeys(FELT, 0.0)]
    for tried in tries:
        choices = {
            half: Choices.joined([route.choices(tried, band_mps) for route in routes])
            for half, routes in halves.items()
        }
        turn = choices["learned"].fitted(len(band_mps) + 1, JUDGED_PER_M)
        lost = {half: round(some.loss(turn, JUDGED_PER_M), 4) for half, some in choices.items()}
        found.append({"felt": tried, "lost": lost})
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, learn, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of tracks; without it, the one beside the checkout")
    parser.add_argument("--half", choices=("learned", "shown", "all"), default="learned", help="which drives")
    parser.add_argument("--span", type=float, default=STEP_S, help="seconds over which a speed is taken")
    parser.add_argument("--out", type=Path, help="file to write; without it nothing is written")
    parser.add_argument("--compare", action="store_true", help="print what is different from the package")
    parser.add_argument("--likelihood", action="store_true", help="print the nats a turn that are lost")
    args = parser.parse_args(arguments)
    data = args.data or BESIDE
    data = data / "tracks" if (data / "tracks").is_dir() else data
    folders = sorted(f.parent for f in data.glob("*/truth.txt"))
    sides = {"learned": folders[0::2], "shown": folders[1::2], "all": folders}
    if not sides[args.half]:
        parser.error(f"--data {data}: no folder of the half {args.half!r} in it has a truth.txt")
    if not 0.1 <= args.span <= 60.0:
        parser.error(f"--span {args.span}: give 0.1 to 60 s")
    package = json.loads((resources.files("geo_policing.tracks") / "learned.json").read_text("utf-8"))
    routes = _read(sides[args.half])
    found = learn(routes, package, args.span)
    if args.out is not None:
        args.out.write_text(json.dumps(found, indent=1) + "\n", encoding="ascii")
    if args.compare:
        print(json.dumps(compared(found, package), indent=2))
    if args.likelihood:
        halves = {half: _read(sides[half]) for half in ("learned", "shown")}
        print(json.dumps(likelihood(halves, package), indent=2))
    return 0


def _read(folders: Sequence[Path]) -> list[Route]:
    routes = []
    for folder in progress(folders, "reading", console=Console(stderr=True), transient=True):
        drive = Drive.read(folder)
        routes.append(Route(drive, Turns.of(drive.matcher.network)))
    return routes


if __name__ == "__main__":
    raise SystemExit(main())
