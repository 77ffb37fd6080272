"""One theft: six cameras saw the suspect's vehicle, and what they saw agrees with where it truly drove."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from geo_policing_sample_city.incidents import Addresses
from geo_policing_sample_city.simulate import START
from geo_policing_sample_city.theft import CAMERAS_SEEN, WATCHED, WITHIN_S, make_theft

from geo_policing.errors import InvalidInput


@pytest.fixture(scope="module")
def theft(life):
    return life.theft


def seconds(text):
    return (datetime.fromisoformat(text) - START).total_seconds()


def test_six_cameras_saw_it_in_order_within_the_hour(city, theft):
    seen = theft.case["sightings"]
    cameras = city.cameras.set_index("id")
    assert len({one["camera"] for one in seen}) == len(seen) == CAMERAS_SEEN == 6
    times = [seconds(one["time"]) for one in seen]
    assert times == sorted(times)
    assert 0 < seconds(theft.case["time"]) < times[0]
    assert times[-1] <= seconds(theft.case["time"]) + WITHIN_S + 5.0
    for one in seen:
        camera = cameras.loc[one["camera"]]
        assert (one["edge_id"], one["camera_name"]) == (camera["edge_id"], camera["name"])
        assert (one["lon"], one["lat"]) == pytest.approx((camera.geometry.x, camera.geometry.y), abs=1e-6)
        assert 0.5 < one["confidence"] < 1.0


def test_each_sighting_falls_within_the_time_the_suspect_was_on_that_road(city, theft):
    ids = [city.network.edge_ids[e] for e in theft.edge.tolist()]
    leaves = np.append(theft.enter_s[1:], np.inf)
    for one in theft.case["sightings"]:
        at = seconds(one["time"])
        on_it = [i for i, edge_id in enumerate(ids) if edge_id == one["edge_id"]]
        assert any(theft.enter_s[i] - 5.0 <= at <= leaves[i] + 5.0 for i in on_it)


def test_cameras_that_saw_nothing_stand_near_the_way_but_not_on_it(city, theft):
    driven = {city.network.edge_ids[e] for e in theft.edge.tolist()}
    silent = theft.case["watched_without_sighting"]
    assert len(silent) == WATCHED
    times = [one["time"] for one in theft.case["sightings"]]
    for one in silent:
        assert one["edge_id"] not in driven
        assert seconds(one["from"]) <= seconds(times[0]) + 5.0
        assert seconds(one["to"]) >= seconds(times[-1]) - 5.0


def test_others_pass_the_same_cameras_at_the_time(city, life, theft):
    ids = city.network.edge_ids
    passed = 0
    for one in theft.case["sightings"]:
        at_ms = START.timestamp() * 1000 + seconds(one["time"]) * 1000
        passed += any(
            (np.abs(enter_ms[np.isin(edges, ids.index(one["edge_id"]))] - at_ms) < 900_000).any()
            for edges, enter_ms in zip(life.edges, life.enter_ms, strict=True)
        )
    assert passed >= 2


def test_the_case_tells_the_scene_and_the_vehicle_but_not_who(theft):
    case = theft.case
    assert case["kind"] == "theft"
    assert "号" in case["scene"]["address"]
    assert case["suspect_vehicle"]["description"] in case["witness"]
    assert "device" not in str(case)


def test_a_city_with_too_few_cameras_is_refused_by_name(city, world, monkeypatch):
    monkeypatch.setattr("geo_policing_sample_city.theft.MOST_FLIGHTS", 5)
    few = replace(city, cameras=city.cameras.head(3))
    with pytest.raises(InvalidInput, match="no way past 6 of 3 cameras"):
        make_theft(few, world, Addresses(city, world.ways), {}, START, 7)
