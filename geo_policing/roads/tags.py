"""What the tags of an OpenStreetMap way mean for the edges it becomes.

As https://wiki.openstreetmap.org/wiki/Key:highway, Key:access, Key:oneway, Key:oneway:bicycle, Key:cycleway
and Key:maxspeed describe them.
"""

import re
from collections.abc import Mapping

from geo_policing.roads.network import Access, EdgeFlag, RoadClass

Tags = Mapping[str, str]

_RIDDEN = Access.BICYCLE | Access.FOOT
#: highway=* -> class, who may use it, km/h where no limit is tagged.
HIGHWAYS: dict[str, tuple[RoadClass, Access, float]] = {
    "motorway": (RoadClass.EXPRESSWAY, Access.CAR, 110.0),
    "motorway_link": (RoadClass.EXPRESSWAY_RAMP, Access.CAR, 60.0),
    "trunk": (RoadClass.ARTERIAL, Access.ALL, 80.0),
    "trunk_link": (RoadClass.ARTERIAL, Access.ALL, 50.0),
    "primary": (RoadClass.ARTERIAL, Access.ALL, 60.0),
    "primary_link": (RoadClass.ARTERIAL, Access.ALL, 45.0),
    "secondary": (RoadClass.SECONDARY, Access.ALL, 50.0),
    "secondary_link": (RoadClass.SECONDARY, Access.ALL, 40.0),
    "tertiary": (RoadClass.STREET, Access.ALL, 45.0),
    "tertiary_link": (RoadClass.STREET, Access.ALL, 40.0),
    "unclassified": (RoadClass.STREET, Access.ALL, 40.0),
    "road": (RoadClass.UNKNOWN, Access.ALL, 40.0),
    "residential": (RoadClass.RESIDENTIAL, Access.ALL, 30.0),
    "living_street": (RoadClass.RESIDENTIAL, Access.ALL, 15.0),
    "service": (RoadClass.SERVICE, Access.ALL, 20.0),
    "track": (RoadClass.TRACK, Access.ALL, 20.0),
    "cycleway": (RoadClass.CYCLEWAY, _RIDDEN, 15.0),
    "path": (RoadClass.FOOTWAY, _RIDDEN, 5.0),
    "footway": (RoadClass.FOOTWAY, Access.FOOT, 5.0),
    "pedestrian": (RoadClass.FOOTWAY, Access.FOOT, 5.0),
    "steps": (RoadClass.FOOTWAY, Access.FOOT, 3.0),
    "bridleway": (RoadClass.FOOTWAY, Access.FOOT, 5.0),
}
_CLOSED = {"no", "private", "agricultural", "forestry", "use_sidepath", "dismount"}
#: From the widest to the narrowest: what is said of a car outdoes what is said of vehicles.
_MODES = {
    "vehicle": Access.CAR | Access.BICYCLE,
    "motor_vehicle": Access.CAR,
    "motorcar": Access.CAR,
    "bicycle": Access.BICYCLE,
    "foot": Access.FOOT,
}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph|knots)?")
_UNITS_MPS = {"mph": 0.44704, "knots": 1852 / 3600}
_WALK_MPS = 5 / 3.6
_CIRCULAR = ("roundabout", "circular")


def access_of(tags: Tags) -> Access:
    """Who may use a way with a highway tag, in any direction."""
    _, access, _ = HIGHWAYS[tags["highway"]]
    if tags.get("motorroad") == "yes":
        access &= Access.CAR
    if tags.get("access") in _CLOSED:
        access = Access(0)
    for mode, bits in _MODES.items():
        if mode in tags:
            access = access & ~bits if tags[mode] in _CLOSED else access | bits
    return access


def directions(tags: Tags, access: Access) -> dict[str, Access]:
    """Who may go along the way, ``+``, and against it, ``-``; only directions that somebody may go.

    Walkers go both ways whatever the one-way tag says; an edge of their own they get only where no car
    goes, so that a one-way street does not become two edges for them.
    """
    implied = tags.get("junction") in _CIRCULAR or tags["highway"].startswith("motorway")
    general = tags.get("oneway", "yes" if implied else "no")
    vehicle = tags.get("oneway:vehicle", general)
    car = tags.get("oneway:motorcar", tags.get("oneway:motor_vehicle", vehicle))
    bicycle = tags.get("oneway:bicycle", "no" if _contraflow(tags) else vehicle)
    found = {"+": Access(0), "-": Access(0)}
    for bits, code in ((Access.CAR, car), (Access.BICYCLE, bicycle)):
        for sign in _signs(code):
            found[sign] |= access & bits
    for sign in _signs(tags.get("oneway:foot", "no")):
        if found[sign] or not access & Access.CAR:
            found[sign] |= access & Access.FOOT
    return {sign: bits for sign, bits in found.items() if bits}


def flags_of(tags: Tags) -> EdgeFlag:
    """Bridge, tunnel, roundabout."""
    flags = EdgeFlag(0)
    if tags.get("bridge", "no") != "no":
        flags |= EdgeFlag.BRIDGE
    if tags.get("tunnel", "no") != "no":
        flags |= EdgeFlag.TUNNEL
    if tags.get("junction") in _CIRCULAR:
        flags |= EdgeFlag.ROUNDABOUT
    return flags


def speed_mps(tags: Tags, sign: str, access: Access) -> float:
    """Speed in a direction: the limit for cars where one is tagged, else that of the class."""
    side = "maxspeed:forward" if sign == "+" else "maxspeed:backward"
    limit = parse_speed(tags.get(side, tags.get("maxspeed", "")))
    if limit is not None and access & Access.CAR:
        return limit
    return HIGHWAYS[tags["highway"]][2] / 3.6


def parse_speed(text: str) -> float | None:
    """Metres a second of ``50``, ``50 km/h``, ``30 mph``, ``walk``, of ``50;30`` the least; None if none."""
    found = []
    for part in text.lower().split(";"):
        if part.strip() == "walk":
            found.append(_WALK_MPS)
        elif (match := _SPEED.fullmatch(part.strip())) and float(match[1]) > 0:
            found.append(float(match[1]) * _UNITS_MPS.get(match[2], 1 / 3.6))
    return min(found, default=None)


def _contraflow(tags: Tags) -> bool:
    lanes = [tags.get(key, "") for key in ("cycleway", "cycleway:left", "cycleway:right", "cycleway:both")]
    sides = [tags.get(f"cycleway:{side}:oneway") for side in ("left", "right", "both")]
    return any(lane.startswith("opposite") for lane in lanes) or any(s in ("-1", "no") for s in sides)


def _signs(oneway: str) -> str:
    return "-" if oneway in ("-1", "reverse") else "+" if oneway in ("yes", "true", "1") else "+-"
