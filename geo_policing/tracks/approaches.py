"""The ways to one sighting: what comes backward from it, the legs that join, and what arrives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.tracks.gears import Schedule
from geo_policing.tracks.ground import Ground, State, Walk

#: A step, bins, how probable each is (float32), and what these are to be multiplied by.
Read = tuple[int, NDArray[Any], NDArray[Any], float]


@dataclass(slots=True, eq=False)
class Riders:
    """Sampled paths on a leg: their numbers (s,), bins and classes now (s,) and the bins so far."""

    path: NDArray[np.int64]
    bin: NDArray[np.int32]
    speed: NDArray[np.int32]
    driven: list[NDArray[np.int32]]

    @classmethod
    def none(cls) -> Self:
        """Nobody."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32), [])


@dataclass(slots=True, eq=False)
class Approach:
    """What comes backward from one sighting under one penalty: at every so many-th step, and at the last.

    Parameters
    ----------
    begin, steps : int
        Its first step, and how many it takes.
    joins : list of int
        After how many of them each start is, ascending.
    share : float
        Of the penalty in the mixture.
    ground : Ground
        The bins that lead there.
    schedule : Schedule
        At which of its steps there is a state, and in which gear.
    prune : float
        Share of the whole below which a bin was forgotten.
    every : int
        One state in so many is kept.
    behind : list of State
        The states kept, in order of time, before what watches tell of their own step.
    walk : Walk
        Over the ground, with what is at hand of it.
    """

    begin: int
    steps: int
    joins: list[int]
    share: float
    ground: Ground
    schedule: Schedule
    prune: float
    every: int
    behind: list[State]
    walk: Walk


@dataclass(slots=True, eq=False)
class Leg:
    """One way between two sightings that are true and follow each other, a part of an approach.

    Parameters
    ----------
    start, end : int
        The sightings.
    approach : Approach
        What it is part of.
    nth : int
        Which start of the approach it has.
    held : State
        What comes backward where it starts.
    log_weight : float
        Logarithm of what that was divided by, and of what the end and all that is left out weigh.
    riders : Riders
        The sampled paths on it.
    joining : (State, float), optional
        What sets out on it, and the logarithm of what that was divided by; None if it is too little to
        follow.
    share : float
        Posterior probability that the suspect drove it.
    """

    start: int
    end: int
    approach: Approach
    nth: int
    held: State
    log_weight: float
    riders: Riders = field(default_factory=Riders.none)
    joining: tuple[State, float] | None = None
    share: float = 0.0


@dataclass(slots=True, eq=False)
class Arrival:
    """What comes forward to the end of an approach, logarithm of its scale, and the steps read out.

    Where more joins, `passed` is what was read out before.
    """

    state: State
    log: float
    read: list[Read] = field(default_factory=list)
    passed: list[Read] = field(default_factory=list)


def added(parts: Sequence[tuple[State, float]]) -> tuple[State, float]:
    """Sum states with logarithms of their scales; scaled to 1."""
    parts = [part for part in parts if part[1] > -np.inf]
    if len(parts) == 1:
        return parts[0]
    most = max(log for _, log in parts)
    bins, at = np.unique(np.concatenate([state[0] for state, _ in parts]), return_inverse=True)
    total = np.zeros((len(bins), parts[0][0][1].shape[1]))
    begin = 0
    for (mine, values), log in parts:
        total[at[begin : begin + len(mine)]] += np.exp(log - most) * values
        begin += len(mine)
    whole = total.sum()
    return (bins, (total / whole).astype(np.float32)), float(most + np.log(whole))


def between(before: Read, after: Read) -> Iterator[Read]:
    """Read out the steps between two: mixtures of both, more of the one that is nearer."""
    (k, *of_before, share_before), (later, *of_after, share_after) = before, after
    for step in range(k + 1, later):
        part = (step - k) / (later - k)
        yield step, of_before[0], of_before[1], (1.0 - part) * share_before
        yield step, of_after[0], of_after[1], part * share_after
