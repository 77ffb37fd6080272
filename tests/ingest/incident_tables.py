"""Files of incidents as offices write them, for the tests."""

import json

import openpyxl

from geo_policing.ingest.incident_files import read_incidents
from geo_policing.model import BoundingBox
from tests.shared_data import shared

HEADER = "id,occurred,kind,lon,lat"
GOOD = "a,2026-03-01T08:00:00+08:00,盗窃,113.13,27.83"
ZHUZHOU = BoundingBox(112.9, 27.6, 113.4, 28.1)


def written(tmp_path, text, name="calls.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def table(tmp_path, *rows, header=HEADER, **more):
    return written(tmp_path, "\n".join((header, *rows)) + "\n", **more)


def workbook(tmp_path, rows, **properties):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, value in properties.items():
        setattr(book, name, value)
    path = tmp_path / "calls.xlsx"
    book.save(path)
    return path


def chicago(**more):
    mapping = {"occurred": "date_single", "lon": "x", "lat": "y"}
    more = {
        "crs": "EPSG:26971",
        "time_zone": "America/Chicago",
        "date_order": "dmy",
        "default_kind": "burglary",
    } | more
    return read_incidents(shared("incidents/chicago_burglary_2014_2017.csv"), mapping, **more)


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(tmp_path, *features, **more):
    text = json.dumps({"type": "FeatureCollection", "features": features, **more}, ensure_ascii=False)
    return written(tmp_path, text, "calls.geojson")


POINT = {"type": "Point", "coordinates": [113.13, 27.83]}
WHEN = {"occurred": "2026-03-01T08:00:00+08:00", "kind": "盗窃"}
