"""Areas that nobody walks across but on roads, read from a file."""

import json
from pathlib import Path

import shapely
from shapely.geometry import shape

from geo_policing.errors import InvalidFile
from geo_policing.model.sighting import Area


def read_areas(path: Path) -> list[Area]:
    """Read the areas of a GeoJSON file: a FeatureCollection, a Feature or a geometry, lon lat.

    Raises
    ------
    InvalidFile
        If it is none, or one of its geometries is no area, or one that crosses itself: which, and why.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
        features = given["features"] if given.get("type") == "FeatureCollection" else [given]
        shapes = [shape(feature.get("geometry", feature)) for feature in features]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidFile(
            f"{path} is no GeoJSON of areas ({type(error).__name__}: {error}); correct it",
            field="closed",
            value=str(path),
        ) from None
    except shapely.errors.ShapelyError as error:
        raise InvalidFile(
            f"{path} has a geometry that is none ({error}); correct it", field="closed", value=str(path)
        ) from None
    areas: list[Area] = []
    for number, one in enumerate(shapes, 1):
        if not isinstance(one, shapely.Polygon | shapely.MultiPolygon) or one.is_empty or not one.is_valid:
            raise InvalidFile(
                f"{path}: geometry {number} is no area ({one.geom_type}, {shapely.is_valid_reason(one)}); "
                "give Polygons and MultiPolygons",
                field="closed",
                value=number,
            )
        areas.append(one)
    return areas
