"""The map of a search, as a page and in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from geo_policing.errors import InvalidInput
from geo_policing.maps import remote_loads, render, search_map
from geo_policing.model import BoundingBox
from tests.browser import NARROW, WIDE, Site, Visit, visit

EVIL = "<img src=x onerror=alert(1)>"


def feature(geometry, **about):
    return {"type": "Feature", "geometry": geometry, "properties": about}


def square(lon, lat):
    ring = [[lon, lat], [lon + 0.004, lat], [lon + 0.004, lat + 0.004], [lon, lat + 0.004], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def proof(rank, device, area, lon, lat, minute):
    times = [f"2026-03-02T00:{minute:02d}:{second:02d}Z" for second in (0, 10, 20)]
    return feature(
        {"type": "MultiPoint", "coordinates": [[lon + k * 0.001, lat] for k in range(3)]},
        what="presence", rank=rank, device=device, area=area, fixes=3, times=times, received=times,
        sources=["nmea0183:tcp:7001"] * 3, accuracy_m=[2.5, None, 2.5],
        **{"from": times[0], "until": times[-1]},
    )  # fmt: skip


def a_document():
    window = {"from": "2026-03-02T00:00:00Z", "until": "2026-03-02T01:00:00Z"}
    features = [
        feature(square(113.130, 27.830), what="area", number=1, **window),
        feature(square(113.142, 27.836), what="area", number=2, **window),
        proof(1, "car-1", 1, 113.131, 27.832, 5),
        proof(1, "car-1", 2, 113.143, 27.838, 15),
        proof(2, "car-2", 2, 113.1425, 27.837, 20),
        feature(None, what="presence", rank=2, device="car-2", area=1, times=[]),
    ]
    results = [
        {"rank": 1, "device": "car-1", "name": EVIL, "kind": "taxi", "areas": 2, "in_areas": [1, 2]},
        {"rank": 2, "device": "car-2", "name": "car-2", "kind": "unknown", "areas": 1, "in_areas": [2]},
    ]
    return {
        "type": "FeatureCollection",
        "search": "collision",
        "title": "时空碰撞 Collision",
        "case": "A1",
        "reason": EVIL,
        "found": 7,
        "told": 2,
        "results": results,
        "features": features,
    }


def test_the_page_loads_nothing_and_takes_no_text_for_markup():
    page = render(search_map(a_document()), None)
    assert remote_loads(page) == []
    assert EVIL not in page


def test_what_is_no_search_is_refused_and_an_empty_one_needs_bounds():
    with pytest.raises(InvalidInput, match="this is no search; give what"):
        search_map({"features": []})
    nobody = a_document() | {"results": [], "features": [], "found": 0, "told": 0}
    with pytest.raises(InvalidInput, match="nothing to show"):
        search_map(nobody)
    assert "searchMap" in render(search_map(nobody, bounds=BoundingBox(113, 27.7, 113.3, 28)), None)


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request, chromium) -> Iterator[Visit]:
    site = Site({"/": render(search_map(a_document()))})
    try:
        with visit(chromium, site.url + "/", request.param) as seen:
            yield seen
            assert seen.strayed == []
            assert seen.failed == []
    finally:
        site.stop()


@pytest.mark.browser
def test_who_was_found_is_listed_with_what_was_found_of_them(opened):
    rows = opened.page.locator(".gp-search li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(f"1 {EVIL}")
    expect(rows.first).to_contain_text("区域数 areas 2")
    expect(opened.page.locator(".gp-search")).to_contain_text("结果 Found 7 · 显示 shown 2")


@pytest.mark.browser
def test_areas_are_numbered_and_all_that_was_found_is_in_sight(opened):
    assert opened.page.locator(".gp-area").all_text_contents() == ["1", "2"]
    assert opened.page.evaluate(
        "geoPolicing.search.data.features.filter(f => f.geometry && f.properties.what === 'presence')"
        ".flatMap(f => f.geometry.coordinates)"
        ".every(([lon, lat]) => geoPolicing.search.map.getBounds().contains([lat, lon]))"
    )


@pytest.mark.browser
def test_a_click_shows_one_result_alone_and_another_click_all(opened):
    shown = (
        "[...geoPolicing.search.groups].filter(([, group]) => geoPolicing.search.map.hasLayer(group))"
        ".map(([rank]) => rank).sort()"
    )
    button = opened.page.locator(".gp-search li button").nth(1)
    button.click()
    assert opened.page.evaluate(shown) == [2]
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    assert opened.page.evaluate(shown) == [1, 2]


@pytest.mark.browser
def test_a_fix_tells_its_time_receiver_and_accuracy(opened):
    says = opened.page.evaluate(
        "geoPolicing.search.groups.get(1).getLayers().find(layer => layer.getTooltip())"
        ".getTooltip().getContent().textContent"
    )
    for part in (EVIL, "区域 1", "08:05:00", "nmea0183:tcp:7001", "±2.5 m"):
        assert part in says


@pytest.mark.browser
def test_the_box_leaves_the_map_in_sight(opened):
    size = opened.page.viewport_size
    box = opened.page.locator(".gp-search").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["width"] * box["height"] < 0.5 * size["width"] * size["height"]
