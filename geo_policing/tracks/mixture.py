"""Who travels by nobody knows what: a reconstruction for each mode, weighed by the evidence for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput, OffTheRoads
from geo_policing.model import Sighting, TimeWindow, Watch
from geo_policing.roads import RoadNetwork
from geo_policing.tracks.comparing import Measure, agreeing_m, anywhere_m
from geo_policing.tracks.movement import Mode, MovementModel
from geo_policing.tracks.reconstruct import reconstruct
from geo_policing.tracks.reconstruction import Occupancy, Path, Reconstruction
from geo_policing.tracks.smoothing import MOST_FALSE, Unlikely
from geo_policing.tracks.speeds import Speeds
from geo_policing.tracks.surroundings import Surroundings
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: How it is said that it is not known what somebody travels with, and what that may be.
UNKNOWN = "unknown"
MODES = (Mode.CAR, Mode.E_BIKE, Mode.FOOT)
#: A mode that is less probable than this is not read out, nor reconstructed once that is known.
NEGLIGIBLE = 1e-6
#: One that leaves the roads is not tried where a glance makes it less probable by so much more, in nats.
SURE = 7.0


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One mode of a mixture.

    Parameters
    ----------
    model : MovementModel
        As it was given.
    prior, probability : float
        Of the mode, before and after the sightings.
    log_evidence : float
        Logarithm of the density of the sightings, comparable between modes; minus infinity where they cannot
        be.
    found : Reconstruction, optional
        None where the sightings cannot be, and where the mode is less probable than `NEGLIGIBLE`.
    kept : tuple of int
        Which of the sightings it has: those off its roads, which are false then, are left out.
    problem : str
        Why they cannot be, or that the prior is 0; empty where they can.
    """

    model: MovementModel
    prior: float
    probability: float
    log_evidence: float
    found: Reconstruction | None = field(default=None, repr=False)
    kept: tuple[int, ...] = ()
    problem: str = ""

    @property
    def mode(self) -> Mode:
        """Who travels."""
        return self.model.mode


