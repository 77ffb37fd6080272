import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import matching, matching_scale
from benchmarks._calibration import cells
from tests.matching.city import drive, grid
from tests.shared_data import shared

ROUTE = ["0>1", "1>2", "2>8", "8>14"]


def write_track(folder, route, truth):
    """Lay out a drive along a route of the grid as a track; every street is two arcs, 2 e and 2 e + 1."""
    network = grid()
    folder.mkdir(parents=True)
    lon, lat = network.plane.inverse(network.node_x, network.node_y)
    pd.DataFrame({"node": range(len(lon)), "lon": lon, "lat": lat}).to_csv(
        folder / "nodes.csv.gz", index=False
    )
    m = network.n_edges
    lines = [network.lonlat(e) for e in range(m)]
    wkt = [
        f"LINESTRING ({a[0]} {a[1]}, {(a[0] + b[0]) / 2} {(a[1] + b[1]) / 2}, {b[0]} {b[1]})"
        for a, b in lines
    ]
    edges = {"edge": range(m), "from_node": network.from_node, "to_node": network.to_node}
    edges |= {"length_m": network.length_m, "arcs": [f"{2 * e} {2 * e + 1}" for e in range(m)], "wkt": wkt}
    pd.DataFrame(edges).to_csv(folder / "edges.csv.gz", index=False)
    arcs = {"arc": range(2 * m), "length_m": np.repeat(network.length_m / 2, 2)}
    pd.DataFrame(arcs).to_csv(folder / "arcs.csv.gz", index=False)
    lon, lat = drive(network, route, spacing_m=20.0)
    fixes = {"t": np.arange(len(lon)) * 2.0, "lon": lon, "lat": lat}
    pd.DataFrame(fixes).to_csv(folder / "fixes.csv.gz", index=False)
    driven = [
        arc
        for name in truth
        for arc in (2 * network.edge_ids.index(name), 2 * network.edge_ids.index(name) + 1)
    ]
    (folder / "truth.txt").write_text(" ".join(map(str, driven)))


def run(data, out, *more):
    assert matching.main(["--data", str(data), "--json", str(out), *more]) == 0
    return json.loads(out.read_text())


def test_a_drive_matched_as_it_was_driven_has_no_mismatch(tmp_path):
    write_track(tmp_path / "tracks" / "001", ROUTE, ROUTE)
    found = run(tmp_path, tmp_path / "out.json", "--sampling", "2,20")
    assert [row["sampling"] for row in found] == [2.0, 20.0]
    assert [(row["RMF"], row["F1"], row["empty"]) for row in found] == [(0.0, 1.0, 0)] * 2
    assert found[0]["fixes"] == pd.read_csv(tmp_path / "tracks" / "001" / "fixes.csv.gz").shape[0]
    assert found[1]["fixes"] < found[0]["fixes"] / 8
    assert all(row["fixes_per_second"] > 0 for row in found)


