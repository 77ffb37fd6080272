"""The answer as GeoJSON where it is not known what the suspect travels with: paths by their modes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.answer import (
    Feature,
    Wanted,
    camera_features,
    features_of,
    gate_features,
    last_seen,
    moments_after,
    path_feature,
    sighting_feature,
)
from geo_policing.tracks.containment import Gate, Passing, containment, gates_of
from geo_policing.tracks.fit import leave_one_out
from geo_policing.tracks.mixture import UNKNOWN, Member, Mixture
from geo_policing.tracks.moments import moment_features
from geo_policing.tracks.movement import Mode, MovementModel
from geo_policing.tracks.reconstruction import Path, Reconstruction
from geo_policing.tracks.turns import Turns

#: What neighbours say of a sighting, and gates, are asked of modes that are at least so probable.
WORTH_ASKING = 0.01


def mixture_features(
    found: Mixture,
    wanted: Wanted | None = None,
    *,
    turns_of: Callable[[MovementModel], Turns] | None = None,
    seed: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> list[Feature]:
    """Read everything out of a mixture, as `answer.features_of` does; each path says its ``mode``.

    Parameters
    ----------
    found : Mixture
        The answer.
    wanted, seed, tell
        As in `answer.features_of`.
    turns_of : callable, optional
        From a model to its turns, where they are known from before.
    """
    wanted = wanted or Wanted()
    found.unfold(tell)
    tell()
    features = [_path(found, *found.best_path, "best")]
    features += [_path(found, mode, way, "sampled") for mode, way in found.paths(wanted.paths)]
    alone = fits(found, turns_of, tell)
    last = len(alone) - 1
    features += [
        sighting_feature(one, float(truth), float(fit), at_end=i in (0, last))
        for i, (one, truth, fit) in enumerate(zip(found.sightings, found.truth, alone, strict=True))
    ]
    features += moment_features(found, wanted.every_s, wanted.resolution, tell)
    after = moments_after(found)
    if after:
        passings = passings_of(found, gates_of(found.network), after, seed, tell)
        features += gate_features(found.network, passings, after, last_seen(found), wanted.units)
    tell()
    return features + camera_features(found, wanted.cameras, wanted.looks)


def read_out(
    found: Reconstruction | Mixture,
    model: MovementModel,
    wanted: Wanted,
    *,
    turns_of: Callable[[MovementModel], Turns],
    seed: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> list[Feature]:
    """`mixture_features`, or `answer.features_of` of what was reconstructed by one model."""
    if isinstance(found, Mixture):
        return mixture_features(found, wanted, turns_of=turns_of, seed=seed, tell=tell)
    return features_of(found, model, wanted, turns=turns_of(model), seed=seed, tell=tell)


def told_modes(found: Mixture) -> list[dict[str, Any]]:
    """Return what is told of each mode: how probable it is, before and after, and why it cannot be."""
    return [
        {
            "mode": member.mode.value,
            "prior": round(member.prior, 6),
            "probability": round(member.probability, 6),
            "log_evidence": round(member.log_evidence, 6) if np.isfinite(member.log_evidence) else None,
            "problem": member.problem or None,
        }
        for member in found.members
    ]


def about(found: Reconstruction | Mixture, model: MovementModel) -> dict[str, Any]:
    """Return what is told of how the suspect was taken to move: mode or modes, steps, bins, evidence.

    Steps and bins of a mixture are those of its most probable mode.
    """
    one = found if isinstance(found, Reconstruction) else found.best[1]
    modes = {} if isinstance(found, Reconstruction) else {"modes": told_modes(found)}
    return modes | {
        "mode": UNKNOWN if modes else model.mode.value,
        "step_s": one.step_s,
        "bin_m": one.model.bin_m,
        "log_evidence": round(found.log_evidence, 6),
    }


def fits(
    found: Mixture,
    turns_of: Callable[[MovementModel], Turns] | None = None,
    tell: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """`leave_one_out` (n,) over the modes by their weights; NaN where no other sighting can tell by any."""
    total, weight = np.zeros((2, len(found.sightings)))
    for member, share, one in _worth_asking(found):
        turns = None if turns_of is None else turns_of(member.model)
        alone = leave_one_out(
            *(found.network, found.sightings, member.model),
            turns=turns,
            found=one,
            kept=member.kept,
            tell=tell,
        )
        known = ~np.isnan(alone)
        total[known] += share * alone[known]
        weight[known] += share
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight)


def passings_of(
    found: Mixture,
    gates: Sequence[Gate],
    moments: Sequence[datetime],
    seed: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> list[Passing]:
    """`containment` over the modes by their weights; the earliest is that of the fastest."""
    mixed: dict[int, Passing] = {}
    for _, share, one in _worth_asking(found):
        for passing in containment(one, gates, moments, seed=seed, tell=tell):
            mine = replace(passing, passed=share * passing.passed)
            other = mixed.get(id(passing.gate))
            if other is not None:
                earliest = min(e for e in (other.earliest, mine.earliest) if e is not None)
                mine = replace(mine, passed=other.passed + mine.passed, earliest=earliest)
            mixed[id(passing.gate)] = mine
    return sorted(mixed.values(), key=lambda p: (-float(p.passed[-1]), p.earliest, p.gate.name))


def _worth_asking(found: Mixture) -> list[tuple[Member, float, Reconstruction]]:
    """Modes that are probable enough, with their shares among these."""
    kept = [one for one in found.likely if one[0].probability >= WORTH_ASKING]
    total = sum(member.probability for member, _ in kept)
    return [(member, member.probability / total, one) for member, one in kept]


def _path(found: Mixture, mode: Mode, way: Path, kind: str) -> Feature:
    feature = path_feature(found.network, way, kind)
    feature["properties"]["mode"] = mode.value
    return feature
