"""Signing in with a real browser, and what a page of another site can make it do."""

import http.server
import re
import threading
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from geo_policing.model import to_us
from geo_policing.service.guard import COOKIE
from tests.browser import NARROW, WIDE, until, visit
from tests.ingest.lines import rmc
from tests.service.running import PASSWORD, furnish, running


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("data")) as service:
        furnish(service)
        yield service


@pytest.fixture
def page(chromium):
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def foreign(service):
    """A page of another site that signs whoever opens it in as somebody else."""
    form = f"""<!doctype html><form method="post" action="{service.base}/sign-in">
        <input name="name" value="a-analyst"><input name="password" value="{PASSWORD}"></form>
        <script>document.forms[0].submit()</script>"""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            if self.path == "/hides":
                self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(form.encode())

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(20)


def now_us():
    return to_us(datetime.now(UTC))


def signed_in(service, role):
    token = service.client(role).headers["authorization"].removeprefix("Bearer ")
    return {"cookies": [{"name": COOKIE, "value": token, "url": service.base}], "origins": []}


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_stranger_is_admitted_with_nothing_out_of_sight(service, chromium, size):
    name = f"stranger-of-{size['width']}"
    with (
        service.receiver() as line,
        visit(chromium, f"{service.base}/", size, storage_state=signed_in(service, "dispatcher")) as seen,
    ):
        line.sendall(rmc(now_us(), 113.13, 27.83, tag=f"s:{name}"))
        service.settle()
        page = seen.page
        page.goto(f"{service.base}/quarantine")
        (entry,) = page.locator("article", has_text=name).all()
        button = entry.get_by_role("button", name="准入 Admit")
        for part in (button, entry.get_by_label("Kind"), entry.locator("code"), page.get_by_text("Sign out")):
            expect(part).to_be_in_viewport(ratio=1)
        assert button.bounding_box()["height"] < 50, "its words stand on one line"
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        entry.get_by_label("Kind").select_option("taxi")
        # Without waiting for the page that follows, the next one could stop it on its way.
        with page.expect_navigation(wait_until="load"):
            button.click()
        expect(page.locator("article", has_text=name)).to_have_count(0)
        page.goto(service.base)
        expect(page.locator(".devices tr", has_text=name)).to_contain_text("taxi")
        assert (seen.strayed, seen.failed) == ([], [])


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_start_page_lists_the_police_first_and_finds_a_device(service, chromium, size):
    with visit(chromium, f"{service.base}/", size, storage_state=signed_in(service, "detective")) as seen:
        page = seen.page
        rows = page.locator(".devices tbody tr")
        kinds = page.locator(".devices tbody td:nth-child(3)").all_text_contents()
        assert kinds[:3] == ["patrol_car", "officer", "taxi"]
        for cell in rows.first.locator("td").all():
            cell.scroll_into_view_if_needed()
            expect(cell).to_be_in_viewport(ratio=1)
        page.get_by_label("查找设备 Find a device").fill("OFFICER")
        until(page, "document.getElementById('count').value === '1 / ' + " + str(len(kinds)))
        expect(page.locator(".devices tbody tr:visible")).to_have_text([re.compile("officer-3")])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert "admit" not in page.content().lower()
        assert (seen.strayed, seen.failed) == ([], [])


@pytest.mark.parametrize(
    ("role", "links"), [("detective", 1), ("analyst", 1), ("admin", 1), ("dispatcher", 0)]
)
def test_only_those_who_may_ask_for_tracks_are_led_to_them(service, chromium, role, links):
    with service.receiver() as line:
        line.sendall(rmc(now_us(), 113.13, 27.83, tag="s:patrol-07"))
        service.settle()
    with visit(chromium, f"{service.base}/maps/live", WIDE, storage_state=signed_in(service, role)) as seen:
        page = seen.page
        until(page, "geoPolicing.live.picture.units.has('patrol-07')")
        page.get_by_label("查找警力 Find a unit").fill("patrol-07")
        page.locator(".gp-found button").click()
        expect(page.locator(".gp-card")).to_contain_text("patrol-07")
        link = page.locator(".gp-card").get_by_role("link", name="近 30 分钟轨迹")
        expect(link).to_have_count(links)
        if links:
            link.click()
            expect(page.locator(".gp-track")).to_contain_text("patrol-07")
        page.get_by_role("link", name="首页 Start page").click()
        page.wait_for_url(f"{service.base}/")
        # The stream of the page that was left ends with it; that is no failure.
        assert seen.strayed == []


def test_a_person_signs_in_goes_where_they_wanted_to_and_signs_out(service, page):
    page.goto(f"{service.base}/quarantine")
    assert page.url == f"{service.base}/sign-in?next=%2Fquarantine"
    page.fill("#name", "a-dispatcher")
    page.fill("#password", "a wrong password")
    page.click("text=登录 Sign in")
    assert "the name or the password is wrong" in page.text_content("[role=alert]")
    assert page.input_value("#name") == "a-dispatcher"
    page.fill("#password", PASSWORD)
    page.click("button")
    assert page.url == f"{service.base}/quarantine"
    page.goto(service.base)
    page.click("text=Sign out")
    page.goto(f"{service.base}/quarantine")
    assert page.url.startswith(f"{service.base}/sign-in")


def test_the_documentation_of_the_interface_is_drawn_with_no_other_host_in_reach(service, chromium):
    cookie = {
        "name": COOKIE,
        "value": service.client("analyst").headers["authorization"].removeprefix("Bearer "),
        "url": service.base,
    }
    with visit(chromium, f"{service.base}/sign-in", WIDE) as seen:
        seen.page.context.add_cookies([cookie])
        seen.page.goto(f"{service.base}/api/docs")
        seen.page.wait_for_selector("[data-path='/api/tracks/{device}']")
        assert (seen.strayed, seen.failed) == ([], [])


@pytest.mark.parametrize("path", ["/", "/hides"])
def test_a_page_of_another_site_signs_nobody_in(service, page, foreign, path):
    with page.expect_navigation(url=f"{service.base}/sign-in"):
        page.goto(f"{foreign}{path}")
    assert "made by a page of another site" in page.text_content("[role=alert]")
    assert page.context.cookies() == []
