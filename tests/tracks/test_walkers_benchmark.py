"""People on foot in the sample city, who stay on its roads and who do not."""

import json

import numpy as np
import pytest

from benchmarks import walkers


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the command says of a few people with short cuts."""
    out = tmp_path_factory.mktemp("walkers") / "out.json"
    walks = walkers.invented(1, 2, straight=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walkers, "officers", lambda *_: [])
        patch.setattr(walkers, "invented", lambda *_, straight: [] if straight else walks)
        assert walkers.main(["--json", str(out), "--gap", "300"]) == 0
    (row,) = json.loads(out.read_text(encoding="ascii"))
    return row


def test_who_takes_short_cuts_is_found_on_the_ground_beside_the_roads(found):
    assert found["group"] == "short cuts"
    assert found["beside"] > 0.05
    alone, ground = found["roads_alone"], found["with_ground"]
    assert ground["log_score"] > alone["log_score"] + 0.1
    assert ground["coverage_90"] > max(alone["coverage_90"], 0.85)


def test_a_short_cut_is_straight_and_what_saves_too_little_is_walked():
    square = np.array([[0.0, 0.0], [200.0, 0.0], [200.0, 200.0]])
    cut = walkers._cut_short(square)
    steps = np.hypot(*np.diff(cut, axis=0).T)
    assert steps.sum() < 0.85 * 400.0
    assert steps.max() > 150.0
    line = np.array([[0.0, 0.0], [400.0, 20.0]])
    assert np.hypot(*np.diff(walkers._cut_short(line), axis=0).T).max() < 2 * walkers.SPACING_M


def test_who_goes_straight_is_beside_the_roads_more_than_an_officer():
    straight = walkers.invented(1, 2, straight=True)
    assert min(walkers.beside(walk) for walk in straight) > 0.0
    assert all(walkers.beside(walk) < 0.05 for walk in walkers.officers(1, 2))
