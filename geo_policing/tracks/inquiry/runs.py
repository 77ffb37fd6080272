"""How each search is run: its question read, the search asked, what it found told with its evidence."""

from collections.abc import Sequence
from dataclasses import replace

from geo_policing.errors import InvalidInput
from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model import TimeWindow, parse_instant
from geo_policing.model.device import check_device_id
from geo_policing.model.fix import number
from geo_policing.tracks import searches
from geo_policing.tracks.inquiry import questions as q
from geo_policing.tracks.inquiry.areas import line_of
from geo_policing.tracks.inquiry.found import (
    Found,
    Hit,
    Span,
    area_feature,
    line_feature,
    presence_span,
)
from geo_policing.tracks.inquiry.ground import Asked
from geo_policing.tracks.inquiry.meetings import meetings
from geo_policing.tracks.searches import Area, History, Presence


def presences(asked: Asked, question: q.Presences) -> Found:
    """Each device with its presences in the area."""
    area, window = asked.area(question.area), TimeWindow.parse(question.window, field="window")
    devices = None if question.devices is None else [check_device_id(name) for name in question.devices]
    found = searches.presences(asked.history, area, window, devices)
    by_device: dict[str, list[Presence]] = {}
    for presence in found:
        by_device.setdefault(presence.device, []).append(presence)
    hits = [
        Hit(name, {"presences": len(mine), "seconds": _seconds(mine)}, tuple(map(presence_span, mine)))
        for name, mine in by_device.items()
    ]
    return Found(hits, [area_feature(area, 1, window)])


def collision(asked: Asked, question: q.Collision) -> Found:
    """Each device with the number of areas it was in."""
    places = [
        (
            asked.area(place.area, f"places.{n}.area"),
            TimeWindow.parse(place.window, field=f"places.{n}.window"),
        )
        for n, place in enumerate(question.places)
    ]
    met = searches.collision(asked.history, places, question.at_least)
    hits = []
    for name, of_places in met.items():
        there = [n for n, mine in enumerate(of_places, 1) if mine]
        # First one of each area, so that every area is proven however much of the evidence is told.
        rounds = [(k, n, one) for n, mine in enumerate(of_places, 1) for k, one in enumerate(mine)]
        rounds.sort(key=lambda one: one[:2])
        spans = tuple(presence_span(presence, area=n) for _, n, presence in rounds)
        hits.append(Hit(name, {"areas": len(there), "in_areas": there}, spans))
    return Found(hits, [area_feature(area, n, w) for n, (area, w) in enumerate(places, 1)])


def companions(asked: Asked, question: q.Companions) -> Found:
    """Each companion with places, the number expected by chance, and how unlikely they are together."""
    window = TimeWindow.parse(question.window, field="window")
    device = check_device_id(question.device)
    found = searches.companions(
        asked.history, device, window, within_s=question.within_s, places=question.places
    )
    hits = [
        Hit(
            one.device,
            {
                "places": one.places,
                "by_chance": number(one.by_chance, 3),
                "surprise": number(one.surprise, 3),
            },
        )
        for one in found
    ]

    def proven(told: Sequence[Hit]) -> list[Hit]:
        others = [hit.device for hit in told]
        spans = meetings(asked.history, device, window, others, question.within_s)
        return [replace(hit, spans=spans.get(hit.device, ())) for hit in told]

    return Found(hits, proven=proven)


def footholds(asked: Asked, question: q.Footholds) -> Found:
    """Each foothold with its stays and its times by night and in working hours."""
    window = TimeWindow.parse(question.window, field="window")
    found = searches.footholds(
        asked.history,
        check_device_id(question.device),
        window,
        asked.zone,
        stay_s=question.stay_s,
        radius_m=question.radius_m,
    )
    hits = []
    for place in found:
        about = {
            "stays": len(place.stays),
            "total_s": round(place.total_s, 3),
            "night_s": round(place.night_s, 3),
            "work_s": round(place.work_s, 3),
            "guess": place.guess or None,
        }
        spans = tuple(Span(question.device, "stay", a, b, a, b) for a, b in place.stays)
        hits.append(Hit(question.device, about, spans, (place.lon, place.lat)))
    return Found(hits)


