"""The live map: units and incidents as the stream of the service says they change."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from geo_policing.errors import InvalidInput
from geo_policing.maps.basemap import Basemap, Theme
from geo_policing.maps.page import CityMap, OwnElement
from geo_policing.model import BoundingBox

ASSETS = ("live.css", "symbols.js", "live-panel.js", "live.js")


def live_map(
    *,
    bounds: BoundingBox,
    tiles_url: str | None,
    live_url: str = "/api/live",
    time_zone: str = "Asia/Shanghai",
    theme: Theme = "light",
    attribution: str = "",
    home_url: str | None = None,
    tracks_url: str | None = None,
) -> CityMap:
    """Make the page of the city now.

    It listens to server-sent events: ``snapshot`` with units and incidents, then ``units`` with those that
    changed and ``incident`` with one; when the connection breaks, the browser comes back with the id of the
    last event it had. Render it with `geo_policing.maps.render`.

    Parameters
    ----------
    bounds : BoundingBox
        What it shows at first.
    tiles_url : str or None
        The basemap, see `Basemap`.
    live_url : str
        The stream.
    time_zone : str
        In which times are shown, a name of the IANA database.
    theme : {"light", "dark"}
        Of the basemap.
    attribution : str
        What the sources of the basemap ask to be said.
    home_url : str, optional
        The page to go back to; no link without it.
    tracks_url : str, optional
        Where tracks are shown, as ``URL/DEVICE?datetime=START/END``: the details of a unit then lead to its
        last 30 minutes. None for those who may not ask for tracks.

    Raises
    ------
    InvalidInput
        If there is no such time zone.
    """
    page = CityMap(bounds, title="城市态势 City live", zoom_control="topleft")
    Basemap(tiles_url, theme=theme, attribution=attribution).add_to(page)
    options = {
        "liveUrl": live_url,
        "timeZone": check_time_zone(time_zone),
        "homeUrl": home_url,
        "tracksUrl": tracks_url,
    }
    page.add_child(OwnElement("liveMap", options, assets=ASSETS))
    return page


def check_time_zone(name: str) -> str:
    """Return the name if it is a time zone, else raise InvalidInput."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"time zone {name!r} is not known; give a name like Asia/Shanghai", field="time_zone", value=name
        ) from None
    return name
