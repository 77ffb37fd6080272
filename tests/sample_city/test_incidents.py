"""Calls to 110 come by place and by hour, and stand as far as calls of their age stand."""

import geopandas as gpd
import numpy as np
import pytest
from geo_policing_sample_city.incidents import A_DAY, CHINA, DAYS, KINDS
from geo_policing_sample_city.simulate import START
from scipy.spatial import KDTree

from geo_policing.model import IncidentState

PLANE = 4547


@pytest.fixture(scope="module")
def calls(life):
    return life.incidents


@pytest.fixture(scope="module")
def xy(city, calls):
    return np.column_stack(city.network.plane.forward([c.lon for c in calls], [c.lat for c in calls]))


def of(calls, kind):
    return np.array([call.kind == kind for call in calls])


def hours(calls, kind):
    return np.array([c.occurred.astimezone(CHINA).hour for c in calls if c.kind == kind])


def test_two_weeks_of_calls_of_every_kind_come_before_the_begin_in_order(calls):
    assert 0.9 < len(calls) / (DAYS * A_DAY) < 1.1
    for kind, meant in KINDS.items():
        assert of(calls, kind).mean() == pytest.approx(meant.share, abs=0.03), kind
    times = [call.occurred for call in calls]
    assert times == sorted(times)
    assert times[-1] <= START
    assert (START - times[0]).days >= DAYS - 1
    assert len({call.id for call in calls}) == len(calls)


def test_calls_say_what_where_and_how_grave(city, calls):
    districts = tuple(city.districts["name"])
    for call in calls:
        assert call.address.startswith(districts)
        assert "号" in call.address
        assert any(call.summary[:4] == text[:4] for text in KINDS[call.kind].summaries)
        assert "{" not in call.summary
        assert KINDS[call.kind].severity[int(call.severity) - 1] > 0.0


def test_calls_come_from_within_the_city(city, calls):
    area = city.urban_area.to_crs(PLANE).buffer(200).iloc[0]
    places = gpd.GeoSeries(gpd.points_from_xy([c.lon for c in calls], [c.lat for c in calls]), crs=4326)
    assert places.to_crs(PLANE).within(area).all()


def test_accidents_cluster_in_the_rush_and_at_junctions_with_lights(world, calls, xy):
    at = hours(calls, "traffic_accident")
    rush = np.isin(at, [7, 8, 9, 17, 18, 19]).mean()
    assert rush > 0.5
    ways = world.ways
    lit = np.unique(ways.end[ways.cycle_s > 0])
    away, _ = KDTree(np.column_stack([ways.network.node_x[lit], ways.network.node_y[lit]])).query(
        xy[of(calls, "traffic_accident")]
    )
    assert (away < 50.0).mean() > 0.65


def test_fights_and_drunks_are_of_the_night_and_of_the_same_streets(calls, xy):
    for kind in ("fight", "drunk"):
        at = hours(calls, kind)
        assert np.isin(at, [20, 21, 22, 23, 0, 1, 2, 3]).mean() > 0.6, kind
    night = xy[of(calls, "fight") | of(calls, "drunk")]
    neighbours = KDTree(night).query_ball_point(night, 400.0, return_length=True)
    assert (neighbours > 3).mean() > 0.5


def test_fraud_is_reported_by_day_and_noise_at_night(calls):
    assert np.isin(hours(calls, "fraud"), range(8, 20)).mean() > 0.7
    assert np.isin(hours(calls, "noise"), [20, 21, 22, 23, 0, 1]).mean() > 0.6


def test_trouble_at_schools_is_at_schools_when_school_is_out(city, calls, xy):
    schools = city.places[city.places["kind"] == "school"].to_crs(PLANE).geometry
    away, _ = KDTree(np.column_stack([schools.x, schools.y])).query(xy[of(calls, "school_order")])
    assert away.max() < 300.0
    assert np.isin(hours(calls, "school_order"), [11, 12, 13, 16, 17]).mean() > 0.5


def test_burglaries_are_where_people_live(city, calls, xy):
    homes = city.buildings[city.buildings["use"] == "residential"].to_crs(PLANE).geometry.centroid
    away, _ = KDTree(np.column_stack([homes.x, homes.y])).query(xy[of(calls, "burglary")])
    assert (away < 150.0).mean() > 0.9


def test_old_calls_are_over_and_the_newest_wait(calls):
    over = {
        IncidentState.CLOSED,
        IncidentState.CANCELLED,
        IncidentState.TRANSFERRED,
        IncidentState.MERGED,
    }
    for call in calls:
        age_min = (START - call.occurred).total_seconds() / 60
        if age_min > 160.0:
            assert call.state in over
        if age_min < 2.0:
            assert call.state == IncidentState.REPORTED
    now = [call for call in calls if call.state not in over]
    assert 3 <= len(now) <= 25
