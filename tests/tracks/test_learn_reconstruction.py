"""What the movement model learns of drives whose route is known."""

import json
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime

from benchmarks import learn_reconstruction as learning
from benchmarks.learn_reconstruction import Choices
from geo_policing.tracks.turns import FEATURES
from tests.matching.test_benchmark import write_track

#: Along the southern road, north, and on; 20 m each 2 s.
ROUTES = [
    ["0>1", "1>2", "2>3", "3>4", "4>5", "5>11"],
    ["6>7", "7>8", "8>9", "9>10", "10>16", "16>22"],
    ["30>24", "24>18", "18>12", "12>13", "13>14", "14>15"],
]
PACKAGE = json.loads((resources.files("geo_policing.tracks") / "learned.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drives")
    for number, route in enumerate(ROUTES):
        write_track(folder / "tracks" / f"{number:03}", route, route)
    return folder


@pytest.fixture(scope="module")
def found(data):
    out = data / "learned.json"
    assert learning.main(["--data", str(data), "--half", "all", "--out", str(out)]) == 0
    return json.loads(out.read_text("ascii"))


def test_the_speed_that_was_driven_is_the_common_one_and_lasts(found):
    """10 m/s is in the class from 7.57 to 11.275 m/s."""
    assert found["speed_mps"][4] == pytest.approx(10.0, abs=0.3)
    assert int(np.argmax(found["start"])) == 4
    assert np.array(found["chain"])[:, 4, 4].min() > 0.8


def test_the_shape_is_that_of_the_package_and_rows_sum_to_one(found):
    assert {name: np.shape(value) for name, value in found.items()} == {
        name: np.shape(value) for name, value in PACKAGE.items()
    }
    assert np.array(found["chain"]).sum(axis=2) == pytest.approx(1.0, abs=1e-4)
    assert sum(found["start"]) == pytest.approx(1.0, abs=1e-4)


def test_who_drives_on_straight_is_told_by_the_turns(found):
    """11 of 15 turns were straight; the rest of the way alone leaves right and left alike."""
    assert np.array(found["turn"])[1, FEATURES.index("straightest")] > 0.1


def test_what_is_set_is_that_of_the_package(found):
    for name in ("step_s", "bin_m", "penalty_per_m", "penalty_share", "right_angle_m", "band_mps", "type_m"):
        assert found[name] == PACKAGE[name]


def test_every_other_drive_is_learned_from_and_the_same_drives_give_the_same_bytes(data, tmp_path):
    """Drives 0 and 2; without 1 there are the same two."""
    for name in ("a", "b"):
        learning.main(["--data", str(data), "--out", str(tmp_path / name)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    for number in (0, 2):
        write_track(tmp_path / "two" / f"{number:03}", ROUTES[number], ROUTES[number])
    learning.main(["--data", str(tmp_path / "two"), "--half", "all", "--out", str(tmp_path / "c")])
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()


def test_who_stands_is_in_the_first_class(data, tmp_path):
    write_track(tmp_path / "000", ROUTES[0], ROUTES[0])
    fixes = pd.read_csv(tmp_path / "000" / "fixes.csv.gz")
    stood = fixes.iloc[[10] * 200].assign(t=np.arange(200) * 2.0 + float(fixes["t"].iloc[10]))
    later = fixes.iloc[11:].assign(t=lambda rows: rows["t"] + 400.0)
    pd.concat([fixes.iloc[:10], stood, later]).to_csv(tmp_path / "000" / "fixes.csv.gz", index=False)
    learning.main(["--data", str(tmp_path), "--out", str(tmp_path / "out.json")])
    start = json.loads((tmp_path / "out.json").read_text())["start"]
    assert start[0] > 0.6


def test_over_a_longer_span_speeds_change_less(data, tmp_path):
    """Fixes by turns half a second early and late: by turns fast and slow over 2 s, even over 8 s."""
    write_track(tmp_path / "000", ROUTES[0], ROUTES[0])
    fixes = pd.read_csv(tmp_path / "000" / "fixes.csv.gz")
    fixes["t"] += np.where(np.arange(len(fixes)) % 2, 0.5, -0.5)
    fixes.to_csv(tmp_path / "000" / "fixes.csv.gz", index=False)
    stays = []
    for span in ("2", "8"):
        learning.main(["--data", str(tmp_path), "--span", span, "--out", str(tmp_path / "out.json")])
        found = json.loads((tmp_path / "out.json").read_text())
        stays.append(np.array(found["chain"])[:, 4, 4].min())
    assert stays[1] > stays[0] + 0.1


def test_the_differences_to_the_package_are_printed(data, capsys):
    assert learning.main(["--data", str(data), "--compare", "--likelihood"]) == 0
    text = capsys.readouterr().out
    told, lost = json.loads(text[: text.index("\n[")]), json.loads(text[text.index("\n[") :])
    assert set(told) == {"speed_mps", "start", "chain", "turn"}
    assert told["turn"]["largest"] > 0.0
    assert lost[0]["felt"]["right_angle_m"] == PACKAGE["right_angle_m"]
    assert all(row["lost"]["learned"] > 0.0 for row in lost)


def test_a_folder_without_drives_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        learning.main(["--data", str(tmp_path)])
    assert "has a truth.txt" in capsys.readouterr().err


def random_choices(seed, n=40):
    draw = np.random.default_rng(seed)
    offset = np.concatenate([[0], np.cumsum(draw.integers(2, 5, n))])
    features = draw.normal(size=(offset[-1], 3))
    longer_m = draw.choice([0.0, 100.0, 700.0, np.inf], offset[-1])
    taken = offset[:-1] + draw.integers(0, np.diff(offset))
    longer_m[taken] = 0.0
    return Choices(offset, features, longer_m, taken, draw.integers(0, 2, n), draw.uniform(0.2, 1.0, n))


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_equals_that_of_plain_loops(seed):
    some = random_choices(seed)
    turn = np.random.default_rng(seed).normal(size=(2, 3))
    total = 0.0
    for i, (first, last) in enumerate(zip(some.offset[:-1], some.offset[1:], strict=True)):
        weight = [
            np.exp(some.features[r] @ turn[some.band[i]] - 0.003 * some.longer_m[r])
            for r in range(first, last)
        ]
        total -= some.weight[i] * np.log(weight[some.taken[i] - first] / sum(weight))
    assert some.loss(turn) == pytest.approx(total / some.weight.sum())


def test_no_step_from_the_fitted_turns_loses_less():
    """At the least of loss and ridge nothing changes for the better in any direction."""
    some = random_choices(0, n=200)
    found = some.fitted(2)

    def lost(flat):
        turn = flat.reshape(2, 3)
        return some.loss(turn) * some.weight.sum() + learning.RIDGE / 2.0 * (turn**2).sum()

    assert approx_fprime(found.ravel(), lost, 1e-6) == pytest.approx(0.0, abs=5e-3)


def test_choices_of_several_drives_lose_what_they_lose_apart():
    parts = [random_choices(seed) for seed in (1, 2, 3)]
    turn = np.random.default_rng(9).normal(size=(2, 3))
    apart = sum(part.loss(turn) * part.weight.sum() for part in parts)
    whole = Choices.joined(parts)
    assert whole.loss(turn) * whole.weight.sum() == pytest.approx(apart)


def test_a_fast_class_that_was_hardly_driven_lasts_as_it_is_known_to():
    follows = np.zeros((2, 10, 10))
    follows[0, 9, 0] = 1.0
    chain = learning.chain_of(follows)
    assert chain[:, 9, 9].min() > 0.85
    assert chain.sum(axis=2) == pytest.approx(1.0)
