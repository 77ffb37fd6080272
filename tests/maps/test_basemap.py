"""The basemap in a real browser, served and written into the page."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from geo_policing_tiles import build_pmtiles
from geo_policing_tiles.pmtiles import tile_id as written_id
from geo_policing_tiles.pmtiles import write_pmtiles
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidFile
from geo_policing.maps import Basemap, CityMap, render
from geo_policing.maps.embedded import PmtilesFile, embedded_tiles, tile_id
from geo_policing.model import BoundingBox
from tests.browser import WIDE, Site, visit
from tests.tiles.test_tiles import SOUTH, WEST, a_network, shapes

BOX = BoundingBox(WEST, SOUTH - 0.005, WEST + 0.02, SOUTH + 0.01)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tiles") / "city.pmtiles"
    build_pmtiles(a_network(), shapes(), out)
    return out


def colour_at(page, lon: float, lat: float) -> tuple[int, int, int]:
    """What the basemap shows at a place."""
    return tuple(
        page.evaluate(
            """([lon, lat]) => {
                const map = Object.values(window).find((o) => o instanceof L.Map);
                const at = map.latLngToContainerPoint([lat, lon]);
                const origin = map.getContainer().getBoundingClientRect();
                for (const tile of document.querySelectorAll("canvas.leaflet-tile")) {
                    const box = tile.getBoundingClientRect();
                    const x = at.x + origin.x - box.x, y = at.y + origin.y - box.y;
                    if (x < 0 || y < 0 || x >= box.width || y >= box.height) continue;
                    const k = tile.width / box.width;
                    return [...tile.getContext("2d").getImageData(x * k, y * k, 1, 1).data.slice(0, 3)];
                }
                return [0, 0, 0];
            }""",
            [lon, lat],
        )
    )


def the_map(tiles: str | Path | None, **options) -> CityMap:
    page = CityMap(BOX, title="a basemap")
    Basemap(tiles, **options).add_to(page)
    return page


RIVER, LAND, ROAD = (WEST + 0.0145, SOUTH + 0.006), (WEST + 0.006, SOUTH - 0.003), (WEST + 0.004, SOUTH)


@pytest.mark.browser
@pytest.mark.parametrize("how", ["served", "embedded"])
def test_river_land_and_road_are_drawn_in_their_colours(chromium, tiles, how):
    page = the_map("/tiles/city.pmtiles") if how == "served" else the_map(tiles, bounds=BOX)
    html = render(page, "/assets/" if how == "served" else None)
    site = Site({"/": html}, tiles if how == "served" else None)
    try:
        with visit(chromium, site.url + "/", WIDE) as seen:
            # Tiles are drawn as they come.
            for _ in range(50):
                if colour_at(seen.page, *RIVER) == (0xB4, 0xD2, 0xE8):
                    break
                seen.page.wait_for_timeout(100)
            assert colour_at(seen.page, *RIVER) == (0xB4, 0xD2, 0xE8)
            assert colour_at(seen.page, *LAND) == (0xF4, 0xF4, 0xF1)
            assert colour_at(seen.page, *ROAD) == (0xFD, 0xF1, 0xCF)
            assert seen.strayed == []
            assert seen.failed == []
    finally:
        site.stop()


@pytest.mark.browser
def test_a_page_on_a_disk_has_its_ground_in_it(chromium, tiles, tmp_path):
    (tmp_path / "map.html").write_text(render(the_map(tiles, bounds=BOX), None), "utf-8")
    context = chromium.new_context(viewport=WIDE, offline=True)
    try:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "map.html").as_uri())
        page.wait_for_selector("canvas.leaflet-tile-loaded")
        page.wait_for_timeout(1000)
        assert colour_at(page, *RIVER) == (0xB4, 0xD2, 0xE8)
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    finally:
        context.close()


def test_the_tiles_around_a_box_and_no_others_are_embedded(tiles):
    all_of_them = embedded_tiles(tiles, BoundingBox(-180, -85, 180, 85))
    some = embedded_tiles(tiles, BoundingBox(WEST, SOUTH, WEST + 0.001, SOUTH + 0.001))
    assert 0 < len(some) < len(all_of_them)
    assert some.items() <= all_of_them.items()
    assert {key.split("/")[0] for key in some} == {str(z) for z in range(9, 16)}


@given(st.integers(0, 20).flatmap(lambda z: st.tuples(st.just(z), *[st.integers(0, 2**z - 1)] * 2)))
def test_the_reader_numbers_tiles_as_the_writer_does(tile):
    assert tile_id(*tile) == written_id(*tile)


def test_tiles_are_found_through_leaves(tmp_path):
    rng = np.random.default_rng(2)
    tiles = {
        (12, int(x), int(y)): int(v).to_bytes(4, "big")
        for x, y, v in zip(*rng.integers(0, 4096, (2, 20_000)), rng.integers(0, 9000, 20_000), strict=True)
    }
    write_pmtiles(tmp_path / "many.pmtiles", tiles, (0.0, 0.0, 1.0, 1.0), {})
    archive = PmtilesFile(tmp_path / "many.pmtiles")
    for key in list(tiles)[::499]:
        found = archive.tile(*key)
        assert found is not None
        assert gzip.decompress(found) == tiles[key]
    assert archive.tile(3, 1, 1) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"no", "no PMTiles archive"), (b"PMTiles\x02" + bytes(200), "version 3")],
)
def test_other_files_are_refused(tmp_path, content, says):
    (tmp_path / "x.pmtiles").write_bytes(content)
    with pytest.raises(InvalidFile, match=says):
        Basemap(tmp_path / "x.pmtiles")


def test_an_archive_that_is_cut_short_is_refused(tmp_path, tiles):
    (tmp_path / "x.pmtiles").write_bytes(tiles.read_bytes()[:-100])
    with pytest.raises(InvalidFile, match="cut short"):
        Basemap(tmp_path / "x.pmtiles")
