"""The benchmark of learned speeds, on half an hour of the small sample city."""

import csv
import json

import numpy as np
import pytest

from benchmarks import learned_speeds, watches
from geo_policing.tracks import MovementModel

SMALL = watches.SMALL.parent


@pytest.fixture(scope="module")
def cars():
    with (SMALL / "devices.csv").open(encoding="utf-8", newline="") as table:
        return sorted(row["id"] for row in csv.DictReader(table) if row["kind"] in set(watches.CARS))


@pytest.fixture(scope="module")
def fixes(cars):
    return learned_speeds.heard(SMALL / "fleet.nmea", cars[::2])


def test_only_the_devices_that_are_asked_for_are_read_in_order_of_time(fixes, cars):
    assert set(fixes) <= set(cars[::2])
    assert fixes
    for t, lon, lat in fixes.values():
        assert len(t) == len(lon) == len(lat) > 10
        assert (np.diff(t) > 0).all()


def test_a_drive_is_the_longest_stretch_in_which_the_receiver_spoke():
    t = np.concatenate([np.arange(0, 700.0), np.arange(1000, 1900.0)])
    found = learned_speeds.drive_of(watches.SMALL, (t, 113.0 + t / 1e5, 27.8 + t / 1e5))
    assert found.start.timestamp() == 1000.0
    assert len(found.lon) == 899
    assert found.lon[10] == pytest.approx(113.0 + 1010 / 1e5)
    assert learned_speeds.drive_of(watches.SMALL, (t[:500], t[:500], t[:500])) is None


def test_a_drive_is_cut_after_twenty_minutes():
    t = np.arange(0, 3000.0)
    assert len(learned_speeds.drive_of(watches.SMALL, (t, t, t)).lon) == watches.MOST_S


def test_the_score_is_of_both_models_on_the_same_cars(fixes):
    """A model with speeds of its own tells otherwise; the package's own gains nothing over itself."""
    drives = [learned_speeds.drive_of(watches.SMALL, one) for one in fixes.values()]
    drive = next(drive for drive in drives if drive is not None)
    itself = learned_speeds.measure([drive], 300, MovementModel.of())
    assert itself["gain"] == 0.0
    matcher = learned_speeds.Matcher(watches.city_of().network, access=learned_speeds.Access.CAR)
    speeds = learned_speeds.learned(matcher, fixes.values())
    found = learned_speeds.measure([drive], 300, MovementModel.of("car", speeds))
    assert found["gain"] == pytest.approx(
        found["with"]["log_score"] - found["without"]["log_score"], abs=2e-4
    )
    assert found["gain"] != 0.0


def test_a_folder_that_is_no_city_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        learned_speeds.main(["--city", str(tmp_path)])
    assert "make it with geo-policing sample-city" in capsys.readouterr().err


def test_every_other_car_is_history_and_the_command_says_of_how_many(tmp_path, monkeypatch, cars):
    """With the scores left out, which the test above makes."""
    for name, source in (("city.gpkg", "old-centre.gpkg"), ("devices.csv",) * 2, ("fleet.nmea",) * 2):
        (tmp_path / name).symlink_to(SMALL / source)
    asked = []
    monkeypatch.setattr(
        learned_speeds, "measure", lambda drives, gap, model: asked.append((drives, model)) or {"gap": gap}
    )
    monkeypatch.setattr(learned_speeds, "score", lambda *_, **__: {})
    out = tmp_path / "out.json"
    assert learned_speeds.main(["--city", str(tmp_path), "--gap", "300", "--json", str(out)]) == 0
    result = json.loads(out.read_text("ascii"))
    assert 0 < result["history"]["cars"] <= len(cars[::2])
    assert result["gaps"] == [{"gap": 300}]
    ((drives, model),) = asked
    assert 0 < len(drives) <= len(cars[1::2])
    assert model.speeds is not None
