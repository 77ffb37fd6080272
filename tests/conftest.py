"""What all tests share."""

import fcntl
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from geo_policing_sample_city.city import City
    from playwright.sync_api import Browser

# The machines that run this are noisy: a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Any]], Any]:
    """Make what is dear once a run, in the process that wants it first; the others read it from a file."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has a folder of its own in that of the run

    def made(name: str, make: Callable[[], Any]) -> Any:
        path = folder / f"{name}.pickle"
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.write_bytes(pickle.dumps(make()))
        return pickle.loads(path.read_bytes())

    return made


@pytest.fixture(scope="session")
def sample_city(made_once: Callable[[str, Callable[[], Any]], Any]) -> "City":
    """The sample city of seed 7."""
    from geo_policing_sample_city.city import build_city

    return made_once("city-7", lambda: build_city(7))


@pytest.fixture
def geo_policing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[Any, str, str]]:
    """Run a command in this process, for a new one takes seconds; return exit code, output and errors."""
    from geo_policing.cli import main

    def command(*arguments: object) -> tuple[Any, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["geo-policing", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return command


# Playwright holds an event loop open while it runs, so it ends with each module: the tests that come after
# it have loops of their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """Debian's chromium; the tests that want it are skipped where it is not installed."""
    from playwright.sync_api import expect, sync_playwright

    from tests.browser import FLAGS

    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is absent; on Debian: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        # A page is given as long as a busy machine takes; what never comes fails all the same.
        expect.set_options(timeout=30_000)
        yield browser
        browser.close()
