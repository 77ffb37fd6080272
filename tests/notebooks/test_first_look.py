import html
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from geo_policing.maps import remote_loads

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "first-look.ipynb"


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with the outputs of all its cells; a cell that fails raises."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("city")))
        where = {"metadata": {"path": str(NOTEBOOK.parent)}}
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    return notebook


def outputs(notebook, kind):
    """What cells show in one form, like ``text/html``."""
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["data"][kind] for output in shown if kind in output.get("data", {})]


def printed(notebook):
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return {
        name: "".join(o["text"] for o in shown if o["output_type"] == "stream" and o["name"] == name)
        for name in ("stdout", "stderr")
    }


def maps(notebook):
    """Pages in the frames that folium shows its maps in."""
    frames = (re.search(r'<iframe srcdoc="([^"]*)"', shown) for shown in outputs(notebook, "text/html"))
    return [html.unescape(frame[1]) for frame in frames if frame]


def test_the_notebook_is_committed_without_outputs(committed):
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert NOTEBOOK.stat().st_size < 50_000


def test_the_notebook_uses_the_library_and_never_the_service(committed):
    imports = {
        line.split()[1]
        for cell in committed.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if re.match(r"\s*(import|from) geo_policing", line)
    }
    rooms = {name.split(".")[1] if "." in name else name for name in imports}
    assert rooms <= {"ingest", "matching", "maps", "model", "roads", "geo_policing_tiles"}
    assert {"ingest", "matching", "maps"} <= rooms


def test_every_cell_runs_and_nothing_is_warned_of(executed):
    assert printed(executed)["stderr"] == ""


def test_the_tables_have_what_the_receivers_and_the_callers_said(executed):
    said = printed(executed)["stdout"]
    sentences, fixes = (
        int(n.replace(",", "")) for n in re.search(r"([\d,]+) sentences became ([\d,]+) fixes", said).groups()
    )
    assert sentences > fixes > 1000
    assert int(re.search(r"(\d+) incidents, 0 rows refused", said)[1]) > 100


def test_the_path_of_the_car_is_the_one_that_it_drove(executed):
    found, wrong = (
        float(n)
        for n in re.search(
            r"([\d.]+)% of the roads .* found; ([\d.]+)% as much was added wrongly",
            printed(executed)["stdout"],
        ).groups()
    )
    assert found > 95
    assert wrong < 5


def test_its_maps_are_there_and_load_nothing_from_elsewhere(executed):
    pages = maps(executed)
    assert len(pages) == 4
    for page in pages:
        assert "L.map(" in page
        assert 'data-asset="leaflet/leaflet.js"' in page
        assert remote_loads(page) == []
    for page, ours in zip(pages, ("pointMap", "pointMap", "trackMap", "trackMap"), strict=True):
        assert f"geoPolicing.{ours}(" in page
        assert re.search(r'"1[0-9]/\d+/\d+": ?"H4sI', page), "no tile is written into the page"
    assert ["circleMarker(" in page for page in pages] == [False, False, False, True]
