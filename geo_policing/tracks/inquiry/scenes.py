"""From the scene to the suspect: who was there, whose track fits what was seen, and the best one's track."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import shapely

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.kernels.cell_visits import MAX_GAP_US, distance_m
from geo_policing.matching import match_track
from geo_policing.model import (
    FixColumns,
    Sighting,
    TimeWindow,
    Watch,
    format_instant,
    geojson_rows,
    read_rows,
    to_us,
)
from geo_policing.model.fix import number
from geo_policing.model.track import line
from geo_policing.tracks import searches
from geo_policing.tracks.evidence import edge_place
from geo_policing.tracks.inquiry import questions as q
from geo_policing.tracks.inquiry.found import Found, Hit, Span, area_feature
from geo_policing.tracks.inquiry.ground import Asked
from geo_policing.tracks.movement import MovementModel
from geo_policing.tracks.searches import Area, Presence
from geo_policing.tracks.searches.history import batches
from geo_policing.tracks.suspects import Fitted, Suspects, ranked

#: Scenes and sightings of one question.
MOST_SIGHTINGS = 50
#: From the first to the last of them at most; so much of each track is looked at beside that.
LONGEST, BESIDE = timedelta(hours=24), timedelta(minutes=10)
#: How sure it is that the suspect was at a scene in its window.
SCENE = 0.95
#: So many days of candidates are read at once with all that is known of each fix.
WHOLE_DEVICE_DAYS = 30
#: A sighting is met within this at least, metres.
NEAREST_M = 50.0

Places = list[tuple[Area, TimeWindow]]
#: When it was at each place, from and to, microseconds of UTC.
Times = list[tuple[int, int]]


def suspects(asked: Asked, question: q.Suspects) -> Found:
    """From the scene to the suspect: whose track fits the scenes and the sightings of a suspect, best first.

    Candidates are those who were at k or more of the scenes and sightings (space-time collision): in the area
    of a scene in its window, within six times the accuracy of a sighting, or in its area, and no more than
    `within_s` before or after it. Those at most of them, of equals those nearest to their times, are matched
    to the roads, and each whole track is held against all of it by the likelihood of the reconstruction
    (`tracks.suspects`): the score is the decimal logarithm of the factor by which all of that together
    changes the odds that this device was with the suspect, and not with somebody who was anywhere on the
    roads. A score is no probability of guilt. The track of the first is told, matched to the roads.
    """
    seen, watches, places, times, shown = _read(asked, question)
    first, last = min(s.time for s in seen), max(s.last for s in seen)
    if last - first > LONGEST:
        raise InvalidInput(
            f"the scenes and sightings lie {(last - first).total_seconds() / 3600:.1f} hours apart; ask for "
            "those of 24 hours at once",
            field="sightings",
        )
    wanted = max(2, math.ceil(len(places) / 2)) if question.at_least is None else question.at_least
    met = searches.collision(asked.history, places, wanted)
    apart = {name: _apart_us(of_places, times) for name, of_places in met.items()}
    counts = {name: sum(map(bool, of_places)) for name, of_places in met.items()}
    names = sorted(met, key=lambda name: (-counts[name], apart[name], name))[: question.candidates]
    notes = ["a score says how well a track fits what was seen; it is no probability of guilt"]
    if len(met) > len(names):
        notes.append(
            f"{len(met)} devices were at {wanted} or more of {len(places)} scenes and sightings; the "
            f"{len(names)} at most of them were held against the sightings"
        )
    window = _beside(first, last, BESIDE)
    model = MovementModel.of(question.mode)
    against = Suspects(asked.ground.network(), seen, watches, model, asked.ground.turns(model.access))
    fits: dict[str, Fitted] = {}
    hit: dict[str, Hit] = {}
    for some in batches(names, window.start_us, window.end_us, WHOLE_DEVICE_DAYS):
        every = asked.history.fixes(window.start_us, window.end_us, some)
        for name in some:
            asked.halt.tell(f"{len(fits)} of {len(names)} candidates held against the sightings")
            # They come by device and time.
            rows = slice(*(int(np.searchsorted(every.device, name, side=s)) for s in ("left", "right")))
            fixes = every.take(rows)
            fits[name] = _fit(asked, against, name, fixes)
            hit[name] = _hit(name, fits[name], seen, fixes, counts[name])
    hits = [hit[name] for name in ranked(fits)]
    features = [*shown, *(_seen(n, one) for n, one in enumerate(seen, 1))]
    if hits:
        best = hits[0].device
        fixes = asked.history.fixes(window.start_us, window.end_us, [best])
        features += track_features(asked, best, window, fixes)
    return Found(hits, features, notes=notes)


def _read(
    asked: Asked, question: q.Suspects
) -> tuple[list[Sighting], list[Watch], Places, Times, list[dict[str, Any]]]:
    """Return sightings, with the scenes as such; watches; where to collide, and when; the areas to show."""
    network = asked.ground.network()
    rows = geojson_rows(question.sightings) if question.sightings else []
    if len(rows) > MOST_SIGHTINGS:
        raise InvalidInput(
            f"{len(rows)} sightings and watches; give at most {MOST_SIGHTINGS}",
            field="sightings",
            value=len(rows),
        )
    told, watches = read_rows(rows, lambda edge: edge_place(network, edge))
    seen, places, shown = [], [], []
    for n, scene in enumerate(question.scenes):
        area = asked.area(scene.area, f"scenes.{n}.area")
        window = TimeWindow.parse(scene.window, field=f"scenes.{n}.window")
        until = window.end - timedelta(microseconds=1)
        seen.append(
            Sighting.in_area(
                window.start,
                area.shape.__geo_interface__,
                until=until,
                probability=SCENE,
                observer=f"scene {n + 1}",
            )
        )
        places.append((area, window))
        shown.append(area_feature(area, n + 1, window))
    around = timedelta(seconds=max(question.within_s, 1))
    for one in told:
        seen.append(one)
        if one.probability > 0:
            places.append((_around(one), _beside(one.time, one.last, around)))
    if len(places) < 2:
        raise InvalidInput(
            f"{len(places)} scenes and sightings; give at least two, so that somebody can be at several",
            field="sightings",
            value=len(places),
        )
    times = [(to_us(one.time), to_us(one.last)) for one in seen if one.probability > 0]
    return seen, watches, places, times, shown


def _beside(first: datetime, last: datetime, beside: timedelta) -> TimeWindow:
    """Return the time from the first to the last moment and as much before and after it."""
    try:
        return TimeWindow(first - beside, last + beside)
    except OverflowError:
        raise InvalidTimeWindow(
            f"{first.isoformat()} to {last.isoformat()} is at an end of the calendar; correct the year",
            field="window",
        ) from None


def _apart_us(of_places: Sequence[Sequence[Presence]], times: Times) -> int:
    """Return how long before or after the times themselves somebody was there, all places together."""
    return sum(
        min(max(p.enter_us - last_us, first_us - p.leave_us, 0) for p in mine)
        for (first_us, last_us), mine in zip(times, of_places, strict=True)
        if mine
    )


def _around(sighting: Sighting) -> Area:
    """Return where somebody is who can be the one of a sighting."""
    if sighting.area is not None:
        return Area(sighting.area)
    if sighting.cell:
        return Area.of_cells([sighting.cell])
    return Area.circle(sighting.lon, sighting.lat, max(sighting.reach_m, NEAREST_M))


def _fit(asked: Asked, against: Suspects, name: str, fixes: FixColumns) -> Fitted:
    epoch_us = int(fixes.time[0]) if len(fixes) else 0
    match = asked.ground.matcher_of(name).match(
        (fixes.time - epoch_us) / 1e6,
        fixes.lon,
        fixes.lat,
        speed_mps=fixes.speed_mps,
        course_deg=fixes.course_deg,
        accuracy_m=fixes.accuracy_m,
    )
    return against.fit(match, epoch_us)


def _hit(name: str, fitted: Fitted, seen: Sequence[Sighting], fixes: FixColumns, places: int) -> Hit:
    spans = []
    for n, (one, fit) in enumerate(zip(seen, fitted.sightings, strict=True), 1):
        start_us, end_us = to_us(one.time), to_us(one.last)
        about = {
            "sighting": n,
            "score": round(fit.log_odds / math.log(10), 3),
            "probability": number(fit.probability, 4),
            "distance_m": _distance(one, fixes),
        }
        spans.append(Span(name, "fit", start_us, end_us, start_us, end_us, MAX_GAP_US, about))
    told = {
        "score": round(fitted.log_odds / math.log(10), 3),
        "fitting": sum(fit.log_odds > 0 for fit in fitted.sightings),
        "sightings": len(seen),
        "met": places,
        "unseen": round(fitted.unseen / math.log(10), 3),
    }
    return Hit(name, told, tuple(spans))


def _distance(sighting: Sighting, fixes: FixColumns) -> float | None:
    """Metres from the middle of a sighting to the nearest that the device came in its time, straight on."""
    if not len(fixes):
        return None
    start_us, end_us = to_us(sighting.time), to_us(sighting.last)
    inside = fixes.time[(fixes.time > start_us) & (fixes.time < end_us)]
    at = np.concatenate([[start_us], inside, [end_us]])
    at = at[(at >= fixes.time[0]) & (at <= fixes.time[-1])]
    if not len(at):
        return None
    lon, lat = (np.interp(at, fixes.time, of) for of in (fixes.lon, fixes.lat))
    away = (distance_m(sighting.lon, sighting.lat, x, y) for x, y in zip(lon, lat, strict=True))
    return round(min(away), 1)


def _seen(n: int, sighting: Sighting) -> dict[str, Any]:
    geometry = shapely.Point(sighting.lon, sighting.lat) if sighting.area is None else sighting.area
    about = {
        "what": "sighting",
        "number": n,
        "observer": sighting.observer,
        "probability": sighting.probability,
        "from": format_instant(to_us(sighting.time)),
        "until": format_instant(to_us(sighting.last)),
    }
    return {"type": "Feature", "geometry": geometry.__geo_interface__, "properties": about}


def track_features(asked: Asked, name: str, window: TimeWindow, fixes: FixColumns) -> list[dict[str, Any]]:
    """Return the pieces of a matched track as features."""
    track = match_track(asked.ground.matcher_of(name), name, window, fixes)
    return [
        {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": line(piece.lon, piece.lat)},
            "properties": {
                "what": "track",
                "device": name,
                "inferred": piece.inferred,
                "confidence": number(piece.confidence, 3),
                "edges": list(piece.edge_ids),
                "entered": [format_instant(us) for us in piece.enter_us.tolist()],
            },
        }
        for piece in track.pieces
        if len(piece.lon) > 1
    ]
