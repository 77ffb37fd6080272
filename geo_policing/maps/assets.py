"""The browser files that maps load: built from npm into ``assets/``, named by their path there."""

import base64
import mimetypes
import posixpath
import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from geo_policing.errors import Unavailable

ASSETS = Path(__file__).with_name("assets")

_URL = re.compile(r"""url\(\s*(['"]?)([^'")]+)\1\s*\)""")
_TYPES = {".woff2": "font/woff2", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def assets_folder() -> Path:
    """Folder to serve under the URL that pages name as ``assets_url``.

    Raises
    ------
    Unavailable
        If the assets have not been built.
    """
    if not (ASSETS / "manifest.json").is_file():
        raise Unavailable(
            "the maps' browser files have not been built; run make setup, "
            "or npm ci and python -m geo_policing.maps.build_assets in the checkout"
        )
    return ASSETS


@lru_cache(maxsize=64)
def asset_text(name: str) -> str:
    """Text of an asset, by its path in the folder."""
    return (assets_folder() / name).read_text("utf-8")


@lru_cache(maxsize=64)
def own_text(name: str) -> str:
    """Text of a script or style of our own, kept beside the code and put into the page itself."""
    return resources.files("geo_policing.maps").joinpath("static_src", name).read_text("utf-8")


def data_uri(name: str) -> str:
    """Asset as a ``data:`` URI."""
    kind = _TYPES.get(posixpath.splitext(name)[1]) or mimetypes.guess_type(name)[0]
    content = base64.b64encode((assets_folder() / name).read_bytes()).decode("ascii")
    return f"data:{kind or 'application/octet-stream'};base64,{content}"


@lru_cache(maxsize=64)
def inlined_css(name: str) -> str:
    """Text of a style sheet with the fonts and pictures it names as ``data:`` URIs."""

    def inline(match: re.Match[str]) -> str:
        url = match[2]
        if url.startswith(("data:", "#")):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), url.partition("?")[0]))
        return f'url("{data_uri(path.partition("#")[0])}")'

    return _URL.sub(inline, asset_text(name))
