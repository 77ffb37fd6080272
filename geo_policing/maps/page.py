"""The page that all our maps stand on: a folium map with nothing remote in it."""

import json
from html import escape
from typing import Any

import folium
import numpy as np
from branca.element import Element, MacroElement
from folium.template import Template
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.maps.offline import LOCAL, OwnAsset
from geo_policing.model import BoundingBox

#: A place of their own for Chinese and for small screens; folium's tag forbids to zoom the page.
HEAD = """<meta name="viewport" content="width=device-width, initial-scale=1"/>
<link rel="icon" href="data:,"/>"""


class CityMap(folium.Map):  # type: ignore[misc]  # folium publishes no types
    """A folium map without tiles of others, in Chinese, with its controls on the right.

    Parameters
    ----------
    bounds : BoundingBox
        What it shows at first.
    title : str
        Of the page.
    right_px : int
        What a box on the right covers of a wide page.
    options
        As for `folium.Map`.
    """

    default_js = tuple((name, f"local:{LOCAL[name]}") for name in ("leaflet", "jquery"))
    default_css = (("leaflet_css", f"local:{LOCAL['leaflet_css']}"),)

    def __init__(self, bounds: BoundingBox, *, title: str, right_px: int = 16, **options: Any) -> None:
        center = [(bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2]
        defaults: dict[str, Any] = {
            "zoom_start": 12,
            "min_zoom": 8,
            "max_zoom": 19,
            "zoom_control": "topright",
            "prefer_canvas": True,
            "font_size": "13px",
        }
        # Folium takes the zooms for its tiles; here they are the map's.
        merged = defaults | options
        super().__init__(location=center, tiles=None, **merged)
        self.options |= {"minZoom": merged["min_zoom"], "maxZoom": merged["max_zoom"]}
        self._name = "CityMap"
        figure = self.get_root()
        figure.title = escape(title)
        figure.header.add_child(Element(HEAD), name="page_head")
        figure.header.add_child(OwnAsset("page.css"), name="page.css")
        self.add_child(Frame(bounds, right_px))


class Frame(MacroElement):  # type: ignore[misc]  # branca publishes no types
    """The part of the world a map shows at first.

    Parameters
    ----------
    bounds : BoundingBox
        Shown whole.
    right_px : int
        What a box on the right covers of a wide page.
    """

    _template = Template("""
        {% macro script(this, kwargs) %}
            document.documentElement.lang = "zh-Hans";
            {{ this._parent.get_name() }}.attributionControl.setPrefix(false);
            L.control.scale({imperial: false}).addTo({{ this._parent.get_name() }});
            {{ this._parent.get_name() }}.fitBounds({{ this.corners }}, {
                animate: false,
                paddingTopLeft: [16, 16],
                paddingBottomRight: window.innerWidth > 900 ? [{{ this.right_px }}, 16] : [16, 16],
            });
        {% endmacro %}
    """)

    def __init__(self, bounds: BoundingBox, right_px: int = 16) -> None:
        super().__init__()
        self._name = "Frame"
        self.right_px = right_px
        self.corners = json.dumps([[bounds.south, bounds.west], [bounds.north, bounds.east]])


class OwnElement(MacroElement):  # type: ignore[misc]  # branca publishes no types
    """An element of a map that calls a function of our own scripts.

    Parameters
    ----------
    function : str
        Of the global ``geoPolicing``; called with the map and what ``arguments`` holds.
    arguments : sequence
        What JSON can say.
    assets : sequence of str
        Scripts and styles of our own that it needs.
    """

    _template = Template("""
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = geoPolicing.{{ this.function }}(
                {{ this._parent.get_name() }}{% for a in this.arguments %}, {{ a }}{% endfor %}
            );
        {% endmacro %}
    """)

    def __init__(self, function: str, *arguments: Any, assets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._name = "OwnElement"
        self.function = function
        self.arguments = [script_json(argument) for argument in arguments]
        self.assets = assets

    def render(self, **kwargs: Any) -> None:
        """Put its assets into the head, and the call behind the map."""
        header = self.get_root().header
        for name in self.assets:
            header.add_child(OwnAsset(name), name=name)
        super().render(**kwargs)


def box_around(
    lon: NDArray[np.float64], lat: NDArray[np.float64], otherwise: BoundingBox | None = None
) -> BoundingBox:
    """Return a box with some room around points, or another where there is none.

    Parameters
    ----------
    lon, lat : (n,) float64
        Degrees; NaN is left out.
    otherwise : BoundingBox, optional
        For no points.

    Raises
    ------
    InvalidInput
        If there is neither a point nor another box.
    """
    good = np.isfinite(lon) & np.isfinite(lat)
    if not good.any():
        if otherwise is None:
            raise InvalidInput("there is nothing to show; give bounds for an empty map", field="bounds")
        return otherwise
    room = 0.002
    return BoundingBox(
        max(-180.0, float(lon[good].min()) - room),
        max(-90.0, float(lat[good].min()) - room),
        min(180.0, float(lon[good].max()) + room),
        min(90.0, float(lat[good].max()) + room),
    )


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: no text in it can end the script or start a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
