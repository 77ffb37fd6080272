"""What each search is asked, with its bounds. Areas, lines and windows are read where the search is run."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_DEEPEST = 12
_MANY = 1_000_000
#: Shown in the description of the interface.
_EXAMPLE_AREA = {"type": "Point", "coordinates": [113.1557, 27.8316], "radius_m": 150}
_EXAMPLE_WINDOW = "2026-03-02T07:00:00+08:00/2026-03-02T08:00:00+08:00"


def _shallow(given: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is nested more deeply than any shape: what is written of it later goes down by itself."""
    level: list[Any] = [given]
    for _ in range(_DEEPEST):
        level = [
            part
            for one in level
            if isinstance(one, dict | list)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return given
    raise ValueError("nested too deeply; give a GeoJSON geometry or a Feature of one")


AreaIn = Annotated[
    dict[str, Any],
    AfterValidator(_shallow),
    Field(
        description="A GeoJSON Polygon or MultiPolygon, a Point with radius_m in metres, a LineString with "
        "width_m in metres (a stretch of road), or a Feature of one of these; or an object with cells (H3), "
        "or with edges of the roads, width_m and from_m, to_m; at most 2000 km².",
        examples=[_EXAMPLE_AREA],
        json_schema_extra={"kind": "area"},
    ),
]
LineIn = Annotated[
    dict[str, Any],
    AfterValidator(_shallow),
    Field(
        description="A GeoJSON LineString, or a Feature of one.",
        examples=[{"type": "LineString", "coordinates": [[113.12, 27.83], [113.121, 27.83]]}],
        json_schema_extra={"kind": "line"},
    ),
]
WindowIn = Annotated[
    str,
    Field(
        max_length=100,
        description="start/end, both RFC 3339 with an offset; the end is not included.",
        examples=[_EXAMPLE_WINDOW],
    ),
]
MomentIn = Annotated[
    str,
    Field(
        max_length=60,
        description="An instant, RFC 3339 with an offset.",
        examples=["2026-03-02T07:30:00+08:00"],
    ),
]
CollectionIn = Annotated[dict[str, Any], AfterValidator(_shallow)]
DeviceIn = Annotated[
    str, Field(min_length=1, max_length=64, description="Id of a device.", examples=["taxi-12"])
]
Count = Annotated[int, Field(ge=1, le=_MANY)]
Hour = Annotated[int, Field(ge=0, le=23)]


class Strict(BaseModel):
    """What is not known is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Question(Strict):
    """What every search is asked."""

    limit: int = Field(100, ge=1, le=500, description="How many results are told at most.")
    skip: int = Field(
        0, ge=0, le=_MANY, description="How many results are left out: next of the page before."
    )


class AlongRoads(Question):
    """What a search of hours may be asked beside."""

    along_roads: bool = Field(
        False,
        description="Whether devices move along the matched roads between their fixes, not straight; for "
        "windows of at most 24 hours.",
    )


class Place(Strict):
    """An area and the window in which somebody was there."""

    area: AreaIn
    window: WindowIn


class Presences(AlongRoads):
    """An area and a window of at most 31 days."""

    area: AreaIn
    window: WindowIn
    devices: list[DeviceIn] | None = Field(None, max_length=1000, description="Only these devices.")


class Collision(AlongRoads):
    """Two to 100 areas, each with its window of at most 24 hours."""

    places: list[Place] = Field(
        max_length=100, description="n areas, each with its window.", json_schema_extra={"kind": "places"}
    )
    at_least: int | None = Field(None, description="k, in how many of them, 1 to n; all when absent.")


class Companions(Question):
    """A device and a window of at most 7 days."""

    device: DeviceIn
    window: WindowIn
    within_s: int = Field(60, ge=0, le=1800, description="Seconds between them at a place, at most.")
    places: Count = Field(3, description="k, at how many places at least.")


class Footholds(Question):
    """A device and a window of at most 92 days."""

    device: DeviceIn
    window: WindowIn
    stay_s: int = Field(1200, ge=60, le=92 * 86_400, description="The least that is a stay, seconds.")
    radius_m: float = Field(100.0, ge=10, le=1000, description="How far one moves while staying, metres.")


class FirstEntry(Question):
    """An area, a window of at most 31 days, and how many days before it are looked through."""

    area: AreaIn
    window: WindowIn
    days: int = Field(30, ge=1, le=366, description="X, days before the window.")


class Frequent(Question):
    """An area and a window of at most 31 days."""

    area: AreaIn
    window: WindowIn
    times: Count = Field(3, description="k, how often at least.")


class NightActivity(Question):
    """An area and a window of at most 7 days."""

    area: AreaIn
    window: WindowIn
    night_from: Hour = Field(22, description="Hour at which the night begins, local time.")
    night_until: Hour = Field(6, description="Hour at which it ends.")
    at_night: Count = Field(3, description="Different hours of the night with a presence, at least.")
    by_day: int = Field(1, ge=0, le=_MANY, description="Different hours of the day with one, at most.")


class Vanished(Question):
    """An area and the time of an incident."""

    area: AreaIn
    moment: MomentIn
    days: int = Field(7, ge=1, le=31, description="How far is looked before and after.")
    before: Count = Field(3, description="b, presences before it at least.")
    after: int = Field(0, ge=0, le=_MANY, description="a, presences after it at most.")


class Suspects(Question):
    """Scenes of a crime and sightings of one suspect; together at least two."""

    scenes: list[Place] = Field(
        default_factory=list,
        max_length=50,
        description="Areas where the suspect was at some moment of a window.",
        json_schema_extra={"kind": "places"},
    )
    sightings: CollectionIn = Field(
        default_factory=dict,
        description="A GeoJSON FeatureCollection of sightings and watches in vain, as docs/reconstruction.md "
        "has them; at most 50.",
        json_schema_extra={"kind": "collection"},
    )
    mode: Literal["car", "e-bike", "foot", "any"] = Field(
        "any", description="What the suspect travels with: which roads are open."
    )
    at_least: int | None = Field(
        None, description="k, at how many of them a candidate was; half of them when absent, but two."
    )
    within_s: int = Field(60, ge=0, le=1800, description="Seconds around a sighting that count as there.")
    candidates: int = Field(
        50, ge=1, le=200, description="How many are held against the sightings: those at most of them."
    )


class Passages(AlongRoads):
    """A line, or an edge of the roads, and a window of at most 31 days."""

    line: LineIn | None = Field(
        None,
        description="A GeoJSON LineString, or a Feature of one.",
        json_schema_extra={"kind": "line"},
    )
    edge: str | None = Field(
        None,
        max_length=200,
        description="Id of an edge of the roads instead of a line: the gate square across its middle, which "
        "who drives along it passes rightwards.",
    )
    width_m: float = Field(30.0, ge=1, le=500, description="How wide the gate across an edge is, metres.")
    window: WindowIn
    rightwards: bool | None = Field(
        None,
        description="Only those who pass from the left of the line, seen from its start to its end, to its "
        "right, or with false the other way; both when absent.",
    )


class Overlap(Question):
    """A path, drawn, along edges of the roads or where a device went, and a window of at most 31 days."""

    line: LineIn | None = Field(
        None,
        description="A GeoJSON LineString, or a Feature of one.",
        json_schema_extra={"kind": "line"},
    )
    edges: list[str] | None = Field(
        None, max_length=2000, description="Ids of edges of the roads, in order, instead of a line."
    )
    device: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="A device whose way in the window is the path, with its times; it is left out.",
    )
    window: WindowIn
    within_m: float = Field(30.0, ge=5, le=500, description="How far from the path one may be, metres.")
    least_share: float = Field(0.5, gt=0, le=1, description="The least share of its length, above 0.")
    directed: bool = Field(False, description="Only in the direction of the path.")
    times: list[MomentIn] | None = Field(
        None, max_length=5000, description="When each position of the path was passed."
    )
    within_s: float | None = Field(
        None, ge=0, le=86_400, description="How long before or after that, seconds; only with times."
    )
    without: list[DeviceIn] = Field(
        default_factory=list, max_length=1000, description="Devices that are left out."
    )


class Cloned(Question):
    """Devices and a window of at most 31 days."""

    devices: list[DeviceIn] = Field(min_length=1, max_length=1000, description="The identities.")
    window: WindowIn
    tolerance_s: float = Field(30.0, ge=0, le=3600, description="How far clocks may be apart, seconds.")
    haste: float = Field(1.5, ge=1, le=5, description="How many times the roads' speeds one may drive.")
    apart_m: float = Field(500.0, ge=0, le=100_000, description="What is nearer is one place, metres.")
    sigmas: float = Field(3.0, ge=0, le=10, description="How many times its accuracy a position may be off.")
    radius_m: float = Field(50.0, ge=1, le=500, description="How far a position may be off at least, metres.")
    support: Count = Field(3, description="Fixes that tell a second vehicle from a wrong position.")


class Itinerary(Question):
    """A device and a window of at most 92 days; 7 to have its path matched."""

    device: DeviceIn
    window: WindowIn
    match: bool = Field(False, description="Whether the path matched to the roads is told as well.")
    stay_s: int = Field(600, ge=60, le=92 * 86_400, description="The least that is a stay, seconds.")
    radius_m: float = Field(100.0, ge=10, le=1000, description="How far one moves while staying, metres.")
    gap_s: int = Field(600, ge=1, le=86_400, description="A longer silence is a gap, seconds.")
