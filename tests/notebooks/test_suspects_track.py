import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from geo_policing.maps import remote_loads
from tests.notebooks.test_first_look import maps, printed

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "a-suspects-track.ipynb"


@pytest.fixture(scope="module")
def executed():
    """The notebook with the outputs of all its cells; a cell that fails raises."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    return notebook


def test_it_is_committed_without_outputs():
    code = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_it_finds_most_of_the_way_and_warns_of_nothing(executed):
    said = printed(executed)
    assert said["stderr"] == ""
    found, true = (
        int(n)
        for n in re.search(r"(\d+)% of the true way was found; (\d+)% of the found", said["stdout"]).groups()
    )
    assert found >= 70
    assert true >= 75


def test_the_true_places_were_thought_far_more_probable_than_by_chance(executed):
    """Over the 600 or so cells of the roads chance would give -9 bits."""
    said = printed(executed)["stdout"]
    assert float(re.search(r"log score: (-[\d.]+) bits\n", said)[1]) > -4.5


def test_it_says_what_one_more_camera_told(executed):
    said = printed(executed)["stdout"]
    expected = re.search(r"camera C\d+ saw (?:nothing|the car); expected to tell ([\d.]+) bits", said)
    assert 0 < float(expected[1]) <= 1
    before, after = re.search(r"log score: (-[\d.]+) bits before, (-[\d.]+) after", said).groups()
    assert float(after) > float(before) - 0.1


def test_its_map_loads_nothing_from_elsewhere(executed):
    (page,) = maps(executed)
    assert "geoPolicing.reconstructionMap(" in page
    assert remote_loads(page) == []
