"""A track as a file for other programs: GPX, KML or GeoPackage.

Sources: GPX 1.1 schema (Topografix); OGC KML 2.2 with Google's ``gx:Track``; OGC GeoPackage.
"""

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from geo_policing.errors import InvalidInput
from geo_policing.model import PathPiece, Track, format_instant

GPX = "http://www.topografix.com/GPX/1/1"
KML = "http://www.opengis.net/kml/2.2"
GX = "http://www.google.com/kml/ext/2.2"
#: KML colours are aabbggrr.
OBSERVED, INFERRED = "ffa85f1c", "ff0082d9"


def export_track(track: Track, path: Path | str) -> None:
    """Write a track; the ending of the name says how.

    ``.gpx``: a track of the fixes with their times, and a route-like track without times for each stretch of
    matched path. ``.kml``: the fixes as a ``gx:Track``, the path as lines. ``.gpkg``: the layers ``fixes``
    and ``path`` with all that is known.

    Parameters
    ----------
    track : Track
        Matched or not.
    path : Path
        File to write or replace, whole or not at all.

    Raises
    ------
    InvalidInput
        If the ending is none of these, or the track is empty.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise InvalidInput(
            f"{path.name} ends in none of {', '.join(_WRITERS)}; name the file for the format you want",
            field="path",
            value=str(path),
        )
    if not len(track.fixes) and not track.pieces:
        raise InvalidInput(
            f"device {track.device} has no fixes in the window; nothing to write", field="track"
        )
    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(track, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _gpx(track: Track, path: Path) -> None:
    root = ET.Element("gpx", {"xmlns": GPX, "version": "1.1", "creator": "geo_policing"})
    about = ET.SubElement(root, "metadata")
    ET.SubElement(about, "name").text = track.device
    fixes = track.fixes
    if len(fixes):
        ET.SubElement(about, "time").text = format_instant(int(fixes.time[0]))
        line = ET.SubElement(root, "trk")
        ET.SubElement(line, "name").text = track.device
        ET.SubElement(line, "type").text = "fixes"
        segment = ET.SubElement(line, "trkseg")
        for lon, lat, alt_m, time in zip(fixes.lon, fixes.lat, fixes.alt_m, fixes.time, strict=True):
            point = ET.SubElement(segment, "trkpt", {"lat": f"{lat:.7f}", "lon": f"{lon:.7f}"})
            if np.isfinite(alt_m):
                ET.SubElement(point, "ele").text = f"{alt_m:.1f}"
            ET.SubElement(point, "time").text = format_instant(int(time))
    for piece in track.pieces:
        line = ET.SubElement(root, "trk")
        ET.SubElement(line, "name").text = f"{track.device} {_how(piece)}"
        ET.SubElement(line, "type").text = _how(piece)
        segment = ET.SubElement(line, "trkseg")
        for lon, lat in zip(piece.lon, piece.lat, strict=True):
            ET.SubElement(segment, "trkpt", {"lat": f"{lat:.7f}", "lon": f"{lon:.7f}"})
    _save(root, path)


def _kml(track: Track, path: Path) -> None:
    root = ET.Element("kml", {"xmlns": KML, "xmlns:gx": GX})
    document = ET.SubElement(root, "Document")
    ET.SubElement(document, "name").text = track.device
    for how, colour in (("observed", OBSERVED), ("inferred", INFERRED)):
        style = ET.SubElement(document, "Style", {"id": how})
        line = ET.SubElement(style, "LineStyle")
        ET.SubElement(line, "color").text = colour
        ET.SubElement(line, "width").text = "4"
    for piece in track.pieces:
        mark = ET.SubElement(document, "Placemark")
        ET.SubElement(mark, "name").text = _how(piece)
        ET.SubElement(mark, "styleUrl").text = f"#{_how(piece)}"
        data = ET.SubElement(ET.SubElement(mark, "ExtendedData"), "Data", {"name": "confidence"})
        ET.SubElement(data, "value").text = f"{piece.confidence:.3f}"
        line = ET.SubElement(mark, "LineString")
        ET.SubElement(line, "tessellate").text = "1"
        ET.SubElement(line, "coordinates").text = " ".join(
            f"{lon:.7f},{lat:.7f}" for lon, lat in zip(piece.lon, piece.lat, strict=True)
        )
    if len(track.fixes):
        mark = ET.SubElement(document, "Placemark")
        ET.SubElement(mark, "name").text = f"{track.device} fixes"
        line = ET.SubElement(mark, "gx:Track")
        for time in track.fixes.time:
            ET.SubElement(line, "when").text = format_instant(int(time))
        for lon, lat in zip(track.fixes.lon, track.fixes.lat, strict=True):
            ET.SubElement(line, "gx:coord").text = f"{lon:.7f} {lat:.7f} 0"
    _save(root, path)


def _gpkg(track: Track, path: Path) -> None:
    # Heavy, and the service never writes this.
    import geopandas as gpd
    import pandas as pd
    import pyogrio
    import shapely

    fixes = track.fixes
    frame = gpd.GeoDataFrame(
        {
            "device": [track.device] * len(fixes),
            "time": pd.to_datetime(fixes.time, unit="us", utc=True),
            "alt_m": fixes.alt_m,
            "speed_mps": fixes.speed_mps,
            "course_deg": fixes.course_deg,
            "accuracy_m": fixes.accuracy_m,
        },
        geometry=shapely.points(fixes.lon, fixes.lat),
        crs="EPSG:4326",
    )
    pyogrio.write_dataframe(frame, path, layer="fixes", driver="GPKG", geometry_type="Point")
    drawn = [piece for piece in track.pieces if len(piece.lon) > 1]
    frame = gpd.GeoDataFrame(
        {
            "device": [track.device] * len(drawn),
            "inferred": [piece.inferred for piece in drawn],
            "confidence": np.array([piece.confidence for piece in drawn], np.float64),
            "edges": [" ".join(piece.edge_ids) for piece in drawn],
        },
        geometry=[shapely.linestrings(piece.lon, piece.lat) for piece in drawn],
        crs="EPSG:4326",
    )
    pyogrio.write_dataframe(frame, path, layer="path", driver="GPKG", geometry_type="LineString")


def _how(piece: PathPiece) -> str:
    return "inferred" if piece.inferred else "observed"


def _save(root: ET.Element, path: Path) -> None:
    ET.indent(root, " ")
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


_WRITERS: dict[str, Callable[[Track, Path], None]] = {".gpx": _gpx, ".kml": _kml, ".gpkg": _gpkg}
