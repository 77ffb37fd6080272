"""The benchmark of how long a reconstruction takes, on a city of a few streets."""

import json

import pytest

from benchmarks import reconstruction_speed
from benchmarks.matching_scale import city


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A city with a theft seen three times, and places near enough for it."""
    network = city(400)
    network.save(tmp_path / "city.roads")
    seen = []
    for k, edge in enumerate((10, 60, 100)):
        (lon, lat) = network.lonlat(edge)[0]
        time = f"2026-03-02T07:{2 * k:02}:00+08:00"
        named = {"edge_id": network.edge_ids[edge], "lon": float(lon), "lat": float(lat)}
        seen.append(named | {"time": time, "confidence": 0.8})
    (tmp_path / "theft.json").write_text(json.dumps({"sightings": seen}), encoding="ascii")
    monkeypatch.setattr(reconstruction_speed, "alone", lambda work, *given: work(*given))
    monkeypatch.setattr(reconstruction_speed, "THREE_HOURS_S", 1200.0)
    monkeypatch.setattr(reconstruction_speed, "PLACES_M", ((-200, 0), (0, 0), (200, 0)))
    return tmp_path


def test_it_says_time_memory_and_spread_of_each_case(folder, capsys):
    out = folder / "out.json"
    given = ["--city", str(folder), "--edges", "300,600", "--minutes", "4", "--json", str(out)]
    assert reconstruction_speed.main(given) == 0
    found = json.loads(out.read_text(encoding="ascii"))
    assert found == json.loads(capsys.readouterr().out)
    assert [(row["minutes"], row["sure"]) for row in found["theft"]] == [(4, 3), (4, 0), (20, 3), (20, 0)]
    assert [row["minutes"] for row in found["growth"]] == [4, 4]
    assert found["growth"][0]["edges"] < found["growth"][1]["edges"]
    for row in found["theft"] + found["growth"]:
        assert row["most_memory_mb"] >= row["before_mb"] > 0
        assert row["states"] > row["minutes"] * 60.0 / row["step_s"]
        assert 10 < row["bins"] < row["states"]


def test_it_says_the_median_of_its_samples(folder, monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(reconstruction_speed.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(reconstruction_speed, "_compile", lambda *_: None)
    case = json.loads((folder / "theft.json").read_text(encoding="ascii"))
    row = reconstruction_speed.measure(folder / "city.roads", reconstruction_speed.theft(case), 1, 3)
    assert row["cpu_seconds"] == 3.0


def test_a_stretched_theft_keeps_its_order_and_places(folder):
    case = json.loads((folder / "theft.json").read_text(encoding="ascii"))
    short, long = (reconstruction_speed.theft(case, span_s) for span_s in (None, 10800.0))
    assert (long[-1].time - long[0].time).total_seconds() == 10800.0
    assert [one.edge for one in long] == [one.edge for one in short]
    assert [one.probability for one in long] == [0.8] * 3
