"""The live map in a real browser, with nothing in reach but its own server."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from geo_policing.errors import InvalidInput
from geo_policing.maps import live_map, render
from geo_policing.model import (
    BoundingBox,
    Device,
    DeviceKind,
    Fix,
    Incident,
    IncidentState,
    Severity,
    Unit,
    UnitStatus,
    to_us,
)
from geo_policing.service.matched import Matched
from geo_policing.service.picture import Picture
from tests.browser import NARROW, WIDE, Site, Visit, until, visit

BOX = BoundingBox(113.10, 27.80, 113.16, 27.86)
HERE = (113.13, 27.83)


def fix(device: str, lon: float, lat: float, **more: Any) -> Fix:
    now = to_us(datetime.now(UTC))
    return Fix(**({"device": device, "time": now, "lon": lon, "lat": lat, "received": now} | more))


def incident(number: int, **more: Any) -> Incident:
    given = {
        "kind": "盗窃",
        "occurred": datetime.now(UTC),
        "lon": 113.12,
        "lat": 27.84,
        "address": "建设路 1 号",
    }
    return Incident(f"JQ-{number}", **(given | more))


class City:
    """A picture of units and incidents, and the site that shows it."""

    def __init__(self) -> None:
        self.picture = Picture()
        self.picture.introduce(
            [Device("car-1", DeviceKind.PATROL_CAR, "湘B1001"), Device("taxi-1", DeviceKind.TAXI, "湘BT001")],
            [Unit("u1", "天元01", "car-1", status=UnitStatus.AVAILABLE)],
        )
        self.picture.move([fix("car-1", *HERE), fix("taxi-1", 113.11, 27.81)])
        self.picture.report(incident(1))
        html = render(live_map(bounds=BOX, tiles_url=None, home_url="/", tracks_url="/maps/tracks"))
        self.site = Site({"/maps/live": html}, snapshot=self.picture.snapshot)

    def move(self, *fixes: Fix) -> None:
        changed = self.picture.move(fixes)
        self.site.publish("units", {"type": "FeatureCollection", "features": changed})

    def match(self, device: str, place: Matched | None) -> None:
        self.site.publish("matched", {"matched": self.picture.match({device: place})})

    def report(self, one: Incident) -> None:
        self.site.publish("incident", self.picture.report(one))


@pytest.fixture
def city() -> Iterator[City]:
    made = City()
    yield made
    made.site.stop()


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request, chromium, city) -> Iterator[Visit]:
    with visit(chromium, city.site.url + "/maps/live", request.param) as seen:
        expect(seen.page.locator(".gp-link")).to_have_attribute("data-state", "live")
        expect(seen.page.locator(".gp-list button")).to_have_count(1)
        yield seen
        assert seen.strayed == []
        assert seen.failed == []


def place(page: Page, kind: str, key: str) -> tuple[float, float] | None:
    at = page.evaluate("([kind, key]) => geoPolicing.live.where(kind, key)", [kind, key])
    return None if at is None else (at["x"], at["y"])


INK = """([type, id, [dx, dy], least, most]) => {
    // How many of the 20 x 20 pixels at a symbol, or so far from it, have something drawn on them.
    const at = geoPolicing.live.where(type, id);
    if (at === null) return false;
    const layer = type === 'unit' ? geoPolicing.live.layer : geoPolicing.live.pins, k = layer._scale;
    const from = layer._map.containerPointToLayerPoint([at.x + dx, at.y + dy]).subtract(layer._origin);
    const data = layer._ctx.getImageData((from.x - 10) * k, (from.y - 10) * k, 20 * k, 20 * k).data;
    const inked = data.filter((v, i) => i % 4 === 3 && v > 100).length / (k * k);
    return inked >= least && inked <= most;
}"""


def expect_ink(
    page: Page, kind: str, key: str, least: int, most: int = 400, away: tuple[float, float] = (0, 0)
) -> None:
    """Wait until so many pixels are drawn at a symbol, or so far away from it."""
    until(page, INK, [kind, key, list(away), least, most])


@pytest.mark.browser
def test_a_unit_is_drawn_where_it_is_and_moves_when_an_event_comes(city, opened):
    before = place(opened.page, "unit", "car-1")
    expect_ink(opened.page, "unit", "car-1", 150)
    city.move(fix("car-1", HERE[0] + 0.008, HERE[1] + 0.004))
    until(opened.page, "x => Math.abs(geoPolicing.live.where('unit', 'car-1').x - x) > 15", before[0])
    until(
        opened.page,
        "() => !geoPolicing.between(geoPolicing.live.picture.units.get('car-1'), performance.now()).moving",
    )
    after = place(opened.page, "unit", "car-1")
    assert after[0] > before[0]
    assert after[1] < before[1]
    expect_ink(opened.page, "unit", "car-1", 150)
    expect_ink(opened.page, "unit", "car-1", 0, 0, away=(before[0] - after[0], before[1] - after[1]))


@pytest.mark.browser
def test_an_incident_appears_changes_and_leaves(city, opened):
    panel = opened.page.locator(".gp-incidents")
    city.report(incident(2, kind="抢夺", severity=Severity.CRITICAL, lon=113.14))
    first = panel.locator("button").first
    expect(first).to_contain_text("抢夺")
    expect(first).to_contain_text("待受理 Reported")
    expect(first).to_contain_text("特急")
    expect_ink(opened.page, "incident", "JQ-2", 20)
    city.report(incident(2, kind="抢夺", state=IncidentState.ON_SCENE, units=("天元01",), lon=113.14))
    expect(panel.locator("[data-id=JQ-2]")).to_contain_text("已到场 On scene")
    expect(panel.locator("[data-key=on_scene]")).to_contain_text("1")
    city.report(incident(2, state=IncidentState.CANCELLED))
    expect(panel.locator("[data-id=JQ-2]")).to_have_count(0)
    assert place(opened.page, "incident", "JQ-2") is None


@pytest.mark.browser
def test_a_click_on_a_unit_tells_about_it_and_it_can_be_followed(city, opened):
    page = opened.page
    x, y = place(page, "unit", "car-1")
    page.locator(".folium-map").click(position={"x": x, "y": y})
    card = page.locator(".gp-card")
    expect(card).to_contain_text("天元01")
    expect(card).to_contain_text("巡逻车 Patrol car")
    card.locator(".gp-follow").click()
    city.move(fix("car-1", HERE[0] + 0.02, HERE[1] + 0.01))
    box = page.locator(".folium-map").bounding_box()
    until(
        page,
        "([x, y]) => { const at = geoPolicing.live.where('unit', 'car-1');"
        " return Math.hypot(at.x - x, at.y - y) < 4; }",
        [box["width"] / 2, box["height"] / 2],
    )
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


@pytest.mark.browser
def test_the_details_of_a_unit_name_the_road_it_is_matched_to(city, opened):
    page = opened.page
    x, y = place(page, "unit", "car-1")
    page.locator(".folium-map").click(position={"x": x, "y": y})
    card = page.locator(".gp-card")
    expect(card).to_contain_text("设备 Device")
    expect(card).not_to_contain_text("道路 Road")
    at = Matched("e17", "建设路", 12.0, *HERE, 3.0, to_us(datetime.now(UTC)))
    city.match("car-1", at)
    expect(card).to_contain_text("道路 Road建设路")
    city.match("car-1", replace(at, edge="e18", road=None))
    expect(card).to_contain_text("道路 Road无名 e18")
    city.match("car-1", None)
    expect(card).not_to_contain_text("道路 Road")


@pytest.mark.browser
def test_a_unit_that_is_told_again_neither_moves_nor_turns_the_clock_back(city, chromium):
    hour_ago = to_us(datetime.now(UTC) - timedelta(hours=1))
    city.picture.move([fix("bus-1", 113.12, 27.82, time=hour_ago, received=hour_ago)])
    with visit(chromium, city.site.url + "/maps/live", WIDE) as seen:
        expect(seen.page.locator(".gp-link")).to_have_attribute("data-state", "live")
        city.match("bus-1", Matched("e17", "建设路", 12.0, 113.12, 27.82, 3.0, hour_ago))
        until(seen.page, "geoPolicing.live.picture.units.get('bus-1')?.p.matched?.edge === 'e17'")
        assert seen.page.evaluate("geoPolicing.live.picture.units.get('bus-1').since") == 0
        assert abs(seen.page.evaluate("geoPolicing.live.picture.shift")) < 60_000
        # What comes fresh tells the clock as before.
        ahead = to_us(datetime.now(UTC) + timedelta(minutes=10))
        city.move(fix("bus-1", 113.121, 27.82, received=ahead))
        until(seen.page, "Math.abs(geoPolicing.live.picture.shift - 600000) < 60000")


@pytest.mark.browser
def test_what_people_wrote_is_text_and_never_markup(city, opened):
    nasty = '<img src=x onerror="window.caught=1"><script>window.caught=1</script>'
    city.report(
        incident(3, kind=nasty, address=nasty, summary=nasty, source=nasty, units=(nasty,), lon=113.135)
    )
    opened.page.locator("[data-id=JQ-3]").click()
    expect(opened.page.locator(".gp-card")).to_contain_text("<script>window.caught=1</script>")
    for nudge in range(40):
        # The map still moves to what was clicked; on a busy machine for a while.
        x, y = place(opened.page, "incident", "JQ-3")
        opened.page.locator(".folium-map").hover(position={"x": x, "y": y - 15 - nudge % 2})
        if opened.page.locator(".gp-tip").is_visible():
            break
        opened.page.wait_for_timeout(100)
    expect(opened.page.locator(".gp-tip")).to_contain_text("onerror")
    assert opened.page.evaluate("window.caught") is None


@pytest.mark.browser
@pytest.mark.parametrize(
    ("kind", "shown"), [("burglary", "入室盗窃Burglary"), ("斗殴", "斗殴"), ("constructor", "constructor")]
)
def test_known_kinds_of_calls_are_named_in_both_languages_others_as_they_came(city, opened, kind, shown):
    city.report(incident(7, kind=kind))
    expect(opened.page.locator("[data-id=JQ-7] strong")).to_have_text(shown)


@pytest.mark.browser
def test_units_are_found_by_call_sign_with_the_keyboard_alone(city, opened):
    search = opened.page.get_by_label("查找警力 Find a unit")
    search.focus()
    search.press_sequentially("天元")
    expect(opened.page.locator(".gp-found button")).to_have_count(1)
    opened.page.keyboard.press("Tab")
    outline = opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    opened.page.keyboard.press("Enter")
    expect(opened.page.locator(".gp-card")).to_contain_text("car-1")


@pytest.mark.browser
def test_what_is_found_is_in_sight_while_details_are_open(city, opened):
    page = opened.page
    wide = page.viewport_size == WIDE
    page.set_viewport_size(page.viewport_size | {"height": 760})
    devices = [Device(f"taxi-{n}", DeviceKind.TAXI) for n in range(1, 9)]
    city.picture.introduce(devices, [])
    city.move(*(fix(device.id, 113.11, 27.81) for device in devices))
    page.locator(".gp-incidents button").first.click()
    page.get_by_label("查找警力 Find a unit").fill("taxi")
    expect(page.locator(".gp-found button")).to_have_count(8)
    # The panel clips what lies below its edge, so the window alone would not tell.
    for seen in (page.locator(".gp-search"), page.locator(".gp-found button").first):
        expect(seen).to_be_in_viewport(ratio=1)
    results, body = (page.locator(name).bounding_box() for name in (".gp-found", ".gp-body"))
    if wide:
        assert results["y"] + results["height"] <= body["y"] + body["height"]


@pytest.mark.browser
def test_a_unit_leads_to_its_last_half_hour_and_the_page_to_the_start(city, opened):
    page = opened.page
    x, y = place(page, "unit", "car-1")
    page.locator(".folium-map").click(position={"x": x, "y": y})
    asked = page.locator(".gp-track-link").get_attribute("href")
    start, end = re.fullmatch(r"/maps/tracks/car-1\?datetime=([^/]+Z)/([^/]+Z)", asked).groups()
    assert datetime.fromisoformat(end) - datetime.fromisoformat(start) == timedelta(minutes=30)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(end)) < timedelta(minutes=1)
    home = page.get_by_role("link", name="首页 Start page")
    expect(home).to_have_attribute("href", "/")
    home.click(trial=True)
    says, way = (page.locator(name).bounding_box() for name in (".gp-last", ".gp-home"))
    assert says["x"] + says["width"] <= way["x"] or way["y"] + way["height"] <= says["y"]


@pytest.mark.browser
def test_all_controls_have_a_name(opened):
    for control in opened.page.locator("button, input, a[href]").all():
        name = control.evaluate(
            "n => n.getAttribute('aria-label') || n.textContent || n.labels?.[0]?.textContent || ''"
        )
        assert name.strip(), control.evaluate("n => n.outerHTML")


@pytest.mark.browser
def test_nothing_lies_outside_the_screen(opened):
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.browser
def test_a_broken_connection_is_said_and_resumed_with_the_last_event(chromium, city):
    with visit(chromium, city.site.url + "/maps/live", WIDE) as seen:
        link = seen.page.locator(".gp-link")
        expect(link).to_have_attribute("data-state", "live")
        city.report(incident(4))
        expect(seen.page.locator("[data-id=JQ-4]")).to_have_count(1)
        city.site.stop()
        expect(link).to_have_attribute("data-state", "lost")
        expect(link).to_contain_text("正在重连")
        assert re.search(r"最后消息 \d\d:\d\d:\d\d", link.inner_text())
        city.site.restart()
        expect(link).to_have_attribute("data-state", "live", timeout=20_000)
        assert city.site.last_ids[0] is None
        assert re.fullmatch(r"[0-9a-f]+-\d+", city.site.last_ids[-1])
        city.report(incident(6))
        expect(seen.page.locator("[data-id=JQ-6]")).to_have_count(1)
        expect(seen.page.locator("[data-id=JQ-4]")).to_have_count(1)


@pytest.mark.browser
def test_a_session_that_has_ended_leads_to_the_sign_in(chromium, city):
    city.site.signed_in = False
    with visit(chromium, city.site.url + "/maps/live", WIDE) as seen:
        link = seen.page.locator(".gp-link")
        expect(link).to_contain_text("登录已失效")
        expect(link.get_by_role("link")).to_have_attribute("href", "/sign-in?next=/maps/live")
        city.site.signed_in = True
        expect(link).to_have_attribute("data-state", "live", timeout=15_000)


@pytest.mark.browser
def test_an_old_position_fades(chromium, city):
    hour_ago = to_us(datetime.now(UTC) - timedelta(hours=1))
    city.picture.move([fix("old-1", 113.15, 27.85, time=hour_ago)])
    with visit(chromium, city.site.url + "/maps/live", WIDE) as seen:
        expect(seen.page.locator(".gp-link")).to_have_attribute("data-state", "live")
        alpha = """([key, least, most]) => {
            const {layer} = geoPolicing.live, at = geoPolicing.live.where("unit", key);
            if (at === null) return false;
            const p = layer._map.containerPointToLayerPoint(at).subtract(layer._origin);
            const drawn = layer._ctx.getImageData(p.x * layer._scale, p.y * layer._scale, 1, 1).data[3];
            return drawn >= least && drawn <= most;
        }"""
        until(seen.page, alpha, ["taxi-1", 255, 255])
        until(seen.page, alpha, ["old-1", 50, 110])


@pytest.mark.browser
def test_thousands_of_units_are_drawn_within_a_frame_or_two(chromium):
    picture = Picture()
    picture.introduce([Device(f"d-{i}", DeviceKind.TAXI) for i in range(5000)], [])
    picture.move([fix(f"d-{i}", 113.10 + i % 71 * 8e-4, 27.80 + i % 97 * 6e-4) for i in range(5000)])
    site = Site({"/": render(live_map(bounds=BOX, tiles_url=None))}, snapshot=picture.snapshot)
    try:
        with visit(chromium, site.url + "/", WIDE) as seen:
            until(seen.page, "geoPolicing.live.picture.units.size === 5000")
            drawn = seen.page.evaluate(
                "() => { let n = 0; const ctx = geoPolicing.live.layer._ctx, real = ctx.drawImage.bind(ctx);"
                " ctx.drawImage = (...a) => { n++; real(...a); }; geoPolicing.live.layer._draw(); return n; }"
            )
            assert drawn == 5000
            assert seen.failed == []
    finally:
        site.stop()


def test_the_page_names_no_other_host():
    html = render(live_map(bounds=BOX, tiles_url="/tiles/city.pmtiles"))
    assert re.findall(r"https?://[^\s\"']+", html) == []


def test_a_page_of_its_own_is_possible_as_well():
    html = render(live_map(bounds=BOX, tiles_url=None), None)
    assert not re.search(r"<script[^>]*\ssrc=", html)


def test_a_url_with_a_script_in_it_stays_a_url():
    html = render(live_map(bounds=BOX, tiles_url=None, live_url="/x?</script><script>alert(1)</script>"))
    assert "<script>alert(1)" not in html


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(InvalidInput, match="Mars/Olympus"):
        live_map(bounds=BOX, tiles_url=None, time_zone="Mars/Olympus")
