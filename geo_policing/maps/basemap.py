"""The ground of a map: vector tiles of the city from one PMTiles file, or a plain colour."""

from pathlib import Path
from typing import Any, Literal

from folium.elements import JSCSSMixin

from geo_policing.maps.embedded import embedded_tiles
from geo_policing.maps.offline import LOCAL
from geo_policing.maps.page import OwnElement
from geo_policing.model import BoundingBox

Theme = Literal["light", "dark"]
#: What is embedded around the box, as a share of its sides, so that there is a ground to move over.
MARGIN = 0.5


class Basemap(JSCSSMixin, OwnElement):  # type: ignore[misc]  # folium publishes no types
    """A folium layer of PMTiles, drawn in the browser by protomaps-leaflet.

    Parameters
    ----------
    tiles : str, Path or None
        A str is the URL where the file is served with range requests, for example
        ``/tiles/city.pmtiles``; of a Path the tiles around ``bounds`` are written into the page, for
        notebooks and saved files; None is a plain ground. The tiles are those of
        ``geo-policing build-tiles``.
    bounds : BoundingBox, optional
        Where the tiles of a Path are wanted; everywhere by default.
    theme : {"light", "dark"}
        By day or by night.
    attribution : str
        What the sources ask to be said, as HTML.

    Raises
    ------
    InvalidFile
        If a Path is no archive of vector tiles.
    """

    default_js = (("protomaps-leaflet", f"local:{LOCAL['protomaps-leaflet']}"),)

    def __init__(
        self,
        tiles: str | Path | None,
        *,
        bounds: BoundingBox | None = None,
        theme: Theme = "light",
        attribution: str = "",
    ) -> None:
        options: dict[str, Any] = {"theme": theme, "attribution": attribution, "maxDataZoom": 15}
        source = embedded_tiles(tiles, bounds and _around(bounds)) if isinstance(tiles, Path) else tiles
        super().__init__("basemap", source, options, assets=("basemap.js",))
        self._name = "Basemap"
        self.url = tiles if isinstance(tiles, str) else None


def _around(box: BoundingBox) -> BoundingBox:
    # No less than a kilometre or two.
    x = max(0.02, (box.east - box.west) * MARGIN)
    y = max(0.02, (box.north - box.south) * MARGIN)
    return BoundingBox(
        max(-180.0, box.west - x),
        max(-90.0, box.south - y),
        min(180.0, box.east + x),
        min(90.0, box.north + y),
    )
