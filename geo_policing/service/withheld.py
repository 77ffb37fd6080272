"""What of a kept answer may still be told: a device can have come under community corrections since."""

from collections.abc import Collection
from typing import Any

from geo_policing.errors import NotAllowed
from geo_policing.model import Device
from geo_policing.service.sight import EXCLUDED, note_of


def permitted_now(document: dict[str, Any], devices: Collection[Device]) -> dict[str, Any]:
    """Return an answer without the devices that no search finds any more, as if they had not been found.

    Ranks follow each other, counts are of the others, and the notes say what any answer would say now:
    nothing tells that somebody of these was there. What was asked stays.

    Parameters
    ----------
    document : dict
        As `searches.ask` has told it.
    devices : collection of Device
        Those that are admitted, as they are now.

    Returns
    -------
    dict
        Another one; the one that was given is not changed.

    Raises
    ------
    NotAllowed
        If the question was about such a device alone: then everything in it shows where that was.
    """
    kinds = {device.id: device.kind for device in devices}
    without = {name for name, kind in kinds.items() if kind in EXCLUDED}
    question = document["question"]
    about = question.get("device")
    if about in without:
        raise NotAllowed(
            f"device {about!r} is of community corrections, and its positions serve corrections alone; "
            "ask the corrections office"
        )
    results = [one for one in document["results"] if one["device"] not in without]
    rank = {one["rank"]: n for n, one in enumerate(results, question.get("skip", 0) + 1)}
    gone = len(document["results"]) - len(results)
    named = [about, *(question.get("devices") or ())]
    notes = note_of({name: kinds[name] for name in named if name in kinds}, others=bool(without))
    return document | {
        "found": document["found"] - gone,
        "told": len(results),
        "next": None if document["next"] is None else document["next"] - gone,
        "notes": [*document["notes"], *(note for note in notes if note not in document["notes"])],
        "results": [one | {"rank": rank[one["rank"]]} for one in results],
        "features": [
            _ranked(feature, rank)
            for feature in document["features"]
            if _is_permitted(feature["properties"], rank, without)
        ],
    }


def _is_permitted(about: dict[str, Any], rank: dict[int, int], without: Collection[str]) -> bool:
    if about.get("device") in without or about.get("other") in without:
        return False
    return "rank" not in about or about["rank"] in rank


def _ranked(feature: dict[str, Any], rank: dict[int, int]) -> dict[str, Any]:
    about = feature["properties"]
    if "rank" not in about:
        return feature
    return feature | {"properties": about | {"rank": rank[about["rank"]]}}
