"""How right the confidence is that the matcher gives: what `benchmarks.matching --calibration` prints."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geo_policing.matching import Match

if TYPE_CHECKING:
    from benchmarks.matching import Drive

Array = NDArray[np.float64]

#: Bounds of the bins of confidence.
BINS = (0.0, 0.5, 0.7, 0.85, 0.95, 0.98, 0.99, 0.995, 1.0)
#: Seconds without fixes that are cut out of drives with a fix every EVERY_S, BETWEEN_S from each other, from
#: as many places on as there are PHASES.
GAPS_S, EVERY_S, BETWEEN_S, PHASES = (60.0, 120.0, 180.0, 300.0), 5.0, 240.0, 4
#: Times that drives are drawn anew for the interval in which a share lies, and the share of these left out.
DRAWS, OUTSIDE = 1000, 0.1


def tables(drives: Sequence["Drive"], intervals: Sequence[float]) -> str:
    """Return what was given and what was right of observed edges, then of inferred pieces.

    Each for the drives that the calibration was fitted on, every second one, and for the others.
    """
    observed = {f"{every_s:g} s": _observed(drives, every_s) for every_s in intervals}
    inferred = {f"{gap_s:g} s": _inferred(drives, gap_s) for gap_s in GAPS_S}
    return _table("Interval", observed, len(drives)) + "\n\n" + _table("Gap", inferred, len(drives))


def confidences(drive: "Drive", match: Match, *, inferred: bool) -> Iterator[tuple[float, float, float]]:
    """Yield confidence, length and length driven of each edge of the observed or the inferred pieces.

    A street that is there more often than it was driven is right in that share.
    """
    ours, theirs = Counter(arc for arcs in drive.driven(match) for arc in arcs), Counter(drive.truth)
    for piece in match.pieces:
        if piece.inferred != inferred:
            continue
        starts_m = [piece.start_m] + [0.0] * (len(piece.edges) - 1)
        ends_m = [*drive.matcher.network.length_m[piece.edges[:-1]].tolist(), piece.end_m]
        parts = zip(piece.edges.tolist(), starts_m, ends_m, piece.confidence_of_edges.tolist(), strict=True)
        for edge, start_m, end_m, sure in parts:
            arcs = drive.arcs_on(edge, start_m, end_m)
            length_m = sum(drive.arc_length_m[arc] for arc in arcs)
            right_m = sum(drive.arc_length_m[arc] * min(1.0, theirs[arc] / max(ours[arc], 1)) for arc in arcs)
            yield sure, length_m, right_m


def _observed(drives: Sequence["Drive"], every_s: float) -> Array:
    """Drive, confidence, length and length driven of edges (k, 4)."""
    rows: list[tuple[float, ...]] = []
    for number, drive in enumerate(drives):
        t, lon, lat = drive.sampled(every_s)[["t", "lon", "lat"]].to_numpy().T
        match = drive.matcher.match(t, lon, lat, weigh_edges=True)
        rows += [(number, *row) for row in confidences(drive, match, inferred=False)]
    return np.array(rows).reshape(-1, 4)


def _inferred(drives: Sequence["Drive"], gap_s: float) -> Array:
    """As `_observed`, of what is inferred across gaps that are cut out of drives."""
    rows: list[tuple[float, ...]] = []
    period_s = gap_s + BETWEEN_S
    for number, drive in enumerate(drives):
        t, lon, lat = drive.sampled(EVERY_S)[["t", "lon", "lat"]].to_numpy().T
        for phase in range(PHASES):
            seen = (t - t[0] + phase * period_s / PHASES) % period_s >= gap_s
            seen[[0, -1]] = True
            match = drive.matcher.match(t[seen], lon[seen], lat[seen])
            rows += [(number, *row) for row in confidences(drive, match, inferred=True)]
    return np.array(rows).reshape(-1, 4)


def _table(first: str, groups: dict[str, Array], drives: int) -> str:
    of_half = "given | right | 90 % | km"
    lines = [
        f"| {first} | Confidence | Fitted on: {of_half} | Others: {of_half} |",
        "|" + "---|" * 10,
    ]
    if len(groups) > 1:
        groups = groups | {"all": np.concatenate(list(groups.values()))}
    for name, rows in groups.items():
        for low, high in pairwise(BINS):
            on = rows[(rows[:, 1] >= low) & ((rows[:, 1] < high) | (high == 1.0))]
            halves = (cells(on[on[:, 0] % 2 == half], np.arange(half, drives, 2)) for half in (0, 1))
            lines.append(
                "| " + " | ".join([name, f"{low:g} to {high:g}", *(c for h in halves for c in h)]) + " |"
            )
    return "\n".join(lines)


def cells(rows: Array, drives: NDArray[np.int64]) -> list[str]:
    """Confidence given, share right, in what interval it would lie of other drives like these, and km."""
    drive, sure, length_m, right_m = rows.T
    total = length_m.sum()
    if not total > 0.0:
        return ["", "", "", "0.0"]
    of_drive = np.zeros((len(drives), 2))
    np.add.at(of_drive, np.searchsorted(drives, drive), np.column_stack([length_m, right_m]))
    # B. Efron, "Bootstrap methods: another look at the jackknife", 1979. Whole drives are drawn: what is
    # wrong on one is wrong together.
    drawn = np.random.default_rng(7).integers(0, len(drives), (DRAWS, len(drives)))
    lengths, rights = of_drive[drawn].sum(axis=1).T
    shares = rights[lengths > 0.0] / lengths[lengths > 0.0]
    low, high = np.quantile(shares, (OUTSIDE / 2.0, 1.0 - OUTSIDE / 2.0))
    given, right = (sure * length_m).sum() / total, right_m.sum() / total
    return [f"{given:.3f}", f"{right:.3f}", f"{low:.2f} to {high:.2f}", f"{total / 1000.0:.1f}"]
