"""The map of a track: fixes with their times, the matched path, and what of it is inferred."""

from pathlib import Path

import numpy as np

from geo_policing.maps.basemap import Basemap, Theme
from geo_policing.maps.live import check_time_zone
from geo_policing.maps.page import CityMap, OwnElement, box_around
from geo_policing.model import BoundingBox, Track, to_us
from geo_policing.model.instant import format_instant

ASSETS = ("data.css", "symbols.js", "track.js")


def track_map(
    track: Track,
    *,
    tiles_url: str | Path | None = None,
    bounds: BoundingBox | None = None,
    name: str = "",
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
    home_url: str | None = None,
) -> CityMap:
    """Make the map of a track.

    The path is coloured by its confidence, dashed where it is inferred; fixes tell their time, speed and
    accuracy; a slider goes through them.

    Parameters
    ----------
    track : Track
        Matched or not.
    tiles_url : str, Path or None
        The basemap: a URL, or a file of which the part around the track is written into the page; see
        `Basemap`.
    bounds : BoundingBox, optional
        What is shown when the track is empty; otherwise the map shows the track.
    name : str
        What people call the device; its id when empty.
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
        If there is no such time zone, or neither a track nor bounds to show.
    """
    lon = np.concatenate([track.fixes.lon, *(piece.lon for piece in track.pieces)])
    lat = np.concatenate([track.fixes.lat, *(piece.lat for piece in track.pieces)])
    title = f"{name or track.device} 轨迹 Track"
    box = box_around(lon, lat, bounds)
    page = CityMap(box, title=title, right_px=330, zoom_control="topleft")
    Basemap(tiles_url, bounds=box, theme=theme, attribution=attribution).add_to(page)
    options = {
        "device": track.device,
        "name": name,
        "start": format_instant(to_us(track.window.start)),
        "end": format_instant(to_us(track.window.end)),
        "timeZone": check_time_zone(time_zone),
        "homeUrl": home_url,
    }
    page.add_child(OwnElement("trackMap", track.to_geojson(), options, assets=ASSETS))
    return page
