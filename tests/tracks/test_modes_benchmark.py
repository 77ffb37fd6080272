"""Who drives is told from who walks, on ways of the sample city made by people with tastes of their own."""

import json

import pytest

from benchmarks import modes


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the command says of two cars and two officers, by three sightings of each."""
    out = tmp_path_factory.mktemp("modes") / "out.json"
    groups = {"drives": modes.drives(1, 4, 1.0)[:2], "officers": modes.officers(1, 2)}
    with pytest.MonkeyPatch.context() as patch:
        for name, people in groups.items():
            patch.setattr(modes, name, lambda *_, people=people: people)
        assert modes.main(["--json", str(out), "--gap", "120", "--sightings", "3"]) == 0
    return {row["group"]: row for row in json.loads(out.read_text(encoding="ascii"))}


def test_who_drives_and_who_walks_are_told_apart_better_than_by_nothing(found):
    for group in ("car", "foot"):
        assert found[group]["people"] == 2
        assert found[group]["true"] == found[group]["mean"][group]
        assert sum(found[group]["mean"].values()) == pytest.approx(1.0, abs=1e-3)
        assert found[group]["nats"] > -1.0986


def test_a_gap_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit):
        modes.main(["--gap", "often"])
    assert "write whole seconds separated by commas" in capsys.readouterr().err
