"""GeoJSON features (RFC 7946): a point each, or an area or line of which one point is taken."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import shapely

from geo_policing.errors import InvalidFile
from geo_policing.ingest.incident_files.table import Table, too_many

#: Parsed JSON takes ten times the memory of its text.
MAX_BYTES = 1 << 28
_WGS84 = ("CRS84", "EPSG::4326", "EPSG:4326")


def read_geojson(path: Path, *, crs: str | int, max_rows: int) -> Table:
    """Read a FeatureCollection or one Feature.

    Parameters
    ----------
    path : Path
        The file.
    crs : str or int
        System that the caller says the coordinates are in.
    max_rows : int
        More features are refused.

    Returns
    -------
    Table
        A column for each property; what has no usable geometry is broken. Of a polygon or line a point in
        or on it is taken.

    Raises
    ------
    InvalidFile
        If it is no GeoJSON, is cut, says that it is in another system than ``crs``, or is too long.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InvalidFile(f"{path} has more than {MAX_BYTES >> 20} MiB; split it or use CSV", field="file")
    try:
        document = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InvalidFile(f"{path} is no JSON, or is cut: {error}; get it again", field="file") from None
    features = _features(path, document)
    if len(features) > max_rows:
        raise too_many(path, max_rows)
    _check_crs(path, document, crs)
    n = len(features)
    x, y = np.full(n, math.nan), np.full(n, math.nan)
    broken: dict[int, str] = {}
    rows: list[dict[str, Any]] = []
    for i, feature in enumerate(features):
        known = feature if isinstance(feature, dict) and feature.get("type") == "Feature" else {}
        properties = known.get("properties")
        rows.append({"id": known["id"]} if "id" in known else {})
        rows[-1] |= properties if isinstance(properties, dict) else {}
        try:
            x[i], y[i] = _point(known)
        except (ValueError, TypeError, LookupError, shapely.errors.GEOSException) as error:
            broken[i] = f"geometry: {error}"
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: pd.Series([_flat(row.get(name)) for row in rows], dtype=object) for name in names}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(n))
    return Table(frame, np.arange(1, n + 1, dtype=np.int64), broken, xy=(x, y))


def _features(path: Path, document: Any) -> list[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "Feature":
        return [document]
    features = document.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list):
        raise InvalidFile(f"{path} is JSON, but no GeoJSON FeatureCollection", field="file")
    return features


def _check_crs(path: Path, document: dict[str, Any], crs: str | int) -> None:
    """Refuse a file that names another system (the ``crs`` member of GeoJSON 2008) than the caller."""
    member = document.get("crs")
    properties = member.get("properties") if isinstance(member, dict) else None
    named = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    code = named.rpartition(":")[2]
    if named and not named.endswith(_WGS84) and code != str(crs).rpartition(":")[2]:
        raise InvalidFile(
            f"{path} says that it is in {named}, not {crs}; give --crs EPSG:{code} or remove its crs member",
            field="crs",
            value=crs,
        )


def _point(feature: dict[str, Any]) -> tuple[float, float]:
    if not feature:
        raise ValueError("this is no Feature")
    geometry = feature.get("geometry")
    if not isinstance(geometry, dict):
        raise ValueError("there is none; an incident needs a place")  # noqa: TRY004 - told, not raised
    if geometry.get("type") == "Point":
        x, y = geometry["coordinates"][:2]
        return float(x), float(y)
    shape = shapely.from_geojson(orjson.dumps(geometry))
    if shape.is_empty:
        raise ValueError(f"the {shape.geom_type} is empty")
    if not shape.is_valid:
        raise ValueError(f"the {shape.geom_type} is not valid ({shapely.is_valid_reason(shape)})")
    inside = shape.representative_point()
    return inside.x, inside.y


def _flat(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value