def first_entry(asked: Asked, question: q.FirstEntry) -> Found:
    """Each device with its first presence."""
    area, window = asked.area(question.area), TimeWindow.parse(question.window, field="window")
    found = searches.first_entry(asked.history, area, window, question.days)
    return Found([Hit(p.device, {}, (presence_span(p),)) for p in found], [area_feature(area, 1, window)])


def frequent(asked: Asked, question: q.Frequent) -> Found:
    """Each device with the number of its presences."""
    area, window = asked.area(question.area), TimeWindow.parse(question.window, field="window")
    found = searches.frequent(asked.history, area, window, question.times)
    hits = [
        Hit(name, {"presences": len(mine), "seconds": _seconds(mine)}, tuple(map(presence_span, mine)))
        for name, mine in found.items()
    ]
    return Found(hits, [area_feature(area, 1, window)])


def night_activity(asked: Asked, question: q.NightActivity) -> Found:
    """Each device with its hours by night and by day."""
    area, window = asked.area(question.area), TimeWindow.parse(question.window, field="window")
    found = searches.night_activity(
        asked.history,
        area,
        window,
        asked.zone,
        night=(question.night_from, question.night_until),
        at_night=question.at_night,
        by_day=question.by_day,
    )
    hits = [Hit(name, {"night_hours": dark, "day_hours": light}) for name, (dark, light) in found.items()]
    return Found(
        hits,
        [area_feature(area, 1, window)],
        lambda told: _present(asked.history, area, window, told),
    )


def vanished(asked: Asked, question: q.Vanished) -> Found:
    """Each device with its last presence before the incident."""
    area, moment = asked.area(question.area), parse_instant(question.moment, field="moment")
    found = searches.vanished(
        asked.history, area, moment, days=question.days, before=question.before, after=question.after
    )
    return Found([Hit(p.device, {}, (presence_span(p),)) for p in found], [area_feature(area, 1)])


def passages(asked: Asked, question: q.Passages) -> Found:
    """Each passage, by time, with the fixes before and after it."""
    window = TimeWindow.parse(question.window, field="window")
    line = _line_of(asked, question)
    found = searches.passages(asked.history, line, window, rightwards=question.rightwards)
    hits = []
    for one in sorted(found, key=lambda p: (p.at_us, p.device)):
        span = Span(
            one.device,
            "passage",
            one.at_us,
            one.at_us,
            one.fix_us,
            one.at_us,
            MAX_GAP_US,
            about={"rightwards": one.rightwards},
        )
        hits.append(Hit(one.device, {"rightwards": one.rightwards}, (span,)))
    return Found(hits, [line_feature(line)])


def _line_of(asked: Asked, question: q.Passages) -> list[tuple[float, float]]:
    """Return the line that is asked for, or the gate across an edge."""
    if (question.line is None) == (question.edge is None):
        raise InvalidInput("give either a line or the id of an edge", field="line")
    if question.line is not None:
        return line_of(question.line)
    network = asked.ground.network()
    try:
        edge = network.edge_ids.index(question.edge or "")
    except ValueError:
        raise InvalidInput(
            f"edge {question.edge!r} is not in the roads; take the id of one from a track",
            field="edge",
            value=question.edge,
        ) from None
    return searches.gate(network, edge, width_m=question.width_m)


def _present(history: History, area: Area, window: TimeWindow, told: Sequence[Hit]) -> list[Hit]:
    """Add to hits their presences in an area."""
    spans: dict[str, list[Span]] = {}
    for presence in searches.presences(history, area, window, [hit.device for hit in told]):
        spans.setdefault(presence.device, []).append(presence_span(presence))
    return [replace(hit, spans=tuple(spans.get(hit.device, ()))) for hit in told]


def _seconds(presences: Sequence[Presence]) -> float:
    return round(sum(p.leave_us - p.enter_us for p in presences) / 1e6, 3)
