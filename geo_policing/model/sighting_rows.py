"""Sightings and watches out of tables and GeoJSON: one row each, with the names that all doors share."""

import difflib
import json
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import shapely

from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.model.instant import parse_instant
from geo_policing.model.sighting import Sighting, SightingKind, Watch

#: What a row may say; other names are passed over.
NAMES = (
    *("time", "until", "lon", "lat", "accuracy_m", "probability", "kind", "observer", "edge", "cell", "area"),
    *("seen", "radius_m", "detection"),
)
#: From the id of an edge to lon, lat of its middle and half of its length in metres.
EdgePlace = Callable[[str], tuple[float, float, float]]
#: Longest name of an observer or an edge.
LONGEST_NAME = 200
_NUMBERS = ("lon", "lat", "accuracy_m", "probability", "radius_m", "detection")
_NO, _YES = ("no", "false", "0"), ("", "yes", "true", "1")
_WHERE = "give lon and lat, an edge, a cell or an area"


def read_rows(
    rows: Iterable[Mapping[str, Any]], edge_place: EdgePlace | None = None
) -> tuple[list[Sighting], list[Watch]]:
    """Read rows, all or none.

    Parameters
    ----------
    rows : iterable of mapping
        Texts or numbers by `NAMES`; ``area`` is a GeoJSON geometry, its text, or WKT. What is empty or None
        is not given.
    edge_place : callable, optional
        Where an edge is, for cameras of which only the edge is given.

    Raises
    ------
    InvalidFile
        If a row cannot be read: its number from 1, field, value and remedy.
    """
    seen: list[Sighting] = []
    watched: list[Watch] = []
    for number, row in enumerate(rows, 1):
        try:
            found = read_row(row, edge_place)
        except InvalidInput as error:
            raise InvalidFile(f"sighting {number}: {error}", field=error.field, value=error.value) from None
        if isinstance(found, Sighting):
            seen.append(found)
        else:
            watched.append(found)
    return seen, watched


def geojson_rows(collection: object) -> list[dict[str, Any]]:
    """Rows of a FeatureCollection: points, polygons, or no geometry where a property says where.

    Raises
    ------
    InvalidFile
        If it is no FeatureCollection, or a feature is none or has another geometry: its number from 1.
    """
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        raise InvalidFile(
            "this is no GeoJSON FeatureCollection; give an object with a list of features", field="features"
        )
    rows = []
    for number, feature in enumerate(features, 1):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
            raise InvalidFile(
                f"sighting {number}: no GeoJSON feature; give an object with geometry and properties",
                field="features",
            )
        row = dict(feature.get("properties") or {})
        geometry: Any = feature.get("geometry")
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if kind == "Point":
            place = geometry.get("coordinates")
            if not isinstance(place, list) or len(place) < 2:
                raise InvalidFile(
                    f"sighting {number}: coordinates {place!r} are no point; write [lon, lat]",
                    field="coordinates",
                    value=str(place),
                )
            row |= {"lon": place[0], "lat": place[1]}
        elif kind in ("Polygon", "MultiPolygon"):
            row["area"] = geometry
        elif geometry is not None:
            raise InvalidFile(
                f"sighting {number}: geometry {kind!r} is no place; give a Point, Polygon or MultiPolygon",
                field="geometry",
                value=str(kind),
            )
        rows.append(row)
    return rows


def read_row(row: Mapping[str, Any], edge_place: EdgePlace | None = None) -> Sighting | Watch:
    """Read one row, as `read_rows` does.

    Raises
    ------
    InvalidInput
        If a field is missing or cannot be read.
    """
    _check_names(row)
    given = {name: row[name] for name in NAMES if row.get(name) is not None and row[name] != ""}
    values: dict[str, Any] = {name: _number(name, given[name]) for name in _NUMBERS if name in given}
    values |= {name: _text(name, given[name]) for name in ("observer", "edge") if name in given}
    if "time" not in given:
        raise InvalidInput("no time; give it like 2026-03-02T08:00:00+08:00", field="time")
    time = parse_instant(str(given["time"]), field="time")
    until = parse_instant(str(given["until"]), field="until") if "until" in given else None
    seen = str(given.get("seen", "")).lower()
    if seen not in (*_NO, *_YES):
        raise InvalidInput(
            f"seen {seen!r} is neither yes nor no; write one of them", field="seen", value=seen
        )
    if seen in _NO:
        if until is None:
            raise InvalidInput("a watch has no until; give when it ended", field="until")
        return _watch(time, until, given, values, edge_place)
    if "kind" in given:
        values["kind"] = _kind(str(given["kind"]))
    more = {k: values[k] for k in ("probability", "observer", "edge", "kind") if k in values}
    if "area" in given and "cell" not in given:
        return Sighting.in_area(time, _area(given["area"]), until=until, **more)
    if "cell" in given and "area" not in given:
        return Sighting.in_cell(time, str(given["cell"]), until=until, **more)
    if "cell" in given:
        raise InvalidInput("an area and a cell are given; leave one of them out", field="cell")
    lon, lat, half_m = _place(values, edge_place)
    accuracy = {"accuracy_m": values["accuracy_m"]} if "accuracy_m" in values else {}
    if half_m is not None and not accuracy:
        accuracy = {"accuracy_m": max(half_m, 1.0)}
    return Sighting(time, lon, lat, until=until, **accuracy, **more)