@dataclass(frozen=True, eq=False)
class Mixture:
    """A suspect's track where it is not known what the suspect travels with.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    window : TimeWindow
        What is covered.
    sightings : (n,) tuple of Sighting
        In order of time.
    members : tuple of Member
        The modes, as they were given; their probabilities sum to 1.
    """

    network: RoadNetwork = field(repr=False)
    window: TimeWindow
    sightings: tuple[Sighting, ...]
    members: tuple[Member, ...]

    @property
    def weights(self) -> dict[Mode, float]:
        """Probability of each mode; they sum to 1."""
        return {member.mode: member.probability for member in self.members}

    @cached_property
    def likely(self) -> list[tuple[Member, Reconstruction]]:
        """The modes that are not negligible with what they tell, the most probable first."""
        told = [
            (member, member.found)
            for member in self.members
            if member.found is not None and member.probability > NEGLIGIBLE
        ]
        return sorted(told, key=lambda one: -one[0].probability)

    @property
    def best(self) -> tuple[Member, Reconstruction]:
        """The most probable mode, and what it tells."""
        return self.likely[0]

    @property
    def log_evidence(self) -> float:
        """Logarithm of the density of the sightings, over all modes by their priors."""
        with np.errstate(divide="ignore"):
            logs = [np.log(member.prior) + member.log_evidence for member in self.members]
        return float(np.logaddexp.reduce(logs))

    @cached_property
    def truth(self) -> Array:
        """Probability (n,) that each sighting is the suspect, after all."""
        total = np.zeros(len(self.sightings))
        for member, found in self.likely:
            total[list(member.kept)] += member.probability * found.truth
        return total / sum(member.probability for member, _ in self.likely)

    def occupancy(self, at: datetime, resolution: int = 10) -> Occupancy:
        """Where the suspect was at a moment of the window: as `Reconstruction.occupancy`, over all modes.

        Raises
        ------
        InvalidInput
            If the moment is outside the window or the resolution not 9 to 11.
        """
        told = [(member.probability, found.occupancy(at, resolution)) for member, found in self.likely]
        cell, of = np.unique(np.concatenate([one.cell for _, one in told]), return_inverse=True)
        total = np.bincount(of, np.concatenate([p * one.probability for p, one in told]), len(cell))
        order = np.lexsort((cell, -total))
        return Occupancy(at, cell[order], total[order] / total.sum())

    def unfold(self, tell: Callable[[], None] = lambda: None) -> None:
        """Find the edges of each sampled path of each mode: see `Reconstruction.unfold`."""
        for _, found in self.likely:
            found.unfold(tell)

    @property
    def best_path(self) -> tuple[Mode, Path]:
        """The path that stands for those of the most probable mode, and the mode.

        Raises
        ------
        InvalidInput
            If no path was sampled.
        """
        member, found = self.best
        return member.mode, found.best_path

    def paths(self, k: int = 5) -> list[tuple[Mode, Path]]:
        """Return the k most probable paths over all modes, each with its mode.

        A path's probability is that of its mode times its share of the paths of the mode.
        """
        told = [
            (member.mode, replace(path, probability=member.probability * path.probability))
            for member, found in self.likely
            for path in found.paths(k)
        ]
        return sorted(told, key=lambda one: -one[1].probability)[:k]

    def passing(self, edge: int) -> float:
        """Probability that the suspect passed an edge between the first and the last sighting."""
        return sum(member.probability * found.passing(edge) for member, found in self.likely)

    def likely_edges(self, least: float = 0.02) -> list[int]:
        """Edges that were passed with at least this probability, the likeliest first."""
        edges = {edge for _, found in self.likely for edge in found.likely_edges(0.0)}
        counted = sorted((-self.passing(edge), edge) for edge in edges)
        return [edge for passed, edge in counted if -passed >= least]


def models_of(speeds: Speeds | None = None) -> list[MovementModel]:
    """Return the models of `MODES`; speeds are taken for the mode that they were learned of.

    Raises
    ------
    InvalidInput
        If the speeds were learned of none of them, or in other classes of speed.
    """
    if speeds is not None and speeds.mode not in MODES:
        raise InvalidInput(
            f"the speeds were learned of {speeds.mode}, none of {', '.join(MODES)}; leave them out",
            field="speeds",
            value=speeds.mode,
        )
    return [MovementModel.of(m, speeds if speeds and speeds.mode == m.value else None) for m in MODES]


def prior_of(given: Mapping[str, float]) -> dict[Mode, float]:
    """Read how probable each mode is where nothing was seen, which has to be said of all of `MODES`.

    Parameters
    ----------
    given : mapping of str to float
        By the names of the modes, on any scale: 6, 3 and 1 say the same as .6, .3 and .1.

    Returns
    -------
    dict of Mode to float
        They sum to 1; a mode of 0 is not tried.

    Raises
    ------
    InvalidInput
        If a mode is none or left out, or a number is none, below 0, or all are 0.
    """
    names = [mode.value for mode in MODES]
    for name in given:
        if name not in names:
            raise InvalidInput(
                f"prior of {name!r}: give one of each of {', '.join(names)}", field="prior", value=name
            )
    missing = [name for name in names if name not in given]
    if missing:
        raise InvalidInput(
            f"prior says nothing of {', '.join(missing)}; name all of {', '.join(names)}, with 0 for what "
            "cannot be",
            field="prior",
        )
    return dict(zip(MODES, _shares(MODES, {mode: given[mode.value] for mode in MODES}), strict=True))


