"""The map of a reconstruction: where the suspect was when, by which ways, and how well each sighting fits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geo_policing.errors import InvalidInput
from geo_policing.maps.basemap import Basemap, Theme
from geo_policing.maps.live import check_time_zone
from geo_policing.maps.page import CityMap, OwnElement, box_around

ASSETS = ("data.css", "reconstruction.css", "symbols.js", "reconstruction.js")
#: Probabilities are told in so many parts; one that is less than one is not drawn.
PARTS = 10_000


def reconstruction_map(
    document: dict[str, Any],
    *,
    tiles_url: str | Path | None = None,
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
    home_url: str | None = None,
) -> CityMap:
    """Make the map of a reconstruction.

    A slider goes through the moments: the H3 cells darken with the probability that the suspect is there. The
    paths lie below; the sightings are marked by whether they fit the rest; gates tell how probably they have
    been passed.

    Parameters
    ----------
    document : dict
        What ``geo-policing reconstruct`` writes and the service keeps.
    tiles_url : str, Path or None
        The basemap; see `Basemap`.
    time_zone : str
        In which times are shown, a name of the IANA database.
    theme : {"light", "dark"}
        Of the basemap.
    attribution : str
        What the sources of the basemap ask to be said.
    home_url : str, optional
        The page to go back to; no link without it.

    Raises
    ------
    InvalidInput
        If the document is none, or there is no such time zone.
    """
    features = document.get("features") or []
    paths = [f for f in features if f.get("properties", {}).get("what") == "path"]
    sightings = [f for f in features if f.get("properties", {}).get("what") == "sighting"]
    if not paths or not sightings:
        raise InvalidInput(
            "this is no reconstruction; give what geo-policing reconstruct writes", field="document"
        )
    gates = [f for f in features if f["properties"]["what"] == "gate"]
    shown = shapely.get_coordinates([shapely.geometry.shape(f["geometry"]) for f in [*paths, *sightings]])
    box = box_around(shown[:, 0], shown[:, 1])
    title = f"{document['case']} 轨迹还原" if "case" in document else "轨迹还原 Reconstruction"
    page = CityMap(box, title=title, right_px=350, zoom_control="topleft")
    Basemap(tiles_url, bounds=box, theme=theme, attribution=attribution).add_to(page)
    data = _frames(features) | {"paths": paths, "sightings": [_marked(f) for f in sightings], "gates": gates}
    options = {
        "title": title,
        "timeZone": check_time_zone(time_zone),
        "homeUrl": home_url,
        "mode": _mode(document),
    }
    page.add_child(OwnElement("reconstructionMap", data, options, assets=ASSETS))
    return page


def _mode(document: dict[str, Any]) -> str:
    """Return how the suspect travels, and how probably where that is not known."""
    modes = sorted(document.get("modes") or [], key=lambda one: -one["probability"])
    likely = [f"{one['mode']} {one['probability']:.0%}" for one in modes if one["probability"] >= 0.005]
    return ": ".join(filter(None, [document.get("mode", ""), ", ".join(likely)]))


def _frames(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Moments, the rings of all cells once, and for each moment which of them hold how much."""
    rings: list[list[list[float]]] = []
    number: dict[str, int] = {}
    frames: dict[str, tuple[list[int], list[int]]] = {}
    areas: dict[str, float] = {}
    for about in (feature["properties"] for feature in features):
        if about["what"] == "region":
            frames.setdefault(about["time"], ([], []))
            if about["share"] == 0.9:
                areas[about["time"]] = about["area_km2"]
    for feature in features:
        about = feature["properties"]
        if about["what"] != "cell":
            continue
        if about["cell"] not in number:
            number[about["cell"]] = len(rings)
            ring = np.array(feature["geometry"]["coordinates"][0][:-1])
            rings.append(ring.round(6).tolist())
        for time, probability in _moments(about):
            cells, parts = frames.setdefault(time, ([], []))
            part = round(probability * PARTS)
            if part:
                cells.append(number[about["cell"]])
                parts.append(part)
    return {
        "rings": rings,
        "parts": PARTS,
        "frames": [
            {"time": time, "cells": cells, "parts": parts, "area": areas.get(time)}
            for time, (cells, parts) in frames.items()
        ],
    }


def _moments(about: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield when a cell holds how much; answers of earlier versions tell each moment of it apart."""
    if "time" in about:
        yield about["time"], about["probability"]
        return
    begin, every = datetime.fromisoformat(about["begin"]), timedelta(seconds=about["every_s"])
    for k, probability in zip(about["moments"], about["probabilities"], strict=True):
        yield (begin + k * every).isoformat(), probability


def _marked(sighting: dict[str, Any]) -> dict[str, Any]:
    """Return a sighting with the point that marks it."""
    middle = shapely.geometry.shape(sighting["geometry"]).centroid
    return sighting | {"at": [round(middle.y, 7), round(middle.x, 7)]}
