import numpy as np
import pytest

from geo_policing.errors import InvalidCoordinates
from geo_policing.geodesy import LocalPlane
from geo_policing.geodesy.crs import to_wgs84, transform
from geo_policing.geodesy.gcj02 import bd09_from_wgs84, gcj02_from_wgs84
from geo_policing.model import BoundingBox

ZHUZHOU = BoundingBox(112.9, 27.6, 113.4, 28.1)


@pytest.mark.parametrize("crs", ["EPSG:4547", "4547", 4547, "epsg:4547"])
def test_metres_of_the_local_system_become_degrees(crs):
    x, y = LocalPlane.gauss_kruger_114().forward(113.13, 27.83)
    lon, lat = to_wgs84(x, y, crs, expect=ZHUZHOU)
    assert (lon[0], lat[0]) == pytest.approx((113.13, 27.83), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "shifted"),
    [
        ("gcj02", gcj02_from_wgs84),
        ("GCJ-02", gcj02_from_wgs84),
        ("bd09", bd09_from_wgs84),
        ("BD-09", bd09_from_wgs84),
    ],
)
def test_shifted_datums_go_by_name(name, shifted):
    lon, lat = to_wgs84(*shifted(113.13, 27.83), name)
    assert (lon[0], lat[0]) == pytest.approx((113.13, 27.83), abs=1e-12)


def test_longitude_comes_first_whatever_the_authority_says():
    lon, lat = to_wgs84([113.13], [27.83], "EPSG:4490")
    assert (lon[0], lat[0]) == pytest.approx((113.13, 27.83), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "crs", "expect", "said"),
    [
        (113.1, 27.8, "EPSG:99999", None, "crs 'EPSG:99999' is unknown; give an EPSG code"),
        (113.1, 27.8, "EPSG:5773", None, "is neither of longitude and latitude"),
        (27.83, 113.13, "EPSG:4326", None, "the axes look swapped; exchange the columns"),
        (27.83, 113.13, "gcj02", None, "the axes look swapped"),
        (37.77, -88.4, "EPSG:4326", BoundingBox(-89, 37, -88, 38), "the axes look swapped"),
        (414000.0, 3079000.0, "EPSG:4326", None, "off the earth; if these are metres name their system"),
        (113.13, 27.83, "EPSG:4547", None, "looks like degrees, the system is in metres"),
        (0.0, 0.0, "EPSG:4326", None, "'no position'"),
        (float("nan"), 27.8, "EPSG:4326", None, "not a pair of finite numbers"),
        (-122.4, 37.7, "EPSG:4326", ZHUZHOU, "outside 112.9,27.6,113.4,28.1 where it is expected"),
        (358789.3, 565596.3, "EPSG:4547", None, "that the system is for; correct it or the crs"),
        (-122.4, 37.7, "gcj02", None, "that the system is for"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(x, y, crs, expect, said):
    with pytest.raises(InvalidCoordinates, match=said) as caught:
        to_wgs84(x, y, crs, expect=expect)
    assert caught.value.field in {"crs", "x,y"}
    assert caught.value.value is not None


def test_one_point_astray_is_named_by_its_place():
    with pytest.raises(InvalidCoordinates, match="point 1: x 0, y 0"):
        to_wgs84([113.1, 0.0], [27.8, 0.0], 4326)


def test_transform_alone_leaves_nan_where_there_is_no_place():
    lon, lat = transform([113.1, 1e12], [27.8, 1e12], 4326)
    assert np.isnan(lon).tolist() == np.isnan(lat).tolist() == [False, True]