def mixture(
    network: RoadNetwork,
    sightings: Sequence[Sighting],
    models: Sequence[MovementModel] | None = None,
    window: TimeWindow | None = None,
    *,
    prior: Mapping[Mode, float] | None = None,
    watches: Sequence[Watch] = (),
    turns_of: Callable[[MovementModel], Turns] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    **how: Any,
) -> Mixture:
    """Find where a suspect was of whom it is not known what they travel with.

    All modes are reconstructed in turn; the weight of each is its prior times the evidence for it, which is
    made comparable by a `Measure`. The evidence is known halfway: where it makes a mode negligible beside one
    before it, the other half is left out. Of who leaves the roads, which takes longest, it is first worked
    out in larger steps, bins and cells, and all is left out where that makes it a thousand times less
    probable still.

    Parameters
    ----------
    network, sightings, window, watches, seed, progress
        As in `reconstruct`.
    models : sequence of MovementModel, optional
        One for each mode; those of `models_of` when not given.
    prior : mapping of Mode to float, optional
        How probable each mode is where nothing was seen, on any scale; all alike when not given. Of a mode
        that it lacks it is 0.
    turns_of : callable, optional
        From a model to its turns, where they are known from before.
    **how
        Further arguments of `reconstruct`, for each mode.

    Raises
    ------
    InvalidInput
        As `reconstruct` does, but for sightings that only some modes make impossible; and if a prior is none.
    """
    models = models_of() if models is None else list(models)
    share = _shares([model.mode for model in models], prior)
    if not sightings:
        raise InvalidInput("no sightings; give at least one", field="sightings")
    ordered = tuple(sorted(sightings, key=lambda s: (s.time, s.lon, s.lat, s.observer)))
    if window is None:
        step = timedelta(seconds=max(model.step_s for model in models))
        last = max(s.last for s in ordered)
        window = TimeWindow(ordered[0].time, max(last, ordered[0].time + step))
    possible = [model for model, p in zip(models, share, strict=True) if p > 0.0]
    measure = Measure(
        tuple(agreeing_m(network, sighting) for sighting in ordered),
        _elsewhere_m(network, ordered, possible, window),
        seed,
    )
    told: list[Member] = []
    best, done = -np.inf, 0.0
    for k, (model, p) in enumerate(zip(models, share, strict=True)):

        def tell(part: float, k: int = k) -> None:
            # A mode may be begun again, more finely or without what is off its roads.
            nonlocal done
            done = max(done, (k + part) / len(models))
            if progress is not None:
                progress(done)

        tell(0.0)
        if not p > 0.0:
            told.append(Member(model, 0.0, 0.0, -np.inf, problem="its prior is 0"))
            continue
        turns = None if turns_of is None else turns_of(model)
        more = how | {"watches": watches, "turns": turns, "seed": seed, "progress": tell}
        least = replace(measure, least=best + float(np.log(NEGLIGIBLE / p)))
        told.append(_member(network, ordered, model, window, least, p, more))
        best = max(best, float(np.log(p)) + told[-1].log_evidence)
    with np.errstate(divide="ignore"):
        logs = np.array([np.log(member.prior) + member.log_evidence for member in told])
    if not logs.max() > -np.inf:
        problems = "; ".join(f"{m.mode.value}: {m.problem}" for m in told if m.problem)
        raise InvalidInput(f"the sightings are impossible by any mode: {problems}", field="sightings")
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    members = tuple(replace(m, probability=w) for m, w in zip(told, weight.tolist(), strict=True))
    return Mixture(network, window, ordered, members)


def reconstruct_by(
    network: RoadNetwork,
    sightings: Sequence[Sighting],
    models: Sequence[MovementModel],
    window: TimeWindow | None = None,
    *,
    turns_of: Callable[[MovementModel], Turns],
    prior: Mapping[Mode, float] | None = None,
    **how: Any,
) -> Reconstruction | Mixture:
    """`reconstruct` by the one model that is given, or `mixture` of several, by their priors."""
    if len(models) > 1:
        return mixture(network, sightings, models, window, prior=prior, turns_of=turns_of, **how)
    return reconstruct(network, sightings, models[0], window, turns=turns_of(models[0]), **how)


