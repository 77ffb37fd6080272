"""How the searches about single vehicles are run: what one did, who drove along a path, who was twice."""

import numpy as np

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow, parse_instant, to_us
from geo_policing.model.device import check_device_id
from geo_policing.model.fix import number
from geo_policing.tracks import searches
from geo_policing.tracks.inquiry import questions as q
from geo_policing.tracks.inquiry.areas import edges_of, line_of
from geo_policing.tracks.inquiry.found import Found, Hit, Span, line_feature
from geo_policing.tracks.inquiry.ground import Asked
from geo_policing.tracks.inquiry.scenes import track_features
from geo_policing.tracks.searches import Cloned, DrawnPath
from geo_policing.tracks.searches.history import check_length

#: The longest window whose path is matched, days.
MATCHED_DAYS = 7


def itinerary(asked: Asked, question: q.Itinerary) -> Found:
    """Each trip, stay and gap, by time; fixes that leap away and back are told of in a note."""
    window = TimeWindow.parse(question.window, field="window")
    device = check_device_id(question.device)
    found = searches.itinerary(
        *(asked.history, device, window),
        stay_s=question.stay_s,
        radius_m=question.radius_m,
        gap_s=question.gap_s,
    )
    hits = []
    for leg in found.legs:
        span = Span(device, leg.kind.value, *(leg.first.at_us, leg.last.at_us) * 2)
        about = {
            "leg": leg.kind.value,
            "lasted_s": round((leg.last.at_us - leg.first.at_us) / 1e6, 3),
            "length_m": number(leg.length_m, 1),
            "silent_s": number(leg.silent_s, 1),
            "fixes": leg.fixes,
        }
        at = (leg.lon, leg.lat) if leg.kind is searches.LegKind.STAY else None
        hits.append(Hit(device, about, (span,), at))
    leaps = len(found.leaps)
    notes = [f"{leaps} of {found.fixes} fixes leap away and back and were left out"] if leaps else []
    features = []
    if question.match:
        check_length(window, MATCHED_DAYS)
        fixes = asked.history.fixes(window.start_us, window.end_us, [device])
        features = track_features(asked, device, window, fixes)
    return Found(hits, features, notes=notes)


def overlap(asked: Asked, question: q.Overlap) -> Found:
    """Each device with the share of the path that it drove, the largest first."""
    window = TimeWindow.parse(question.window, field="window")
    path = _path_of(asked, question, window)
    if question.within_s is not None and path.times_us is None:
        raise InvalidInput("within_s needs times: when each position was passed", field="within_s")
    left_out = [*question.without, *([] if question.device is None else [question.device])]
    found = searches.overlap(
        *(asked.history, path, window),
        within_m=question.within_m,
        least_share=question.least_share,
        directed=question.directed,
        within_s=question.within_s,
        without=[check_device_id(name) for name in left_out],
    )
    hits = []
    for one in found:
        spans = []
        for piece in one.stretches:
            about = {"from_m": round(piece.from_m, 1), "to_m": round(piece.to_m, 1)}
            when = (piece.first_fix_us, piece.last_fix_us)
            spans.append(Span(one.device, "along", *when, *when, about=about))
        share = {"share": number(one.share, 4), "driven_m": number(one.driven_m, 1)}
        hits.append(Hit(one.device, share, tuple(spans)))
    return Found(hits, [line_feature(part.tolist()) for part in path.parts])


def _path_of(asked: Asked, question: q.Overlap, window: TimeWindow) -> DrawnPath:
    """Return the path that is asked for: a line with its times, edges, or where a device went."""
    given = [name for name in ("line", "edges", "device") if getattr(question, name) is not None]
    if len(given) != 1:
        raise InvalidInput(
            f"{' and '.join(given) or 'no path'}: give one of line, edges and device", field="line"
        )
    if question.times is not None and question.line is None:
        raise InvalidInput("times are those of a line; leave them out", field="times")
    if question.device is not None:
        return DrawnPath.of_device(asked.history, check_device_id(question.device), window)
    if question.edges is not None:
        return edges_of(question.edges, "edges", asked.ground.network)
    times = None
    if question.times is not None:
        moments = [to_us(parse_instant(text, field=f"times.{n}")) for n, text in enumerate(question.times)]
        times = [np.array(moments, np.int64)]
    return DrawnPath([np.array(line_of(question.line))], times)


def cloned(asked: Asked, question: q.Cloned) -> Found:
    """Each identity with its impossible steps, the firm ones first."""
    found = searches.cloned(
        *(asked.history, asked.ground.road_times()),
        [check_device_id(name) for name in question.devices],
        TimeWindow.parse(question.window, field="window"),
        tolerance_s=question.tolerance_s,
        haste=question.haste,
        apart_m=question.apart_m,
        sigmas=question.sigmas,
        radius_m=question.radius_m,
        support=question.support,
        halt=asked.halt,
    )
    return Found([_twofold(one) for one in found])


def _twofold(one: Cloned) -> Hit:
    spans = []
    for step in one.steps:
        about = {
            "firm": step.firm,
            "elapsed_s": number(step.elapsed_s, 1),
            "needed_s": number(step.needed_s, 1),
            "straight_m": number(step.straight_m, 1),
        }
        spans.append(Span(one.device, "step", *(step.before.at_us, step.after.at_us) * 2, about=about))
    return Hit(one.device, {"firm": one.firm, "leaps": one.leaps, "strands": len(one.strands)}, tuple(spans))
