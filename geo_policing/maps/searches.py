"""The map of a search: what was asked for, who was found, and the fixes that prove it."""

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from geo_policing.errors import InvalidInput
from geo_policing.maps.basemap import Basemap, Theme
from geo_policing.maps.live import check_time_zone
from geo_policing.maps.page import CityMap, OwnElement, box_around
from geo_policing.maps.points import COLOURS, OTHERS
from geo_policing.model import BoundingBox

ASSETS = ("data.css", "search.css", "symbols.js", "search.js")


def search_map(
    document: dict[str, Any],
    *,
    tiles_url: str | Path | None = None,
    bounds: BoundingBox | None = None,
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
    home_url: str | None = None,
) -> CityMap:
    """Make the map of what a search found.

    Areas are outlined and numbered; each result has a colour, its fixes tell their time, receiver and
    accuracy; a click on a name shows that result alone.

    Parameters
    ----------
    document : dict
        What the service answers to a search and ``geo-policing search`` writes.
    tiles_url : str, Path or None
        The basemap; see `Basemap`.
    bounds : BoundingBox, optional
        What is shown where nobody was found and no area was asked for.
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
        If the document is none, there is nothing to show, or no such time zone.
    """
    if not isinstance(document.get("results"), list) or not isinstance(document.get("features"), list):
        raise InvalidInput("this is no search; give what geo-policing search writes", field="document")
    shapes = [shapely.geometry.shape(f["geometry"]) for f in document["features"] if f["geometry"]]
    shown = shapely.get_coordinates(shapes) if shapes else np.empty((0, 2))
    box = box_around(shown[:, 0], shown[:, 1], bounds)
    name = document.get("title") or document.get("search") or "检索 Search"
    title = f"{document['case']} {name}" if document.get("case") else name
    page = CityMap(box, title=title, right_px=350, zoom_control="topleft")
    Basemap(tiles_url, bounds=box, theme=theme, attribution=attribution).add_to(page)
    data = {
        key: document.get(key) for key in ("case", "reason", "found", "told", "notes", "results", "features")
    }
    options = {
        "title": title,
        "timeZone": check_time_zone(time_zone),
        "homeUrl": home_url,
        "colours": list(COLOURS),
        "others": OTHERS,
    }
    page.add_child(OwnElement("searchMap", data, options, assets=ASSETS))
    return page
