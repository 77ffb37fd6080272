"""Watches in vain on drives of the sample city, made by people whose tastes the reconstruction knows not."""

import json

import numpy as np
import pytest

from benchmarks import watches

#: What one car may lose, nats. A watch in vain only adds to the true way, but a cell is also held by other
#: ways: one past a camera the other way round loses the probability of the cell that it had by luck.
NOISE = 0.15


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the command says of ten minutes of each of four cars."""
    out = tmp_path_factory.mktemp("watches") / "out.json"
    cars = [car for seed in (1, 2) for car in watches.drives(seed, 4, 0.9, most_s=601)[:2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watches, "drives", lambda *_: cars)
        assert watches.main(["--json", str(out), "--gap", "300"]) == 0
    (row,) = json.loads(out.read_text(encoding="ascii"))
    return row


def test_cameras_that_did_not_see_cars_tell_where_they_were(found):
    assert found["cars"] == 4
    assert found["gain"] > 0.02
    assert found["gain"] == pytest.approx(
        found["with"]["log_score"] - found["without"]["log_score"], abs=2e-4
    )


def test_no_car_is_lost_by_what_cameras_did_not_see(found):
    assert found["worst"] > -NOISE


def test_no_sure_camera_that_a_car_came_by_is_given_as_a_watch_in_vain():
    city = watches.city_of()
    heading = dict(zip(city.cameras.id, np.radians(city.cameras.heading_deg), strict=True))
    for car in watches.drives(1, 8, 1.0):
        assert car.missed == 0
        x, y = city.network.plane.forward(car.lon, car.lat)
        course = np.arctan2(np.gradient(x), np.gradient(y))
        for watch in car.watches:
            (at_x,), (at_y,) = city.network.plane.forward(watch.lon, watch.lat)
            near = (np.hypot(x - at_x, y - at_y) < 12.0) & (np.hypot(np.gradient(x), np.gradient(y)) > 1.0)
            assert not (near & (np.cos(course - heading[watch.observer]) > 0.9)).any()


def test_a_blind_camera_is_a_watch_in_vain_of_all_cars_and_misses_those_that_come_by():
    cars = watches.drives(1, 8, 0.0)
    assert {len(car.watches) for car in cars} == {len(watches.city_of().cameras)}
    assert sum(car.missed for car in cars) >= 4
