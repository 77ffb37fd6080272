"""Maps of tracks, as pages and in a real browser."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import expect

from geo_policing.errors import InvalidInput
from geo_policing.maps import render, track_map
from geo_policing.model import BoundingBox, Fix, FixColumns, PathPiece, TimeWindow, Track, to_us
from tests.browser import NARROW, WIDE, Site, Visit, visit

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
WINDOW = TimeWindow(START, START + timedelta(hours=1))


def piece(west: float, east: float, confidence: float, *, inferred: bool = False) -> PathPiece:
    lon = np.linspace(west, east, 9)
    entered = np.array([to_us(START)])
    return PathPiece(("e1",), lon, np.full(9, 27.83), entered, inferred=inferred, confidence=confidence)


def a_track() -> Track:
    fixes = [
        Fix("car-1", to_us(START + timedelta(minutes=i)), 113.10 + i * 0.001, 27.83, speed_mps=10.0)
        for i in range(30)
    ]
    pieces = (
        piece(113.10, 113.11, 0.97),
        piece(113.11, 113.115, 0.7, inferred=True),
        piece(113.115, 113.129, 0.3),
    )
    return Track("car-1", WINDOW, FixColumns.from_fixes(fixes), pieces)


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request, chromium) -> Iterator[Visit]:
    site = Site({"/": render(track_map(a_track(), name="天元01"))})
    try:
        with visit(chromium, site.url + "/", request.param) as seen:
            yield seen
            assert seen.strayed == []
            assert seen.failed == []
    finally:
        site.stop()


@pytest.mark.browser
def test_the_whole_track_is_in_sight(opened):
    assert opened.page.evaluate(
        "geoPolicing.track.fixes.every(f => geoPolicing.track.map.getBounds().contains([f.lat, f.lon]))"
    )


@pytest.mark.browser
def test_the_slider_tells_the_time_in_the_citys_zone(opened):
    slider = opened.page.get_by_label("时刻 Time")
    slider.focus()
    for _ in range(3):
        opened.page.keyboard.press("ArrowRight")
    expect(opened.page.locator(".gp-now")).to_contain_text("03/01 10:03:00")
    expect(opened.page.locator(".gp-now")).to_contain_text("36 km/h")


@pytest.mark.browser
def test_confidence_is_coloured_and_what_is_inferred_is_dashed(opened):
    lines = opened.page.evaluate(
        "Object.values(geoPolicing.track.map._layers).filter(l => l.getLatLngs && l.options.weight < 8)"
        ".map(l => [l.options.color, l.options.dashArray || null])"
    )
    assert lines == [["#1c5fa8", None], ["#d98200", "2 9"], ["#c0392b", None]]


@pytest.mark.browser
def test_the_lengths_are_those_on_the_ground(opened):
    text = opened.page.locator(".gp-track").text_content()
    # 0.024 and 0.005 degrees of longitude at 27.83 N
    assert re.search(r"观测路径 Observed2\.36 km", text)
    assert re.search(r"推断路径 Inferred49\d m", text)


@pytest.mark.browser
def test_nothing_lies_outside_the_screen(opened):
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    box = opened.page.locator(".gp-track").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= opened.page.viewport_size["width"]


@pytest.mark.browser
def test_an_empty_track_says_so(chromium):
    empty = Track("car-1", WINDOW, FixColumns.from_fixes([]))
    site = Site({"/": render(track_map(empty, bounds=BoundingBox(113.1, 27.8, 113.2, 27.9)))})
    try:
        with visit(chromium, site.url + "/", WIDE) as seen:
            expect(seen.page.locator(".gp-track")).to_contain_text("没有定位点")
            assert seen.failed == []
    finally:
        site.stop()


@pytest.mark.browser
def test_a_track_that_ends_where_it_began_shows_both_marks(chromium):
    lon = [113.10, 113.11, 113.10002]
    fixes = [Fix("car-1", to_us(START + timedelta(minutes=i)), x, 27.83) for i, x in enumerate(lon)]
    site = Site({"/": render(track_map(Track("car-1", WINDOW, FixColumns.from_fixes(fixes))))})
    inked = """() => {
        // Pixels in the colours of the mark of the start and of that of the end.
        const {_ctx, _canvas} = geoPolicing.track.layer;
        const data = _ctx.getImageData(0, 0, _canvas.width, _canvas.height).data;
        const count = (r, g, b) => {
            let n = 0;
            for (let i = 0; i < data.length; i += 4)
                n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
            return n;
        };
        return [count(0x1d, 0x7a, 0x45), count(0xb0, 0x30, 0x2a)];
    }"""
    try:
        with visit(chromium, site.url + "/", WIDE) as seen:
            start, end = seen.page.evaluate(inked)
            # A disc of radius 10 has 314 pixels, of which the letter covers more than half.
            assert start > 100
            assert end > 100
    finally:
        site.stop()


@pytest.mark.browser
def test_a_track_has_a_way_home_where_there_is_a_home(chromium):
    here = render(track_map(a_track(), home_url="/"))
    site = Site({"/here": here, "/alone": render(track_map(a_track()))})
    try:
        with visit(chromium, site.url + "/here", NARROW) as seen:
            expect(seen.page.get_by_role("link", name="首页 Start page")).to_have_attribute("href", "/")
            seen.page.goto(site.url + "/alone")
            expect(seen.page.locator(".gp-track")).to_be_visible()
            expect(seen.page.get_by_role("link", name="首页 Start page")).to_have_count(0)
    finally:
        site.stop()


def test_an_empty_track_without_bounds_is_refused():
    empty = Track("car-1", WINDOW, FixColumns.from_fixes([]))
    with pytest.raises(InvalidInput, match="give bounds"):
        track_map(empty)


def test_the_page_names_no_other_host():
    html = render(track_map(a_track(), tiles_url="/tiles/city.pmtiles"))
    assert set(re.findall(r"https?://[^\s\"']+", html)) <= {"http://www.w3.org/2000/svg"}


def test_a_name_is_text_and_never_markup():
    html = render(track_map(a_track(), name="</script><script>alert(1)</script>"))
    assert "<script>alert(1)" not in html
