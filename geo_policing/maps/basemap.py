"""The ground of a map: vector tiles of the city from one PMTiles file, or a plain colour."""

from typing import Any, Literal

from folium.elements import JSCSSMixin

from geo_policing.maps.offline import LOCAL
from geo_policing.maps.page import OwnElement

Theme = Literal["light", "dark"]


class Basemap(JSCSSMixin, OwnElement):  # type: ignore[misc]  # folium publishes no types
    """A folium layer of PMTiles, drawn in the browser by protomaps-leaflet.

    Parameters
    ----------
    tiles_url : str or None
        Where the file is served with range requests, for example ``/tiles/city.pmtiles``; None is a plain
        ground. The tiles are those of ``geo-policing build-tiles``.
    theme : {"light", "dark"}
        By day or by night.
    attribution : str
        What the sources ask to be said.
    """

    default_js = (("protomaps-leaflet", f"local:{LOCAL['protomaps-leaflet']}"),)

    def __init__(self, tiles_url: str | None, *, theme: Theme = "light", attribution: str = "") -> None:
        options: dict[str, Any] = {"theme": theme, "attribution": attribution, "maxDataZoom": 15}
        super().__init__("basemap", tiles_url, options, assets=("basemap.js",))
        self._name = "Basemap"
        self.url = tiles_url
