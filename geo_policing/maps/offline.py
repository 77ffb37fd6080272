"""Folium maps that load nothing from the internet.

Folium links its scripts, styles, fonts and tiles to servers of others. Here every link of a map and of what
was added to it is replaced by the same library from this package, either linked to where a service serves
`assets_folder`, or written into the page, which then is one file that works from a disk or in a notebook.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from branca.element import CssLink, Element, Figure, JavascriptLink, Link

from geo_policing.errors import InvalidInput
from geo_policing.maps.assets import asset_text, data_uri, inlined_css, own_text

#: Folium's names of what it links to, and the assets that stand in for them; None is not needed.
LOCAL: dict[str, str | None] = {
    "leaflet": "leaflet/leaflet.js",
    "leaflet_css": "leaflet/leaflet.css",
    "jquery": "jquery/jquery.js",
    "bootstrap": "bootstrap/bootstrap.js",
    "bootstrap_css": "bootstrap/bootstrap.css",
    "awesome_markers": "awesome-markers/awesome-markers.js",
    "awesome_markers_css": "awesome-markers/awesome-markers.css",
    "awesome_markers_font_css": "fontawesome/css/fontawesome.css",
    "glyphicons_css": "glyphicons/glyphicons.css",
    "awesome_rotate_css": None,
    "markerclusterjs": "markercluster/markercluster.js",
    "markerclustercss": "markercluster/markercluster.css",
    "markerclusterdefaultcss": "markercluster/markercluster-default.css",
    "leaflet-heat.js": "heat/heat.js",
    "Control.Fullscreen.js": "fullscreen/fullscreen.js",
    "Control.FullScreen.css": "fullscreen/fullscreen.css",
    "protomaps-leaflet": "protomaps-leaflet/protomaps-leaflet.js",
}
#: Only maps with an icon of awesome-markers need these, and they are large when written into the page.
ICONS = ("awesome_markers", "awesome_markers_css", "awesome_markers_font_css", "glyphicons_css")

# Places of a page from which a browser loads by itself. Links to click and texts are not among them.
_ADDRESS = r"""(?:https?:|wss?:)?//[^"'`)\s>]+"""
_CALLS = "fetch|import|tileLayer|wms|imageOverlay|videoOverlay|EventSource|WebSocket|open"
_LOADS = (
    rf"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\ssrc=["']?{_ADDRESS}""",
    rf"""<link\b[^>]*?\shref=["']?{_ADDRESS}""",
    rf"""\burl\(\s*["']?{_ADDRESS}""",
    rf"""@import\s+["']{_ADDRESS}""",
    rf"""\b(?:{_CALLS})\(\s*["'`]{_ADDRESS}""",
    rf"""["']?(?:url|iconUrl|shadowUrl|iconRetinaUrl|imagePath)["']?\s*:\s*["']{_ADDRESS}""",
)
_LOAD = re.compile("|".join(_LOADS), re.IGNORECASE)
_INLINED = re.compile(r"<(script|style) data-asset=[^>]*>.*?</\1>", re.DOTALL)


class LocalAsset(Element):  # type: ignore[misc]  # branca publishes no types
    """A script or style sheet of the package in the head of a page.

    Parameters
    ----------
    asset : str
        Path in the assets.
    assets_url : str or None
        URL under which the assets are served, with the slash at its end; None writes it into the page.
    """

    def __init__(self, asset: str, assets_url: str | None) -> None:
        super().__init__()
        self._name = "LocalAsset"
        self.asset = asset
        self.assets_url = assets_url

    def render(self, **_: Any) -> str:
        """Return the element's HTML."""
        style = self.asset.endswith(".css")
        if self.assets_url is not None:
            url = self.assets_url + self.asset
            return f'<link rel="stylesheet" href="{url}"/>' if style else f'<script src="{url}"></script>'
        if style:
            return f'<style data-asset="{self.asset}">{inlined_css(self.asset)}</style>'
        return inline_script(self.asset, asset_text(self.asset) + self._after())

    def _after(self) -> str:
        # Leaflet looks for its pin beside its style sheet, which is nowhere when it is written into the page.
        if self.asset != "leaflet/leaflet.js":
            return ""
        pin = {
            key: data_uri(f"leaflet/images/{name}.png")
            for key, name in (
                ("iconUrl", "marker-icon"),
                ("iconRetinaUrl", "marker-icon-2x"),
                ("shadowUrl", "marker-shadow"),
            )
        }
        return f"\nL.Icon.Default.imagePath = '';\nL.Icon.Default.mergeOptions({json.dumps(pin)});\n"


class IconRotation(Element):  # type: ignore[misc]  # branca publishes no types
    """The turns of icons that a map uses; Font Awesome itself has but four."""

    def __init__(self, angles: set[int]) -> None:
        super().__init__()
        self._name = "IconRotation"
        self.angles = angles

    def render(self, **_: Any) -> str:
        """Return the element's HTML."""
        rules = (
            f".fa-rotate-{a}{{display:inline-block;transform:rotate({a}deg)}}" for a in sorted(self.angles)
        )
        return f"<style>{''.join(rules)}</style>"


