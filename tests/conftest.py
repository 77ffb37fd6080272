"""What all tests share."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The machines that run this are noisy: a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


# Playwright holds an event loop open while it runs, so it ends with each module: the tests that come after
# it have loops of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """Debian's chromium; the tests that want it are skipped where it is not installed."""
    from playwright.sync_api import sync_playwright

    from tests.browser import FLAGS

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is absent; on Debian: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
