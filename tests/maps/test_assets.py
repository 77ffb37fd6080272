import json
from pathlib import Path

import pytest

from geo_policing.errors import Unavailable
from geo_policing.maps import assets
from geo_policing.maps.build_assets import PACKAGES, build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def modules() -> Path:
    folder = ROOT / "node_modules"
    if not folder.is_dir():
        pytest.skip("node_modules is absent; make setup makes it")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_assets_in_place_are_what_the_packages_give(modules, tmp_path):
    build(modules, tmp_path / "assets")
    assert files(tmp_path / "assets") == files(assets.assets_folder())


def test_building_again_replaces_what_was_there(modules, tmp_path):
    out = tmp_path / "assets"
    out.mkdir()
    (out / "left-over.js").write_text("alert(1)")
    build(modules, out)
    assert not (out / "left-over.js").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["assets"]


def test_a_missing_package_is_named_with_what_to_do(tmp_path):
    with pytest.raises(Unavailable, match=r"leaflet.*npm ci"):
        build(tmp_path, tmp_path / "assets")


def test_absent_assets_are_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(assets, "ASSETS", tmp_path)
    with pytest.raises(Unavailable, match="make setup"):
        assets.assets_folder()


def test_every_package_comes_with_its_licence_and_its_locked_version():
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    manifest = json.loads((assets.assets_folder() / "manifest.json").read_text())
    assert set(manifest) == {package.folder for package in PACKAGES}
    for package in PACKAGES:
        assert manifest[package.folder]["version"] == lock[f"node_modules/{package.npm}"]["version"]
        assert "LICENSE" in {Path(name).name for name in manifest[package.folder]["files"]}


def test_the_lock_names_no_registry_and_every_package_has_a_hash():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert name == "" or package["integrity"].startswith("sha512-"), name


def test_package_versions_are_exact():
    for version in json.loads((ROOT / "package.json").read_text())["dependencies"].values():
        assert version.rpartition("@")[2].replace(".", "").isdigit()


def test_style_sheets_name_only_files_that_are_there():
    for sheet in assets.assets_folder().rglob("*.css"):
        text = assets.inlined_css(sheet.relative_to(assets.assets_folder()).as_posix())
        assert "url(" not in text.replace('url("data:', "").replace("url(data:", "").replace("url(#", "")


def test_the_wheel_contains_the_assets_and_our_own_scripts():
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    packed = {file.distribution_path for file in builder.recurse_included_files()}
    for path in sorted(assets.assets_folder().rglob("*")):
        assert path.is_dir() or path.relative_to(ROOT).as_posix() in packed
    assert "geo_policing/maps/static_src/live.js" in packed
