"""What a search has found: results, each with the stretches of time that prove it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from geo_policing.model import TimeWindow, format_instant
from geo_policing.tracks.searches import Area, Presence


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which a device proves something by its fixes.

    Parameters
    ----------
    device : str
        Whose fixes.
    what : str
        What it proves: ``presence``, ``stay``, ``trip``, ``gap``, ``meeting``, ``passage``, ``along``,
        ``step`` or ``fit``.
    from_us, until_us : int
        When that was, microseconds of UTC.
    first_us, last_us : int
        The fixes from the one moment to the other are the evidence.
    around_us : int
        Where no fix is at these moments, the nearest ones no further away than this.
    about : dict
        More to be said of it, like the number of the area.
    """

    device: str
    what: str
    from_us: int
    until_us: int
    first_us: int
    last_us: int
    around_us: int = 0
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """One result.

    Parameters
    ----------
    device : str
        Whom it is about.
    about : dict
        What is said of it, in the order in which it is shown.
    spans : tuple of Span
        Its evidence, by time.
    at : (lon, lat), optional
        Where, if it has a place of its own.
    """

    device: str
    about: dict[str, Any]
    spans: tuple[Span, ...] = ()
    at: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """All results of a search.

    Parameters
    ----------
    hits : list of Hit
        In their order.
    asked : list of dict
        GeoJSON features of what was asked: areas and lines.
    notes : list of str
        What people should know of it.
    proven : callable, optional
        Adds the evidence to the hits that are told, where the search itself does not bring it.
    """

    hits: list[Hit]
    asked: list[dict[str, Any]] = field(default_factory=list)
    proven: Callable[[Sequence[Hit]], list[Hit]] | None = None
    notes: list[str] = field(default_factory=list)


def presence_span(presence: Presence, **about: Any) -> Span:
    """Return a presence as evidence."""
    return Span(
        presence.device,
        "presence",
        presence.enter_us,
        presence.leave_us,
        presence.first_fix_us,
        presence.last_fix_us,
        about=about,
    )


def area_feature(area: Area, number: int, window: TimeWindow | None = None) -> dict[str, Any]:
    """Return an area that was asked for, with its number and window, as a GeoJSON feature."""
    about: dict[str, Any] = {"what": "area", "number": number}
    if window is not None:
        about |= {"from": format_instant(window.start_us), "until": format_instant(window.end_us)}
    geometry = area.shape.__geo_interface__
    return {"type": "Feature", "geometry": geometry, "properties": about}


def line_feature(line: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return a line that was asked for as a GeoJSON feature."""
    geometry = {"type": "LineString", "coordinates": [list(place) for place in line]}
    return {"type": "Feature", "geometry": geometry, "properties": {"what": "line"}}
