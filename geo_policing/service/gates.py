"""The gates of a kept reconstruction, and which units reach them first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from geo_policing.errors import Conflict, InvalidInput
from geo_policing.model import DeviceKind, parse_instant
from geo_policing.service.tracks import Tracks
from geo_policing.tracks.answer import told_arrival
from geo_policing.tracks.holding import LONGEST_NAME, Held, Holding, UnitAt

#: What carries those who can hold a gate; the others of them walk.
DRIVES = frozenset({DeviceKind.PATROL_CAR})
POLICE = DRIVES | {DeviceKind.OFFICER, DeviceKind.HANDHELD}
#: Where a unit was longer ago than this, it may be anywhere.
FRESH = timedelta(minutes=5)
#: Units of one question.
MOST_UNITS = 500


@dataclass(frozen=True, slots=True)
class Going:
    """How units go.

    Parameters
    ----------
    at : datetime
        When they set off, or later where they say so.
    pace : float
        How many times the least time by road a drive takes.
    delay_s : float
        Until a unit has set off, seconds.
    most : int
        How many are told of each gate.
    """

    at: datetime
    pace: float
    delay_s: float
    most: int


def live_units(features: Iterable[Mapping[str, Any]], now: datetime) -> tuple[list[UnitAt], list[str]]:
    """Units out of the live picture that can go now, and the names of those whose position is too old.

    Who is off duty is in neither.
    """
    units, old = [], []
    for feature in features:
        about = feature["properties"]
        kind = DeviceKind(about["kind"])
        if kind not in POLICE or about["status"] == "off_duty":
            continue
        name = _visible(str(about["call_sign"] or about["name"]).strip() or str(about["device"]))
        if now - parse_instant(about["time"]) > FRESH:
            old.append(name)
            continue
        lon, lat = feature["geometry"]["coordinates"]
        units.append(UnitAt(name, lon, lat, now, on_foot=kind not in DRIVES))
    return units, old


def _visible(name: str) -> str:
    """Return a name as a unit can have it: one odd name shall not hide where all the others are."""
    return "".join(letter if letter.isprintable() else " " for letter in name[:LONGEST_NAME])


def read_units(rows: Sequence[Mapping[str, Any]], free: datetime) -> list[UnitAt]:
    """Read units that were given.

    Raises
    ------
    InvalidInput
        If there are none or too many, or one cannot be read: its number and why.
    """
    if not 0 < len(rows) <= MOST_UNITS:
        raise InvalidInput(
            f"{len(rows)} units; give 1 to {MOST_UNITS} with unit, lon and lat",
            field="units",
            value=len(rows),
        )
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(UnitAt.read(row, free))
        except InvalidInput as error:
            raise InvalidInput(f"unit {number}: {error}", field=error.field, value=error.value) from None
    return found


def gates_first(
    document: Mapping[str, Any], tracks: Tracks, units: Sequence[UnitAt], going: Going
) -> dict[str, Any]:
    """Return the gates of an answer with the units that are there first.

    Parameters
    ----------
    document : mapping
        The kept answer.
    tracks : Tracks
        Has the roads.
    units : sequence of UnitAt
        Who can go.
    going : Going
        How.

    Raises
    ------
    InvalidInput
        If the answer tells nothing of the time after they set off, or a number makes no sense.
    Conflict
        If the roads have changed since, or the answer is of an earlier version.
    """
    first, last = (parse_instant(text) for text in document["window"])
    gates = [dict(f) for f in document["features"] if f["properties"]["what"] == "gate"]
    seen = [f["properties"] for f in document["features"] if f["properties"]["what"] == "sighting"]
    last_seen = max(parse_instant(one["until"] or one["time"]) for one in seen)
    if going.at < first:
        raise InvalidInput(
            f"at {going.at.isoformat()} is before {document['window'][0]}, where the window begins; give a "
            "moment of it",
            field="at",
            value=going.at.isoformat(),
        )
    if not max(going.at, last_seen) < last:
        raise InvalidInput(
            f"at {going.at.isoformat()} is not before {document['window'][1]}, where the window ends, or the "
            "window ends with the last sighting; ask for a reconstruction whose window goes on for longer",
            field="at",
            value=going.at.isoformat(),
        )
    since = last_seen.astimezone(first.tzinfo)
    held = [_held(gate["properties"], since, document, tracks) for gate in gates]
    holding = Holding(tracks.network(), pace=going.pace, delay_s=going.delay_s, cars=tracks.road_times())
    ready = [replace(unit, free=max(unit.free, going.at)) for unit in units if unit.free < last]
    arrivals, astray = holding.first(held, ready, most=going.most)
    for gate, some in zip(gates, arrivals, strict=True):
        gate["properties"] = gate["properties"] | {"units": [told_arrival(one) for one in some]}
    return {
        "type": "FeatureCollection",
        "at": going.at.astimezone(first.tzinfo).isoformat(timespec="seconds"),
        "pace": going.pace,
        "delay_s": going.delay_s,
        "units": len(units) - len(astray),
        "off_roads": astray,
        "features": gates,
    }


def _held(about: Mapping[str, Any], seen: datetime, document: Mapping[str, Any], tracks: Tracks) -> Held:
    network = tracks.network()
    if "edges" not in about or document["inputs"]["roads"] != tracks.roads_fingerprint():
        raise Conflict(
            "the roads or this version are others than those of the answer; ask for the reconstruction anew"
        )
    edges = np.flatnonzero(np.isin(network.edge_id, [edge.encode() for edge in about["edges"]]))
    times = [parse_instant(text) for text in about["times"]]
    return Held.since(seen, edges.astype(np.int32), times, about["passed"])
