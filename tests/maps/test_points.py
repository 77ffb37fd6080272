"""Maps of data frames, as pages and in a real browser."""

import re
from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from geo_policing.errors import InvalidInput
from geo_policing.maps import fixes_map, incident_map, render
from geo_policing.model import BoundingBox, IncidentState
from tests.browser import NARROW, WIDE, Site, Visit, visit


def incidents(**more) -> gpd.GeoDataFrame:
    columns = {
        "id": ["JQ-1", "JQ-2", "JQ-3"],
        "kind": ["盗窃", "盗窃", "抢夺"],
        "occurred": pd.to_datetime(["2026-03-01T02:00:00Z"] * 3),
        "severity": [3, 3, 1],
        "state": [IncidentState.REPORTED, IncidentState.CLOSED, IncidentState.CLOSED],
        "summary": ["<b>x</b>", None, np.nan],
    }
    places = gpd.points_from_xy([113.10, 113.12, 113.14], [27.80, 27.82, 27.84])
    return gpd.GeoDataFrame(columns | more, geometry=places, crs="EPSG:4326")


def fixes(devices: int = 2, each: int = 5) -> gpd.GeoDataFrame:
    n = devices * each
    columns = {
        "device": [f"car-{i % devices}" for i in range(n)],
        "time": pd.date_range("2026-03-01T02:00Z", periods=n, freq="30s")[::-1],
        "speed_mps": [1.0] * n,
    }
    places = gpd.points_from_xy(113.10 + 0.001 * np.arange(n), np.full(n, 27.83))
    return gpd.GeoDataFrame(columns, geometry=places, crs="EPSG:4326")


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request, chromium) -> Iterator[Visit]:
    site = Site({"/": render(incident_map(incidents()))})
    try:
        with visit(chromium, site.url + "/", request.param) as seen:
            yield seen
            assert seen.strayed == []
            assert seen.failed == []
    finally:
        site.stop()


def click(page, i: int) -> None:
    at = page.evaluate(
        "i => { const {map, data} = geoPolicing.points;"
        " return map.latLngToContainerPoint([data.lat[i], data.lon[i]]); }",
        i,
    )
    page.mouse.click(at["x"], at["y"])


@pytest.mark.browser
def test_a_click_on_a_point_tells_what_the_frame_says(opened):
    click(opened.page, 0)
    popup = opened.page.locator(".leaflet-popup")
    expect(popup).to_contain_text("JQ-1")
    expect(popup).to_contain_text("03/01 10:00:00")
    expect(popup).to_contain_text("待受理 Reported")
    expect(popup).to_contain_text("一般 Ordinary")
    expect(popup).to_contain_text("<b>x</b>")


@pytest.mark.browser
def test_what_is_ticked_off_is_neither_drawn_nor_found(opened):
    opened.page.locator(".gp-points").evaluate("box => { box.open = true; }")
    opened.page.get_by_label("一般 Ordinary").uncheck()
    assert (
        opened.page.evaluate(
            "() => { let n = 0; const p = geoPolicing.points, ctx = p.layer._ctx, real = ctx.arc.bind(ctx);"
            " ctx.arc = (...a) => { n++; real(...a); }; p.layer._draw(); return n; }"
        )
        == 1
    )
    opened.page.locator(".gp-points").evaluate("box => { box.open = false; }")
    click(opened.page, 0)
    expect(opened.page.locator(".leaflet-popup")).to_have_count(0)


def data_of(page) -> dict:
    """What the page's script is called with."""
    return next(child for child in page._children.values() if getattr(child, "function", "") == "pointMap")


def test_severity_gives_the_colours_gravest_first():
    shown = data_of(incident_map(incidents())).arguments[0]
    assert re.findall(r'"label":"(特急|一般)[^}]*"count":(\d)', shown) == [("特急", "1"), ("一般", "2")]


def test_another_column_may_give_the_colours_commonest_first():
    shown = data_of(incident_map(incidents(), by="kind")).arguments[0]
    assert re.findall(r'"label":"(盗窃|抢夺)","colour"', shown) == ["盗窃", "抢夺"]


def test_rare_values_share_a_colour():
    many = fixes(devices=12, each=1)
    assert '"label":"其他 Others"' in data_of(fixes_map(many)).arguments[0]


def test_lines_join_the_fixes_of_a_device_in_the_order_of_time():
    shown = data_of(fixes_map(fixes()))
    lon = [float(v) for v in re.search(r'"lon":\[([^]]*)\]', shown.arguments[0])[1].split(",")]
    assert lon == sorted(lon, reverse=True)
    assert '"lines":true' in shown.arguments[1]


def test_lines_are_left_out_where_devices_share_a_colour():
    assert '"lines":false' in data_of(fixes_map(fixes(devices=12, each=2))).arguments[1]


def test_frames_in_another_system_are_brought_to_degrees():
    there = data_of(incident_map(incidents().to_crs(4547))).arguments[0]
    assert '"lon":[113.1,113.12,113.14]' in there


def test_missing_places_are_left_out():
    frame = incidents()
    frame.loc[1, "geometry"] = None
    assert '"lon":[113.1,113.14]' in data_of(incident_map(frame)).arguments[0]


def test_an_empty_frame_needs_bounds():
    empty = incidents().iloc[:0]
    with pytest.raises(InvalidInput, match="give bounds"):
        incident_map(empty)
    assert "pointMap" in render(incident_map(empty, bounds=BoundingBox(113, 27, 114, 28)))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.set_crs(None, allow_override=True), "no CRS"),
        (lambda f: f.to_crs(4547).set_crs(4326, allow_override=True), "its numbers are not"),
        (lambda f: f.set_geometry(f.to_crs(4547).buffer(9).to_crs(4326)), "no points"),
    ],
)
def test_frames_that_cannot_be_drawn_are_refused_with_what_to_do(spoil, says):
    with pytest.raises(InvalidInput, match=says):
        incident_map(spoil(incidents()))


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(InvalidInput, match="no column 'colour'; it has id, kind"):
        incident_map(incidents(), by="colour")


@pytest.mark.parametrize("make", [lambda: incident_map(incidents()), lambda: fixes_map(fixes())])
def test_the_page_names_no_other_host(make):
    assert re.findall(r"https?://[^\s\"']+", render(make())) == []
