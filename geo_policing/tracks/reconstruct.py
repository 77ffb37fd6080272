"""From sightings to a track."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput, OffTheRoads
from geo_policing.model import Sighting, TimeWindow, Watch
from geo_policing.roads import Access, RoadNetwork, route
from geo_policing.tracks import intervals, legs, open_ground
from geo_policing.tracks.comparing import Measure
from geo_policing.tracks.evidence import close_by, likelihood, watched
from geo_policing.tracks.ground import State
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.left_out import WORTH_THE_ROADS
from geo_policing.tracks.legs import too_much
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.reconstruction import Reconstruction
from geo_policing.tracks.smoothing import MOST_FALSE, Anchor, Impossible, Smoothed, Smoother
from geo_policing.tracks.surroundings import Surroundings
from geo_policing.tracks.turns import Turns

Array = NDArray[np.float64]

#: Up to so long between sightings, seconds, how much coarser than the model's steps and bins are. The finer
#: the bins, the less an even spread in them blurs the time of passing, which short gaps show most.
COARSER = ((200.0, 1, 1 / 3), (650.0, 1, 2 / 3), (1500.0, 2, 2.0), (np.inf, 4, 4.0))


def reconstruct(
    network: RoadNetwork,
    sightings: Sequence[Sighting],
    model: MovementModel | None = None,
    window: TimeWindow | None = None,
    *,
    watches: Sequence[Watch] = (),
    turns: Turns | None = None,
    samples: int = 200,
    seed: int = 0,
    memory_bytes: int = 1_000_000_000,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
    measure: Measure | None = None,
) -> Reconstruction:
    """Find where a suspect was, between a few sightings and around them.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    sightings : sequence of Sighting
        In any order.
    model : MovementModel, optional
        How the suspect moves; by car when not given.
    window : TimeWindow, optional
        What to cover; from the first to the last sighting when not given.
    watches : sequence of Watch
        Places that were watched where the suspect was not seen.
    turns : Turns, optional
        Those of the network, where they are known from before.
    samples : int
        How many whole paths to sample.
    seed : int
        Of the samples; the same input gives the same answer.
    memory_bytes : int
        What the filter may take.
    workers : int, optional
        In how many threads; as many as there are cores when not given. The answer is the same.
    progress : callable, optional
        Told the share that is done, 0 to 1, now and then, in the thread that asks; what it raises ends the
        work.
    measure : Measure, optional
        What makes ``log_evidence`` comparable between models; it weighs by the model's own roads when not
        given. One for each of the sightings in order of time.

    Raises
    ------
    InvalidInput
        If there is no sighting, one is outside the window, off the roads, or names an edge that is not there,
        if what is certain cannot all be true, if it takes more memory than allowed, or if the model's
        ``prune`` is so large that all places are forgotten.
    Unlikely
        If the evidence is below the least that ``measure`` asks for.
    """
    if not sightings:
        raise InvalidInput("no sightings; give at least one", field="sightings")
    if samples < 0:
        raise InvalidInput(f"samples {samples} is below 0", field="samples", value=samples)
    if not any(s.probability > 0.0 for s in sightings):
        raise InvalidInput(
            "all sightings have probability 0; give at least one that may be the suspect",
            field="probability",
            value=0.0,
        )
    model = model or MovementModel.of()
    ordered = tuple(sorted(sightings, key=lambda s: (s.time, s.lon, s.lat, s.observer)))
    if window is None:
        step = timedelta(seconds=model.step_s)
        last = max(s.last for s in ordered)
        window = TimeWindow(ordered[0].time, max(last, ordered[0].time + step))
    for sighting in ordered:
        if not (window.start <= sighting.time and sighting.last <= window.end):
            raise InvalidInput(
                f"the sighting of {sighting.time.isoformat()} is outside the window "
                f"{window.start.isoformat()} to {window.end.isoformat()}; leave it out or widen the window",
                field="window",
                value=sighting.time.isoformat(),
            )
    moments = sorted({window.start, window.end, *(s.time for s in ordered), *(s.last for s in ordered)})
    longest = max((b - a).total_seconds() for a, b in pairwise(moments))
    model = model.at_hours_of(window).over_gaps_of(longest)
    model = model.coarser(*next((steps, bins) for limit, steps, bins in COARSER if longest <= limit))
    turns = turns or Turns.of(network, model.access)
    surroundings = Surroundings(network, ordered, model, window)
    ends = ({0}, {len(ordered) - 1})
    wanted = surroundings.between(MOST_FALSE) | surroundings.around(*ends)
    yards = surroundings.yards(MOST_FALSE, ends, longest)
    most_false, prune, told = MOST_FALSE, model.prune, 0.0
    threads = workers or os.cpu_count() or 1

    def tell(share: float) -> None:
        nonlocal told
        told = max(told, share)
        if progress is not None:
            progress(told)

    while True:
        lattice = Lattice.of(network, turns, model, wanted, threads)
        lattice = open_ground.joined(lattice, model, yards, threads)
        try:
            smoothed, anchor_step, unseen = _smooth(
                *(lattice, replace(model, prune=prune), ordered, window, watches, samples, seed),
                *(memory_bytes, threads, most_false, tell, measure),
            )
        except Impossible as error:
            if most_false > MOST_FALSE:
                contradiction = _contradiction(lattice, model, ordered, error.anchor)
                raise InvalidInput(contradiction, field="sightings") from None
            # Nothing is refused that is only rare: all doubtful ones may be false, and less is forgotten.
            most_false, prune = max(MOST_FALSE + 1, len(ordered)), prune * legs.LAST_RESORT
            wanted |= surroundings.between(most_false)
            yards = surroundings.yards(most_false, ends, longest)
            continue
        # The first and the last true one may be others than those that the roads around were taken for.
        for some, probability in zip(ends, (smoothed.first, smoothed.last), strict=True):
            some.update(np.flatnonzero(probability > WORTH_THE_ROADS).tolist())
        around, known = surroundings.around(*ends), len(yards)
        yards = surroundings.yards(most_false, ends, longest)
        if not (around & ~wanted).any() and len(yards) == known:
            break
        wanted |= around
    return Reconstruction(
        window=window,
        step_s=model.step_s,
        sightings=ordered,
        truth=smoothed.truth,
        log_evidence=smoothed.log_evidence,
        lattice=lattice,
        smoothed=smoothed,
        anchor_step=anchor_step,
        model=model,
        unseen=unseen,
    )


def _smooth(
    lattice: Lattice,
    model: MovementModel,
    sightings: Sequence[Sighting],
    window: TimeWindow,
    watches: Sequence[Watch],
    samples: int,
    seed: int,
    memory_bytes: int,
    workers: int,
    most_false: int,
    tell: Callable[[float], None],
    measure: Measure | None,
) -> tuple[Smoothed, tuple[int, ...], dict[int, State]]:
    """Smooth over one lattice: what is known, the step of each sighting, and what was watched."""
    steps = int(np.ceil((window.end - window.start).total_seconds() / model.step_s)) + 1
    anchors = _anchors(lattice, sightings, window, model)
    if measure is not None:
        anchors = measure.told(lattice, sightings, anchors)
    unseen = _unseen(lattice, model, watches, window, steps, memory_bytes)
    choices = [
        tuple(round((moment - window.start).total_seconds() / model.step_s) for moment in chosen)
        for chosen in intervals.moments(sightings)
    ]
    draw = np.random.default_rng(seed)
    done = 0

    def smooth(placed: list[Anchor], samples: int) -> Smoothed:
        nonlocal done
        before = done
        smoother = Smoother(lattice, model, placed, steps, unseen, memory_bytes, workers, most_false)
        if measure is not None:
            measure.hold(smoother)
        smoother.progress = lambda share: tell((before + share) / len(choices))
        done += 1
        return smoother.run(samples, draw)

    if len(choices) == 1:
        return smooth(anchors, samples), tuple(anchor.step for anchor in anchors), unseen
    return *intervals.run(smooth, anchors, choices, samples, draw), unseen


def _anchors(
    lattice: Lattice, sightings: Sequence[Sighting], window: TimeWindow, model: MovementModel
) -> list[Anchor]:
    """Place sightings on a lattice; those that are near none of it are refused."""
    anchors, astray = [], []
    for number, sighting in enumerate(sightings):
        near = likelihood(lattice, sighting)
        near[near < NEGLIGIBLE * near.max(initial=0.0)] = 0.0
        total = float((near * lattice.measure_m).sum())
        if not total > 0.0:
            astray.append(number)
            continue
        step = round((sighting.time - window.start).total_seconds() / model.step_s)
        # It is asked of those that may be false alone, and is as large as the lattice.
        close = close_by(lattice, sighting) if sighting.probability < 1.0 else None
        anchors.append(Anchor(step, near / total, sighting.probability, close))
    if astray:
        worst = sightings[min(astray, key=lambda number: sightings[number].probability < 1.0)]
        raise OffTheRoads(
            off_the_roads(worst), field="sightings", value=(worst.lon, worst.lat), sightings=tuple(astray)
        )
    return anchors


def off_the_roads(sighting: Sighting) -> str:
    """Say that no road is where something was seen, and what to do."""
    place = f"at {sighting.lon:.6f}, {sighting.lat:.6f}"
    how, remedy = f"accuracy {sighting.accuracy_m:g} m", "correct it or give a larger accuracy"
    if sighting.area is not None:
        how, remedy = "its area", "draw a larger one"
    elif sighting.cell:
        how, remedy = f"cell {sighting.cell}", "give its parent cell, which is larger"
    elif sighting.edge:
        how, remedy = (
            f"edge {sighting.edge}, accuracy {sighting.accuracy_m:g} m",
            "correct the place or the edge, which is far from it or closed to who travels so",
        )
    return f"the sighting of {sighting.time.isoformat()} {place} is off the roads ({how}); {remedy}"


#: Places of a sighting that are less likely than this beside the likeliest are left out.
NEGLIGIBLE = 1e-8


def _unseen(
    lattice: Lattice,
    model: MovementModel,
    watches: Sequence[Watch],
    window: TimeWindow,
    steps: int,
    memory_bytes: int,
) -> dict[int, State]:
    """Probability (bins, classes) of passing all watches unseen, at each step that is watched.

    Refused where they and what overlaps of them take more memory than allowed.
    """
    used = 0

    def counted(state: State) -> State:
        nonlocal used
        used += state[0].nbytes + state[1].nbytes
        if used > memory_bytes:
            raise too_much(memory_bytes, "what is told by the watches", "fewer or smaller ones")
        return state

    parts: list[State] = []
    at: dict[int, list[int]] = {}
    for watch in watches:
        if watch.end <= window.start or watch.start >= window.end:
            continue
        within, passage_m = watched(lattice, watch)
        bins = np.flatnonzero(within).astype(np.int32)
        # Who passes the bins that are seen takes so many steps for it; each step is a part of one passage.
        part = np.minimum(model.speed_mps * model.step_s / passage_m, 1.0)
        part = np.maximum(part, model.step_s / STANDING_S)
        start_s, end_s = ((t - window.start).total_seconds() for t in (watch.start, watch.end))
        first, last = int(np.ceil(start_s / model.step_s)), int(np.floor(end_s / model.step_s))
        if last < first:
            # It lies between two steps: so much of the nearer one.
            part *= (end_s - start_s) / model.step_s
            first = last = round(0.5 * (start_s + end_s) / model.step_s)
        seen = 1.0 - (1.0 - min(watch.detection, 0.999)) ** part
        for step in range(max(first, 0), min(last + 1, steps)):
            at.setdefault(step, []).append(len(parts))
        parts.append(counted((bins, 1.0 - within[bins, None] * seen)))
    # Steps at which the same are watched share what that tells.
    together = {tuple(some) for some in at.values()}
    made = {which: counted(_all_unseen([parts[k] for k in which])) for which in sorted(together)}
    return {step: made[tuple(some)] for step, some in at.items()}


def _all_unseen(parts: Sequence[State]) -> State:
    """Probability of passing several watches unseen, in the bins where one of them sees anything."""
    bins = np.unique(np.concatenate([there for there, _ in parts]))
    chance = np.ones((len(bins), parts[0][1].shape[1]))
    for there, unseen in parts:
        chance[np.searchsorted(bins, there)] *= unseen
    kept = (chance < 1.0).any(axis=1)
    return bins[kept], chance[kept].astype(np.float32)


#: Who stands in view for so long is as likely to be seen as who passes.
STANDING_S = 60.0


def _contradiction(lattice: Lattice, model: MovementModel, sightings: Sequence[Sighting], anchor: int) -> str:
    """Say which certain sightings cannot both be true, and what makes it so."""
    sure = [i for i, s in enumerate(sightings) if s.probability >= 1.0]
    after = [i for i in sure if i > anchor] or [len(sightings) - 1]
    first, second = sightings[anchor], sightings[after[0]]
    apart = (second.last - first.time).total_seconds()
    pair = f"the sightings of {first.time.isoformat()} and {second.time.isoformat()} cannot both be true"
    remedy = "give one of them a probability below 1"
    if len(lattice.yards):
        x, y = lattice.network.plane.forward([first.lon, second.lon], [first.lat, second.lat])
        straight_m = float(np.hypot(x[1] - x[0], y[1] - y[0]))
        return (
            f"{pair}: {straight_m:.0f} m apart in a straight line, {straight_m / model.top_mps:.0f} s at "
            f"{model.top_mps:.0f} m/s, but {apart:.0f} s lie between them; {remedy}"
        )
    (from_edge, from_m), (to_edge, to_m) = (_place(lattice, sighting) for sighting in (first, second))
    way = route(
        *(lattice.network, from_edge, from_m, to_edge, to_m),
        by="length",
        access=model.access or Access(0),
    )
    if way is None:
        return f"{pair}: no road leads from the first to the second; {remedy}"
    return (
        f"{pair}: {way.length_m:.0f} m apart on the roads, "
        f"{way.length_m / model.top_mps:.0f} s at {model.top_mps:.0f} m/s, "
        f"but {apart:.0f} s lie between them; {remedy}"
    )


def _place(lattice: Lattice, sighting: Sighting) -> tuple[int, float]:
    """Edge that a sighting is nearest to, and where on it."""
    best = int(likelihood(lattice, sighting).argmax())
    return int(lattice.edge[best]), float(lattice.start_m[best])
