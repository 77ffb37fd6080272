"""How surely a mixture tells who drives from who walks, in the sample city.

``python -m benchmarks.modes --people 8 --gap 60,300 --json OUT.json``

People live for an hour in the old centre (``sample_data/small``), each by a taste of their own for roads and
turns that the reconstruction knows nothing of. Cars and officers on foot are taken for twenty minutes at
most; one place each ``--gap`` seconds and the last, ``--sightings`` of them at most, are sightings of 20 m
accuracy. Each is reconstructed by car, by e-bike and on foot, all alike before. Nobody rides an e-bike, so
what is taken for that is always wrong, and nobody who drives slowly can be told from who rides.

true       mean probability of the true mode
likeliest  share of people of whom the true mode is the likeliest
nats       mean logarithm of the probability of the true mode, at the least that of one in a million; knowing
           nothing gives -1.0986
mean       mean probability of each mode
uncompared the same three where each mode is weighed by the evidence of its own reconstruction, as it comes
           out of the filter
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track as progress

from benchmarks.walkers import officers
from benchmarks.watches import Drive, city_of, drives
from geo_policing.errors import InvalidInput
from geo_policing.model import Sighting
from geo_policing.tracks import Mode, MovementModel, mixture, models_of, reconstruct
from geo_policing.tracks.turns import Turns

LEAST = 1e-6


def uncompared(
    sightings: Sequence[Sighting], models: Sequence[MovementModel], turns: Mapping[Mode, Turns]
) -> dict[Mode, float]:
    """Weigh the modes by the evidence that comes out of the filter of each."""
    logs = []
    for model in models:
        try:
            found = reconstruct(city_of().network, sightings, model, turns=turns[model.mode], samples=0)
            logs.append(found.log_evidence)
        except InvalidInput:
            logs.append(-np.inf)
    weight = np.exp(np.array(logs) - max(logs))
    return {model.mode: float(w) for model, w in zip(models, weight / weight.sum(), strict=True)}


def told(weights: Sequence[Mapping[Mode, float]], true: Mode) -> dict[str, float]:
    """Say how right some weights are."""
    right = np.array([one[true] for one in weights])
    return {
        "true": round(float(right.mean()), 4),
        "likeliest": round(float(np.mean([max(one, key=one.__getitem__) is true for one in weights])), 4),
        "nats": round(float(np.log(np.maximum(right, LEAST)).mean()), 4),
    }


def measure(people: Sequence[Drive], true: Mode, gap_s: int, most: int) -> dict[str, Any]:
    """Ask of all of a group what they travel with."""
    network, models = city_of().network, models_of()
    turns = {model.mode: Turns.of(network, model.access) for model in models}
    compared, not_compared = [], []
    for one in progress(people, f"{true.value}, {gap_s} s", console=Console(stderr=True), transient=True):
        seen = one.sightings(gap_s)[:most]
        found = mixture(network, seen, models, turns_of=lambda model: turns[model.mode], samples=0)
        compared.append(found.weights)
        not_compared.append(uncompared(seen, models, turns))
    return {
        "gap": gap_s,
        "group": true.value,
        "people": len(people),
        **told(compared, true),
        "mean": {mode.value: round(float(np.mean([w[mode] for w in compared])), 4) for mode in turns},
        "uncompared": told(not_compared, true),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many hours of other people")
    parser.add_argument("--people", type=int, default=8, help="people in each group and hour")
    parser.add_argument("--gap", default="60,300", help="seconds between sightings, separated by commas")
    parser.add_argument("--sightings", type=int, default=4, help="how many at most")
    parser.add_argument("--json", type=Path, help="file to write; without it only printed")
    args = parser.parse_args(arguments)
    try:
        gaps = [int(text) for text in args.gap.split(",")]
    except ValueError:
        parser.error(f"--gap {args.gap!r}: write whole seconds separated by commas, like 60,300")
    seeds = range(1, args.seeds + 1)
    groups = {
        Mode.CAR: [car for seed in seeds for car in drives(seed, args.people, 1.0)],
        Mode.FOOT: [walk for seed in seeds for walk in officers(seed, args.people)],
    }
    if not all(groups.values()):
        parser.error(f"--people {args.people}: none drives, or none walks, for long enough; give more")
    rows = [measure(people, mode, gap, args.sightings) for gap in gaps for mode, people in groups.items()]
    text = json.dumps(rows, indent=2)
    if args.json is not None:
        args.json.write_text(text + "\n", encoding="ascii")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
