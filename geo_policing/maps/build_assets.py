"""Copy what browsers load from ``node_modules`` into ``assets/``.

Run it as ``python -m geo_policing.maps.build_assets`` after ``npm ci``; ``make setup`` does both. The
packages and their exact versions are those of ``package-lock.json``. Only the files that are used are
copied, each package with its licence; ``manifest.json`` lists them with their SHA-256. The same packages
give the same bytes.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from geo_policing.errors import GeoPolicingError, Unavailable
from geo_policing.maps.assets import ASSETS


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package.

    Parameters
    ----------
    folder : str
        Folder in the assets.
    npm : str
        Folder in ``node_modules``.
    files : dict
        Path in the package to path in the folder.
    licence : str
        Path of the licence in the package.
    within : tuple of str
        Packages bundled into the files; their licences are kept as well.
    change : callable, optional
        What becomes of each text.
    """

    folder: str
    npm: str
    files: dict[str, str]
    licence: str = "LICENSE"
    within: tuple[str, ...] = ()
    change: Callable[[str], str] = field(default=lambda text: text)


def present_fonts(css: str) -> str:
    """Keep the fonts of the present version in WOFF2, which every browser of the last ten years reads."""
    css = re.sub(r',\s*url\([^)]*\.ttf\)\s*format\(["\']truetype["\']\)', "", css)
    return re.sub(r'@font-face\{font-family:"(FontAwesome|Font Awesome 5 [^"]*)"[^}]*\}', "", css)


def glyphicons(css: str) -> str:
    """Keep the icon font of Bootstrap 3, which folium's default marker icon uses, and nothing else."""
    start = css.index(".glyphicon {")
    end = css.index("* {", start)
    source = 'url("fonts/glyphicons-halflings-regular.woff2") format("woff2")'
    return f'@font-face {{ font-family: "Glyphicons Halflings"; src: {source}; }}\n{css[start:end].strip()}\n'


PACKAGES = (
    Package(
        "leaflet",
        "leaflet",
        {
            "dist/leaflet.js": "leaflet.js",
            "dist/leaflet.css": "leaflet.css",
            **{
                f"dist/images/{name}.png": f"images/{name}.png"
                for name in ("layers", "layers-2x", "marker-icon", "marker-icon-2x", "marker-shadow")
            },
        },
    ),
    Package(
        "protomaps-leaflet",
        "protomaps-leaflet",
        {"dist/protomaps-leaflet.js": "protomaps-leaflet.js"},
        within=(
            "@mapbox/point-geometry",
            "@mapbox/vector-tile",
            "color2k",
            "fflate",
            "pbf",
            "pmtiles",
            "potpack",
            "quickselect",
            "rbush",
        ),
    ),
    Package("jquery", "jquery", {"dist/jquery.min.js": "jquery.js"}, "LICENSE.txt"),
    Package(
        "bootstrap",
        "bootstrap",
        {"dist/js/bootstrap.bundle.min.js": "bootstrap.js", "dist/css/bootstrap.min.css": "bootstrap.css"},
        within=("@popperjs/core",),
    ),
    Package(
        "glyphicons",
        "bootstrap-3",
        {
            "dist/css/bootstrap.css": "glyphicons.css",
            "fonts/glyphicons-halflings-regular.woff2": "fonts/glyphicons-halflings-regular.woff2",
        },
        change=glyphicons,
    ),
    Package(
        "fontawesome",
        "@fortawesome/fontawesome-free",
        {
            "css/all.min.css": "css/fontawesome.css",
            **{
                f"webfonts/fa-{name}.woff2": f"webfonts/fa-{name}.woff2"
                for name in ("brands-400", "regular-400", "solid-900")
            },
        },
        "LICENSE.txt",
        change=present_fonts,
    ),
    Package(
        "awesome-markers",
        "leaflet.awesome-markers",
        {
            "dist/leaflet.awesome-markers.min.js": "awesome-markers.js",
            "dist/leaflet.awesome-markers.css": "awesome-markers.css",
            **{
                f"dist/images/markers-{name}.png": f"images/markers-{name}.png"
                for name in ("soft", "soft@2x", "shadow", "shadow@2x")
            },
        },
    ),
    Package(
        "markercluster",
        "leaflet.markercluster",
        {
            "dist/leaflet.markercluster.js": "markercluster.js",
            "dist/MarkerCluster.css": "markercluster.css",
            "dist/MarkerCluster.Default.css": "markercluster-default.css",
        },
        "MIT-LICENCE.txt",
    ),
    Package("heat", "leaflet.heat", {"dist/leaflet-heat.js": "heat.js"}),
    Package(
        "fullscreen",
        "leaflet.fullscreen",
        {
            "Control.FullScreen.js": "fullscreen.js",
            "Control.FullScreen.css": "fullscreen.css",
            "icon-fullscreen.svg": "icon-fullscreen.svg",
        },
    ),
    # The pages of the API's documentation, which FastAPI otherwise loads from elsewhere.
    Package(
        "swagger-ui",
        "swagger-ui-dist",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "favicon-32x32.png": "favicon-32x32.png",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
            "NOTICE": "NOTICE",
        },
    ),
)


