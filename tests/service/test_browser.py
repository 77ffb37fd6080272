"""Signing in with a real browser, and what a page of another site can make it do."""

import http.server
import threading

import pytest

from geo_policing.service.guard import COOKIE
from tests.browser import WIDE, visit
from tests.service.running import PASSWORD, running


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("data")) as service:
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