def test_what_was_driven_but_not_matched_is_missed_and_what_was_not_is_added(tmp_path):
    # It drove 0>1, 1>2, 2>3; the fixes say 2>8 and 8>14 instead.
    write_track(tmp_path / "001", ROUTE, ["0>1", "1>2", "2>3"])
    (row,) = run(tmp_path, tmp_path / "out.json", "--sampling", "2")
    network = grid()
    length = dict(zip(network.edge_ids, network.length_m.tolist(), strict=True))
    wrong = length["2>8"] + length["8>14"] + length["2>3"]
    assert row["RMF"] == pytest.approx(wrong / (length["0>1"] + length["1>2"] + length["2>3"]), abs=1e-4)
    assert row["F1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1), abs=1e-4)


def test_it_starts_and_ends_within_edges(tmp_path):
    # From 130 m on, past the middle of the first street, to 53 m on the second, before its middle.
    write_track(tmp_path / "001", ["0>1", "1>7"], ["0>1", "1>7"])
    fixes = pd.read_csv(tmp_path / "001" / "fixes.csv.gz")
    fixes.iloc[6:13].to_csv(tmp_path / "001" / "fixes.csv.gz", index=False)
    run(tmp_path, tmp_path / "out.json", "--sampling", "2")
    network = grid()
    first, second = network.edge_ids.index("0>1"), network.edge_ids.index("1>7")
    predicted = pd.read_csv(tmp_path / "out-2s.csv")["arcs"].item()
    assert predicted == f"{2 * first + 1} {2 * second}"


def test_what_was_driven_is_right_and_what_was_not_is_not_whatever_confidence_it_was_given(tmp_path, capsys):
    # Of the route that the fixes say, the first two streets were driven.
    write_track(tmp_path / "001", ROUTE, ["0>1", "1>2"])
    write_track(tmp_path / "002", ROUTE, ROUTE)
    assert matching.main(["--data", str(tmp_path), "--calibration", "--sampling", "2"]) == 0
    observed, inferred = capsys.readouterr().out.split("\n\n")
    # What is inferred: all but the first fix of the first minute are cut out once.
    for table, kind, metres in ((observed, "2 s", 800.0), (inferred, "60 s", 600.0)):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        for first, share in ((2, 0.5), (6, 1.0)):
            rows = [row[first : first + 4] for row in lines[2:] if row[0] == kind and row[first]]
            driven = sum(float(right) * float(km) for _, right, _, km in rows)
            total = sum(float(km) for *_, km in rows)
            assert total == pytest.approx(metres / 1000.0, abs=0.11)
            assert driven / total == pytest.approx(share, abs=0.2)
            # Of one drive there is nothing else to draw.
            for _, right, between, _ in rows:
                assert [float(bound) for bound in between.split(" to ")] == pytest.approx(
                    [float(right)] * 2, abs=0.006
                )


def test_the_share_of_few_drives_is_less_certain_than_that_of_many():
    rng = np.random.default_rng(1)
    right = rng.random(40) < 0.9
    rows = np.column_stack([np.arange(40), np.full(40, 0.9), np.full(40, 100.0), 100.0 * right])
    many = cells(rows, np.arange(40))
    few = cells(rows[:8], np.arange(8))
    assert (many[0], many[3]) == ("0.900", "4.0")
    assert float(many[1]) == pytest.approx(right.mean(), abs=1e-3)
    width = [float(np.ptp([float(bound) for bound in one[2].split(" to ")])) for one in (few, many)]
    # Nine in ten of a normal distribution lie within 1.64 sigma.
    assert width[1] == pytest.approx(2 * 1.64 * (right.mean() * (1 - right.mean()) / 40) ** 0.5, abs=0.03)
    assert width[0] > width[1] > 0.0


def test_a_folder_without_tracks_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        matching.main(["--data", str(tmp_path)])
    assert "no folder in it has a truth.txt" in capsys.readouterr().err


def test_it_scores_real_drives_as_their_own_scorer_does(tmp_path):
    folder = shared("matching")
    only = "003,033,077"
    rows = run(folder, tmp_path / "out.json", "--sampling", "15,60", "--only", only)
    for row in rows:
        predicted = tmp_path / f"out-{row['sampling']:g}s.csv"
        command = [sys.executable, str(folder / "score.py"), str(predicted), "--only", only]
        said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert (row["RMF"], row["F1"], row["empty"]) == (said["RMF"], said["F1"], said["empty"])


def test_an_invented_city_has_the_size_asked_for_and_all_its_drives_are_matched(tmp_path):
    out = tmp_path / "scale.json"
    asked = ["--edges", "600", "--workers", "1", "--tracks", "12", "--json", str(out)]
    assert matching_scale.main(asked) == 0
    (row,) = json.loads(out.read_text())
    assert row["edges"] == pytest.approx(600, rel=0.15)
    assert row["with_workers"]["1"]["empty"] == 0
    # A way of 150 edges of about 150 m at 10 m/s, a fix every 15 s.
    assert row["fixes"] == pytest.approx(12 * 150, rel=0.15)
