import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.geodesy.gcj02 import (
    bd09_from_wgs84,
    gcj02_from_wgs84,
    wgs84_from_bd09,
    wgs84_from_gcj02,
)
from geo_policing.kernels import gcj02

# Published pairs of the formula: Shanghai, Shenzhen, Beijing.
PAIRS = [
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
]


@pytest.mark.parametrize(("wgs84", "expected"), PAIRS)
def test_gcj02_is_where_the_maps_draw_it(wgs84, expected):
    assert np.concatenate(gcj02_from_wgs84(*wgs84)) == pytest.approx(expected, abs=1e-9)


@given(st.floats(75.0, 135.0), st.floats(3.0, 54.0))
def test_both_datums_give_back_every_point_to_a_micrometre(lon, lat):
    for there, back in ((gcj02_from_wgs84, wgs84_from_gcj02), (bd09_from_wgs84, wgs84_from_bd09)):
        assert np.concatenate(back(*there(lon, lat))) == pytest.approx([lon, lat], abs=1e-11)


def test_the_city_is_hundreds_of_metres_off_in_either():
    for convert in (gcj02_from_wgs84, bd09_from_wgs84):
        lon, lat = convert(113.13, 27.83)
        metres = np.hypot((lon - 113.13) * 98_500, (lat - 27.83) * 110_800)
        assert 300 < metres[0] < 1500


def test_nothing_is_moved_abroad():
    assert np.concatenate(gcj02_from_wgs84(2.35, 48.85)).tolist() == [2.35, 48.85]
    assert np.concatenate(wgs84_from_gcj02(2.35, 48.85)).tolist() == [2.35, 48.85]


def test_the_kernel_is_its_own_python_text_run_slowly():
    lon, lat = np.array([113.13, 2.35]), np.array([27.83, 48.85])
    slow = np.array(gcj02.from_wgs84.py_func(lon, lat))
    assert slow == pytest.approx(np.array(gcj02.from_wgs84(lon, lat)), abs=1e-13)
    assert lon.tolist() == [113.13, 2.35]


@pytest.mark.parametrize(
    ("there", "back"), [(gcj02_from_wgs84, wgs84_from_gcj02), (bd09_from_wgs84, wgs84_from_bd09)]
)
def test_neither_datum_moves_a_point_outside_the_box_and_the_edge_comes_back(there, back):
    for way in (there, back):
        assert np.concatenate(way(-0.1, 51.5)).tolist() == [-0.1, 51.5]
    lon = np.array([72.0041, 137.8346, 100.0, 100.0])
    lat = np.array([30.0, 30.0, 0.8294, 55.827])
    np.testing.assert_allclose(back(*there(lon, lat)), (lon, lat), rtol=0, atol=1e-12)
