import os
import subprocess
import sys

import h3
import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import LocalPlane, cells


def points(n, west, south, east, north, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(west, east, n), rng.uniform(south, north, n)


def test_the_plane_of_the_city_is_epsg_4547():
    lon, lat = points(5000, 111.0, 20.0, 117.0, 40.0)
    x, y = LocalPlane.gauss_kruger_114().forward(lon, lat)
    expected = pyproj.Transformer.from_crs(4490, 4547, always_xy=True).transform(lon, lat)
    assert np.abs(x - expected[0]).max() < 1e-6
    assert np.abs(y - expected[1]).max() < 1e-6


@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(-1, 1), st.floats(-1, 1))
def test_a_plane_around_a_point_gives_back_every_point_near_it(lon, lat, east, north):
    plane = LocalPlane.around(lon, lat)
    assert np.abs(np.concatenate(plane.forward(lon, lat))).max() < 1e-6
    back = np.concatenate(plane.inverse(*plane.forward(lon + east, lat + north)))
    assert back == pytest.approx([lon + east, lat + north], abs=1e-10)


@pytest.mark.parametrize("resolution", [0, 9, 10, 11, 15])
def test_cells_over_arrays_are_those_of_h3_everywhere(resolution):
    lon, lat = points(1000, -180.0, -90.0, 180.0, 90.0, seed=resolution)
    expected = [h3.str_to_int(h3.latlng_to_cell(b, a, resolution)) for a, b in zip(lon, lat, strict=True)]
    assert cells(lon, lat, resolution).tolist() == expected


def test_a_point_that_is_not_finite_has_no_cell():
    assert cells([np.nan, 113.1, np.inf], [27.8, np.nan, 27.8]).tolist() == [0, 0, 0]


def test_cells_without_compiled_code_are_the_same():
    code = (
        "from geo_policing.geodesy import cells; print(cells([113.13, float('nan')], [27.83, 1.0]).tolist())"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout.strip() == str(cells([113.13, np.nan], [27.83, 1.0]).tolist())


@pytest.mark.parametrize(
    ("lon", "lat", "resolution", "says"),
    [
        ([1.0], [2.0], 16, "resolution 16"),
        ([1.0], [2.0], -1, "resolution -1"),
        ([1.0], [2.0, 3.0], 9, "1 long"),
    ],
)
def test_cells_refuse_what_they_cannot_use(lon, lat, resolution, says):
    with pytest.raises(InvalidInput, match=says):
        cells(lon, lat, resolution)