def _watch(
    start: Any, end: Any, given: Mapping[str, Any], values: Mapping[str, Any], edge_place: EdgePlace | None
) -> Watch:
    more = {k: values[k] for k in ("detection", "observer", "edge") if k in values}
    if "cell" in given:
        raise InvalidInput("a watch takes no cell; give an area or lon and lat", field="cell")
    if "area" in given:
        return Watch.of_area(start, end, _area(given["area"]), **more)
    lon, lat, half_m = _place(values, edge_place)
    radius = {"radius_m": values["radius_m"]} if "radius_m" in values else {}
    if half_m is not None and not radius:
        radius = {"radius_m": max(half_m, 1.0)}
    return Watch(start, end, lon, lat, **radius, **more)


def _place(values: Mapping[str, Any], edge_place: EdgePlace | None) -> tuple[float, float, float | None]:
    """lon, lat, and half of the length of the edge where only that is known."""
    if "lon" in values and "lat" in values:
        return values["lon"], values["lat"], None
    missing = [name for name in ("lon", "lat") if name not in values]
    if len(missing) == 2 and "edge" in values and edge_place is not None:
        return edge_place(values["edge"])
    raise InvalidInput(f"no {', '.join(missing)}; {_WHERE}", field=missing[0])


def _check_names(row: Mapping[str, Any]) -> None:
    """Refuse a name that is nearly one of ours: what it says would be passed over."""
    for name in row:
        if not isinstance(name, str):
            raise InvalidInput("there are more values than columns; correct the row", field="row")
        if name not in NAMES and name.strip().lower() not in ("id", "note", "name", "what", "type"):
            like = difflib.get_close_matches(name.strip().lower(), NAMES, 1, 0.8)
            if like:
                raise InvalidInput(f"column {name!r} is not known; call it {like[0]}", field=name)


def _kind(text: str) -> SightingKind:
    if text not in list(SightingKind):
        raise InvalidInput(
            f"kind {text!r} is unknown; write one of {', '.join(SightingKind)}", field="kind", value=text
        )
    return SightingKind(text)


def _text(name: str, given: object) -> str:
    text = str(given)
    if len(text) > LONGEST_NAME or any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        raise InvalidInput(
            f"{name} {text[:60]!a} is no name; write at most {LONGEST_NAME} printable characters",
            field=name,
            value=text[:LONGEST_NAME].encode(errors="replace").decode(),
        )
    return text


def _number(name: str, given: object) -> float:
    try:
        value = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(
            f"{name} {str(given)[:60]!r} is no number; write digits, like 113.13",
            field=name,
            value=str(given),
        )
    return value


def _area(given: object) -> Any:
    """Return a geometry, of a mapping, its JSON text, or WKT."""
    if not isinstance(given, str):
        return given
    text = given.lstrip()
    with suppress(ValueError, RecursionError, shapely.errors.GEOSException):
        if text.startswith("{"):
            return json.loads(text)
        # Collections nest, and GEOS reads them by recursion without a bound.
        if text.upper().startswith(("POLYGON", "MULTIPOLYGON")):
            return shapely.from_wkt(text)
    raise InvalidInput(
        f"area {given[:60]!r} cannot be read; write GeoJSON, or WKT like "
        "POLYGON ((113.1 27.8, 113.2 27.8, …))",
        field="area",
        value=given[:200],
    )
