"""What is told of a search: a page of results as JSON, their evidence as GeoJSON."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from geo_policing.model import Device, format_instant
from geo_policing.model.fix import number
from geo_policing.model.moves import Proof, Stretch
from geo_policing.tracks.inquiry.found import Found, Hit, Span
from geo_policing.tracks.inquiry.questions import AlongRoads, Question
from geo_policing.tracks.searches.on_roads import LONGEST_S

#: Stretches of evidence that are told of one result.
SPANS_A_HIT = 25
#: Stretches of evidence in one answer; the page ends where there would be more.
SPANS = 2_000
#: About so many fixes of a stretch are told: the first, the last, and some evenly between.
FIXES_A_SPAN = 10


#: Reads the fixes of stretches out of the history.
Evidence = Callable[[Sequence[Stretch], int], Sequence[Proof]]


def document(
    found: Found, question: Question, evidence: Evidence, devices: Mapping[str, Device]
) -> dict[str, Any]:
    """Tell a page of what was found.

    Parameters
    ----------
    found : Found
        All of it.
    question : Question
        Which page.
    evidence : callable
        Reads the fixes that prove it.
    devices : mapping of str to Device
        Those that were admitted, by id.

    Returns
    -------
    dict
        A GeoJSON FeatureCollection with ``found``, ``told``, ``next`` (the skip of the next page, or None),
        ``results`` and ``features``: the areas and lines asked for, the places of results, and for each
        stretch of evidence a MultiPoint of its fixes with their times, receivers and accuracies.
    """
    page = found.hits[question.skip : question.skip + question.limit]
    if found.proven is not None:
        page = found.proven(page)
    told: list[Hit] = []
    spans = 0
    for hit in page:
        spans += min(len(hit.spans), SPANS_A_HIT)
        if told and spans > SPANS:
            break
        told.append(hit)
    until = question.skip + len(told)
    notes = list(found.notes)
    device = getattr(question, "device", None)
    if device is not None and device not in devices:
        notes.append(f"no device {device!r} is admitted")
    features = list(found.asked)
    chosen: list[tuple[int, Span]] = []
    results = []
    for rank, hit in enumerate(told, question.skip + 1):
        results.append(
            {"rank": rank, **_called(hit.device, devices), **hit.about, "evidence": len(hit.spans)}
        )
        if hit.at is not None:
            about = {"what": "place", "rank": rank, "device": hit.device, **hit.about}
            features.append(_feature({"type": "Point", "coordinates": _rounded(*hit.at)}, about))
        chosen += [(rank, span) for span in hit.spans[:SPANS_A_HIT]]
    # On the roads a presence may be known by places between fixes; the fixes around prove it.
    on_roads = isinstance(question, AlongRoads) and question.along_roads
    around_us = round(LONGEST_S * 1e6) if on_roads else 0
    stretches = [
        Stretch(span.device, span.first_us, span.last_us, max(span.around_us, around_us))
        for _, span in chosen
    ]
    fixes = evidence(stretches, FIXES_A_SPAN)
    features += [_proof(rank, span, of) for (rank, span), of in zip(chosen, fixes, strict=True)]
    return {
        "type": "FeatureCollection",
        "found": len(found.hits),
        "told": len(told),
        "next": until if until < len(found.hits) and told else None,
        "notes": notes,
        "results": results,
        "features": features,
    }


def _called(name: str, devices: Mapping[str, Device]) -> dict[str, Any]:
    """Return the id of a device, what people call it, and what carries it."""
    # There may be fixes of one that is not admitted any more.
    device = devices.get(name) or Device(name)
    return {"device": name, "name": device.name or name, "kind": device.kind.value}


def _proof(rank: int, span: Span, of: Proof) -> dict[str, Any]:
    fixes = of.some
    about = {
        "what": span.what,
        "rank": rank,
        "device": span.device,
        **span.about,
        "from": format_instant(span.from_us),
        "until": format_instant(span.until_us),
        "fixes": of.count,
        "times": [format_instant(time) for time in fixes.time.tolist()],
        "received": [format_instant(time) if time else None for time in fixes.received.tolist()],
        "sources": fixes.source.tolist(),
        "accuracy_m": [number(value, 2) for value in fixes.accuracy_m.tolist()],
    }
    places = [_rounded(lon, lat) for lon, lat in zip(fixes.lon.tolist(), fixes.lat.tolist(), strict=True)]
    # A stretch whose fixes are deleted meanwhile has no place any more (RFC 7946, 3.2).
    geometry = {"type": "MultiPoint", "coordinates": places} if places else None
    return _feature(geometry, about)


def _feature(geometry: dict[str, Any] | None, about: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": about}


def _rounded(lon: float, lat: float) -> list[float]:
    return [round(lon, 7), round(lat, 7)]