def build(modules: Path, out: Path) -> int:
    """Build the assets anew and put them in place of the old.

    Parameters
    ----------
    modules : Path
        ``node_modules`` as ``npm ci`` left it.
    out : Path
        Folder to replace.

    Returns
    -------
    int
        Bytes in all.

    Raises
    ------
    Unavailable
        If a file is missing from ``modules``.
    """
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    packages = {}
    for package in PACKAGES:
        source = modules / package.npm
        try:
            about = json.loads((source / "package.json").read_text("utf-8"))
            for name, target in package.files.items():
                _copy(source / name, fresh / package.folder / target, package.change)
            licence = _licences(modules, package)
        except FileNotFoundError as missing:
            raise Unavailable(
                f"{missing.filename} is missing; run npm ci in the checkout, then build the assets again"
            ) from None
        (fresh / package.folder / "LICENSE").write_text(licence, "utf-8")
        packages[package.folder] = {
            "name": about["name"],
            "version": about["version"],
            "licence": about.get("license", "see LICENSE"),
            "files": {
                path.relative_to(fresh).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in sorted((fresh / package.folder).rglob("*"))
                if path.is_file()
            },
        }
    manifest = json.dumps(packages, indent=1, sort_keys=True) + "\n"
    (fresh / "manifest.json").write_text(manifest, "utf-8")
    old = out.with_name(f"{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def _copy(source: Path, target: Path, change: Callable[[str], str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in {".js", ".css"}:
        # Maps of the source are not packaged, and browsers would ask for them.
        text = re.sub(r"(?m)^(//|/\*)# sourceMappingURL=.*$\n?", "", source.read_text("utf-8"))
        target.write_text(change(text), "utf-8")
    else:
        target.write_bytes(source.read_bytes())


def _licences(modules: Path, package: Package) -> str:
    parts = [(modules / package.npm / package.licence).read_text("utf-8")]
    for name in package.within:
        found = sorted((modules / name).glob("LICEN[CS]E*"))
        text = found[0].read_text("utf-8") if found else _stated(modules / name)
        parts.append(f"Contains {name}:\n\n{text}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _stated(package: Path) -> str:
    about = json.loads((package / "package.json").read_text("utf-8"))
    return f"{about['name']} {about['version']}, {about['license']} as its package.json states"


def main() -> None:
    """Build the assets of the checkout this module lies in."""
    root = Path(__file__).resolve().parents[2]
    try:
        size = build(root / "node_modules", ASSETS)
    except GeoPolicingError as error:
        print(f"build_assets: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"{ASSETS.relative_to(root)}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