class OwnAsset(Element):  # type: ignore[misc]  # branca publishes no types
    """A script or style of our own, always written into the page, so that both are of one version."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = "OwnAsset"
        self.name = name

    def render(self, **_: Any) -> str:
        """Return the element's HTML."""
        text = own_text(self.name)
        if self.name.endswith(".css"):
            return f'<style data-asset="{self.name}">{text}</style>'
        return inline_script(self.name, text)


def inline_script(name: str, code: str) -> str:
    """Code as a script element; what would end it early is written differently, with the same meaning."""
    code = code.replace("</script", r"<\/script")
    return f'<script data-asset="{name}">{code}</script>'


def offline(folium_map: Any, assets_url: str | None = None, *, allow: Sequence[str] = ()) -> Any:
    """Make a folium map load nothing from the internet.

    Call it after the last ``add_to``: what is added later links to the internet again. The map is changed
    and returned, so that ``offline(folium_map)`` at the end of a notebook's cell shows it.

    Parameters
    ----------
    folium_map : folium.Map
        With all its children.
    assets_url : str or None
        URL under which `assets_folder` is served, for example ``/assets/``; None writes everything into the
        page, which is then one file of its own.
    allow : sequence of str
        Beginnings of URLs that may be loaded all the same: a tile server in your own network.

    Raises
    ------
    InvalidInput
        If something added to the map would load what the package does not have.
    Unavailable
        If the assets have not been built.
    """
    figure = folium_map.get_root()
    if not isinstance(figure, Figure):
        figure = Figure()
        figure.add_child(folium_map)
    if assets_url is not None and not assets_url.endswith("/"):
        assets_url += "/"
    elements = list(_walk(figure))
    icons = [element for element in elements if type(element).__name__ == "Icon"]
    with_icons = bool(icons) or any("MarkerCluster" in type(element).__name__ for element in elements)
    turns = {int(turn) for icon in icons for turn in re.findall(r"fa-rotate-(-?\d+)", str(icon.options))}
    if turns - {0}:
        figure.header.add_child(IconRotation(turns), name="icon_rotation")
    for child in figure.header._children.values():
        if isinstance(child, LocalAsset):
            child.assets_url = assets_url
    for element in elements:
        _refuse_tiles(element, allow)
        for attribute in ("default_js", "default_css"):
            # The links as folium gave them stay beside the element, for the next call.
            links = getattr(element, f"_remote_{attribute}", None) or getattr(element, attribute, None)
            if not links:
                continue
            setattr(element, f"_remote_{attribute}", links)
            kept = []
            for name, url in links:
                if name not in LOCAL:
                    if _is_remote(url) and not url.startswith(tuple(allow)):
                        raise InvalidInput(
                            f"{type(element).__name__} loads {url}, which the package does not have; "
                            "leave it out, or serve it yourself and name its URL in allow",
                            field="map",
                            value=url,
                        )
                    kept.append((name, url))
                    continue
                asset = LOCAL[name]
                if asset is not None and (with_icons or name not in ICONS):
                    figure.header.add_child(LocalAsset(asset, assets_url), name=name)
            setattr(element, attribute, kept)
    return folium_map


def render(folium_map: Any, assets_url: str | None = "/assets/", *, allow: Sequence[str] = ()) -> str:
    """Return the page of a map that loads nothing from the internet.

    Parameters
    ----------
    folium_map, assets_url, allow
        As for `offline`.

    Raises
    ------
    InvalidInput
        If the page would still load something from elsewhere.
    Unavailable
        If the assets have not been built.
    """
    figure = offline(folium_map, assets_url, allow=allow).get_root()
    html: str = figure.render()
    for child in figure.header._children.values():
        if isinstance(child, Link) and _is_remote(child.url) and not child.url.startswith(tuple(allow)):
            kind = "style" if isinstance(child, CssLink) else "script"
            kind = kind if isinstance(child, CssLink | JavascriptLink) else "file"
            raise InvalidInput(
                f"the map loads the {kind} {child.url}, which the package does not have; do without it",
                field="map",
                value=child.url,
            )
    for load in remote_loads(html):
        if not any(start in load for start in allow):
            raise InvalidInput(
                f"the map would load from elsewhere: {load[:160]}; give it a local file instead",
                field="map",
                value=load,
            )
    return html


def remote_loads(html: str) -> list[str]:
    """Return the places where a page would load from another host by itself; our own assets are known."""
    return [match[0] for match in _LOAD.finditer(_INLINED.sub("", html))]


def _walk(element: Any) -> Iterator[Any]:
    yield element
    for child in list(element._children.values()):
        yield from _walk(child)
    # Figures and popups keep their parts beside their children.
    for part in ("header", "html", "script"):
        branch = getattr(element, part, None)
        if isinstance(branch, Element) and branch is not element:
            for child in list(branch._children.values()):
                yield from _walk(child)


def _is_remote(url: str) -> bool:
    return re.match(r"(https?:|wss?:)?//", url, re.IGNORECASE) is not None


def _refuse_tiles(element: Any, allow: Sequence[str]) -> None:
    url = getattr(element, "tiles", None) or getattr(element, "url", None)
    if isinstance(element, Link) or not isinstance(url, str):
        return
    if _is_remote(url) and not url.startswith(tuple(allow)):
        raise InvalidInput(
            f"{type(element).__name__} loads {url}; make the map with tiles=None and add a Basemap, "
            "or name the URL of your own tile server in allow",
            field="map",
            value=url,
        )
