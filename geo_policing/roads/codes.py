"""What the values in a file's columns mean for the edges: one-way codes, classes, access, speeds.

A value is looked up in what the caller says it means, then in what is usual. What is in neither is counted,
so that the report can name it.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping

from geo_policing.errors import InvalidInput
from geo_policing.roads.network import Access, RoadClass
from geo_policing.roads.tags import HIGHWAYS, parse_speed

#: Codes of the usual makers, lower case: OpenStreetMap's yes/no/-1, F/T/B of the lines' direction, FT/TF of
#: street networks.
_ONEWAY = {
    **dict.fromkeys(("", "no", "n", "0", "false", "b", "both", "双向", "否"), "both"),
    **dict.fromkeys(("yes", "y", "1", "true", "f", "ft", "forward", "单向", "是"), "forward"),
    **dict.fromkeys(("-1", "t", "tf", "backward", "reverse"), "backward"),
}
_SIGNS = {"both": "+-", "forward": "+", "backward": "-"}
_CLASSES: dict[str, tuple[RoadClass, Access, float]] = HIGHWAYS | {
    name: HIGHWAYS[highway]
    for highway, names in {
        "motorway": ("expressway", "高速公路", "高速", "快速路", "城市快速路"),
        "motorway_link": ("expressway_ramp", "ramp", "匝道"),
        "primary": ("arterial", "主干路", "主干道", "国道"),
        "secondary": ("secondary", "次干路", "次干道", "省道"),
        "tertiary": ("street", "支路", "县道"),
        "residential": ("residential", "乡道", "街巷"),
        "service": ("service", "内部道路"),
        "track": ("track",),
        "cycleway": ("cycleway", "非机动车道"),
        "footway": ("footway", "人行道", "步道"),
        "road": ("unknown", ""),
    }.items()
    for name in names
}
_CLASSES["none"] = (RoadClass.UNKNOWN, Access(0), 40.0)
_MODES = {
    **dict.fromkeys(("car", "motor", "motor_vehicle", "motorcar", "vehicle", "机动车"), Access.CAR),
    **dict.fromkeys(("bicycle", "bike", "非机动车"), Access.BICYCLE),
    **dict.fromkeys(("foot", "pedestrian", "walk", "行人"), Access.FOOT),
    **dict.fromkeys(("no", "none", "private", "closed"), Access(0)),
    "all": Access.ALL,
}
#: Words for access that leave it to the class.
_USUAL = ("", "yes", "public", "permissive", "destination", "designated", "customers", "delivery")
_YES = ("yes", "y", "true", "t", "1", "是")
_NO = ("", "no", "n", "false", "f", "0", "否")
_FASTEST_KMH = 250.0
#: Unknown values that the report names one by one.
_NAMED = 10


class Codes:
    """The meanings of values, and how often one was met that has none.

    Parameters
    ----------
    given : mapping of (target, value) to meaning, optional
        What the caller says, like ``("oneway", "2"): "forward"``; it goes first.

    Raises
    ------
    InvalidInput
        If a target has no codes, or a meaning is none.
    """

    def __init__(self, given: Mapping[tuple[str, str], str] | None = None) -> None:
        self.unknown: Counter[tuple[str, str]] = Counter()
        self._oneway_words: set[str] = set()
        self._given: dict[tuple[str, str], str] = {}
        meanings = {
            "oneway": list(_SIGNS),
            "class": [*(c.name.lower() for c in RoadClass), "none"],
            "access": ["car", "bicycle", "foot", "all", "none"],
            "bridge": ["yes", "no"],
            "tunnel": ["yes", "no"],
        }
        for (target, value), meaning in (given or {}).items():
            if target not in meanings:
                raise InvalidInput(
                    f"{target} has no codes; those that have are {', '.join(meanings)}",
                    field="code",
                    value=target,
                )
            known = {"class": list(_CLASSES)}.get(target, meanings[target])
            if any(word not in known for word in _words(target, meaning)):
                raise InvalidInput(
                    f"{target} {value!r} cannot mean {meaning!r}; give one of {', '.join(meanings[target])}",
                    field="code",
                    value=meaning,
                )
            self._given[target, value.strip().lower()] = meaning

    def signs(self, value: object) -> str:
        """Directions of travel: ``+`` along the line, ``-`` against it."""
        word = self._meant("oneway", value)
        self._oneway_words.add(word)
        meaning = word if word in _SIGNS else _ONEWAY.get(word)
        return _SIGNS[meaning or self._unknown("oneway", value, "both")]

    def road_class(self, value: object) -> tuple[RoadClass, Access, float]:
        """Class, who may use it, and its speed in km/h."""
        found = _CLASSES.get(self._meant("class", value))
        return found or _CLASSES[self._unknown("class", value, "unknown")]

    def access(self, value: object, usual: Access) -> Access:
        """Who may use a road; the usual of its class where the value is silent, nobody if nobody."""
        word = self._meant("access", value)
        if word in _USUAL or not usual:
            return usual
        found = [_MODES.get(part) for part in _words("access", word)]
        if any(bits is None for bits in found):
            self._unknown("access", value, "")
            return usual
        result = Access(0)
        for bits in found:
            result |= bits or Access(0)
        return result

    def yes(self, target: str, value: object) -> bool:
        """Whether a bridge or tunnel; any word but a no is one, like 'viaduct'."""
        return self._meant(target, value) not in _NO

    def speed_mps(self, value: object, usual_kmh: float) -> float:
        """Speed of km/h, or of a text with its unit; that of the class where there is none."""
        word = text(value).lower()
        speed = parse_speed(word)
        if speed is not None and speed * 3.6 <= _FASTEST_KMH:
            return speed
        if word not in ("", "0", "none", "signals", "variable"):
            self._unknown("speed_kmh", value, "")
        return usual_kmh / 3.6

    def notes(self) -> list[str]:
        """Return a line for each value that has no meaning."""
        lines = []
        if {"t", "f"} <= self._oneway_words <= {"t", "f", ""}:
            lines.append(
                "oneway has only T and F, read as against and along the line; "
                "if they mean true and false say --code oneway:T=forward --code oneway:F=both"
            )
        taken = {"oneway": "both directions", "class": "unknown", "access": "that of the class"}
        for (target, value), count in self.unknown.most_common(_NAMED):
            remedy = "" if target == "speed_kmh" else f"; say what it means with --code {target}:{value}=…"
            lines.append(
                f"{target} {value!r} of {count} roads has no known meaning, "
                f"taken as {taken.get(target, 'that of the class')}{remedy}"
            )
        if len(self.unknown) > _NAMED:
            lines.append(f"{len(self.unknown) - _NAMED} more values of no known meaning")
        return lines

    def _meant(self, target: str, value: object) -> str:
        word = text(value).lower()
        return self._given.get((target, word), word)

    def _unknown(self, target: str, value: object, instead: str) -> str:
        self.unknown[target, text(value)] += 1
        return instead


def text(value: object) -> str:
    """Return a cell as text without blanks around it: 2.0 as '2', True as 'yes', nothing as ''."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _words(target: str, meaning: str) -> list[str]:
    return (
        [w for w in re.split(r"[\s,;+|/、]+", meaning.lower()) if w]
        if target == "access"
        else [meaning.lower()]
    )