def _member(
    network: RoadNetwork,
    sightings: tuple[Sighting, ...],
    model: MovementModel,
    window: TimeWindow,
    measure: Measure,
    prior: float,
    how: dict[str, Any],
) -> Member:
    """Reconstruct by one mode, but what a glance shows to be far from worth it."""
    if model.off_road is not None and measure.least > -np.inf:
        # Of who leaves the roads most places are looked at: first at a few.
        glance = _tried(network, sightings, _rough(model), window, replace(measure, least=np.inf), how)
        # Who was seen where no place is in the larger cells may be at one in the smaller.
        whole = len(glance.kept) == len(sightings)
        if whole and -np.inf < glance.log_evidence < measure.least - SURE:
            return replace(glance, model=model, prior=prior)
    return replace(_tried(network, sightings, model, window, measure, how), prior=prior)


def _rough(model: MovementModel) -> MovementModel:
    """Return a movement in larger steps, bins and cells."""
    how = model.off_road
    return replace(model.coarser(2, 2.0), off_road=None if how is None else replace(how, finest=10))


def _tried(
    network: RoadNetwork,
    sightings: tuple[Sighting, ...],
    model: MovementModel,
    window: TimeWindow,
    measure: Measure,
    how: dict[str, Any],
) -> Member:
    """Reconstruct by one mode. What is off its roads is false, if that may be; else nobody went so."""
    kept = list(range(len(sightings)))
    log_false, log_anywhere = 0.0, float(np.log(anywhere_m(network, model)))
    while True:
        mine = [sightings[i] for i in kept]
        asked = replace(
            measure, seen_m=tuple(measure.seen_m[i] for i in kept), least=measure.least - log_false
        )
        found = None
        try:
            found = reconstruct(network, mine, model, window, measure=asked, **how)
            log_evidence = found.log_evidence
        except OffTheRoads as error:
            astray = [kept[number] for number in error.sightings]
            kept = [i for i in kept if i not in astray]
            false = np.array([1.0 - sightings[i].probability for i in astray])
            if not false.all() or not any(sightings[i].probability > 0.0 for i in kept):
                return Member(model, 0.0, 0.0, -np.inf, problem=str(error))
            log_false += float(np.log(false / measure.elsewhere_m).sum())
            continue
        except InvalidInput as error:
            if error.field != "sightings":
                raise
            return Member(model, 0.0, 0.0, -np.inf, problem=str(error))
        except Unlikely as error:
            log_evidence = error.log_evidence
        return Member(model, 0.0, 0.0, log_evidence + log_false - log_anywhere, found, tuple(kept))


def _shares(modes: Sequence[Mode], prior: Mapping[Mode, float] | None) -> list[float]:
    """Priors of some modes, which sum to 1."""
    given = [1.0 if prior is None else float(prior.get(mode, 0.0)) for mode in modes]
    if not all(np.isfinite(p) and p >= 0.0 for p in given) or not 0.0 < sum(given) < np.inf:
        names = ", ".join(f"{mode.value} {p:g}" for mode, p in zip(modes, given, strict=True))
        raise InvalidInput(
            f"the priors of the modes are {names}; give numbers from 0 on, one of them above 0", field="prior"
        )
    return [p / sum(given) for p in given]


def _elsewhere_m(
    network: RoadNetwork, sightings: Sequence[Sighting], models: Sequence[MovementModel], window: TimeWindow
) -> float:
    """Length of the roads that are in reach by any mode: a false sighting is on any of them."""
    found = np.zeros(network.n_edges, bool)
    for model in models:
        reach = Surroundings(network, sightings, model, window)
        found |= reach.between(MOST_FALSE) | reach.around([0], [len(sightings) - 1])
    return max(float(network.length_m[found].sum()), 1.0)
