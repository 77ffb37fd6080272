import numpy as np
import pytest

from geo_policing.errors import InvalidCoordinates
from geo_policing.geodesy.gcj02 import gcj02_from_wgs84
from geo_policing.ingest.incident_files import read_incidents
from tests.ingest.incident_tables import GOOD, ZHUZHOU, chicago, table


def test_gcj02_is_converted_at_the_door(tmp_path):
    x, y = gcj02_from_wgs84(np.array([113.13]), np.array([27.83]))
    path = table(tmp_path, GOOD.replace("113.13,27.83", f"{x[0]:.12f},{y[0]:.12f}"))
    (incident,) = read_incidents(path, crs="gcj02").incidents
    assert (incident.lon, incident.lat) == (pytest.approx(113.13, abs=1e-9), pytest.approx(27.83, abs=1e-9))


def test_single_rows_without_a_true_place_are_refused_with_the_reason(tmp_path):
    places = ["113.13,27.83"] * 6 + ["0,0", "-120.5,90", "27.83,113.13", "365535,563965"]
    path = table(tmp_path, *(f"{i},2026-03-01T08:00Z,x,{place}" for i, place in enumerate(places)))
    read = read_incidents(path, keep_good=True)
    reasons = {r.row: r.reason for r in read.refused}
    assert sorted(reasons) == [8, 9, 10, 11]
    assert "'no position'" in reasons[8]
    assert "is a pole, written for a place that is not known" in reasons[9]
    assert "the axes look swapped" in reasons[10]
    assert "off the earth; if these are metres name their system" in reasons[11]


def test_what_is_outside_where_incidents_may_lie_is_refused(tmp_path):
    path = table(
        tmp_path, GOOD, GOOD.replace("a,", "b,"), GOOD.replace("a,", "c,").replace("113.13", "114.13")
    )
    read = read_incidents(path, within=ZHUZHOU, keep_good=True)
    assert [(r.row, "where it is expected" in r.reason) for r in read.refused] == [(4, True)]


@pytest.mark.parametrize(
    ("crs", "said"),
    [
        ("EPSG:4326", "off the earth; if these are metres name their system"),
        ("gcj02", "off the earth; if these are metres name their system"),
        ("EPSG:3435", r"they fit in EPSG:26971 \(NAD83 / Illinois East\)"),
        ("EPSG:26972", r"they fit in EPSG:26971 \(NAD83 / Illinois East\)"),
        ("EPSG:4547", "lon 112.78741, lat 5.09905, outside .* correct it or the crs"),
        ("EPSG:nonsense", "is unknown; give an EPSG code"),
    ],
)
def test_a_file_in_another_system_is_refused_whole_and_the_likely_one_named(crs, said):
    with pytest.raises(InvalidCoordinates, match=said) as raised:
        chicago(crs=crs, keep_good=True)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("x", "y", "crs", "within", "said"),
    [
        (27.83, 113.13, "EPSG:4326", None, "columns of lon .x. and lat .y. exchanged"),
        (27.83, 113.13, "gcj02", None, "columns of lon .x. and lat .y. exchanged"),
        (-87.6, 41.8, "gcj02", None, "outside .* that the system is for; correct it or the crs"),
        (113.13, 27.83, "EPSG:4547", None, "they fit as degrees"),
        (3_080_000.0, 414_000.0, "EPSG:4547", None, "exchanged"),
        (38_414_000.0, 3_080_000.0, "EPSG:4547", None, r"they fit in EPSG:4526 .CGCS2000"),
        (709_700.0, 3_080_000.0, "EPSG:4547", None, "CM 111E"),
        (709_700.0, 3_080_000.0, "EPSG:4547", ZHUZHOU, "CM 111E"),
        (414_000 / 0.3048, 3_080_000 / 0.3048, "EPSG:4547", None, "they fit when taken for feet"),
        (113.13, 35.83, "EPSG:4326", ZHUZHOU, "where it is expected; correct it or the crs"),
    ],
)
def test_the_likely_remedy_is_named(tmp_path, x, y, crs, within, said):
    path = table(tmp_path, GOOD.replace("113.13,27.83", f"{x},{y}"))
    with pytest.raises(InvalidCoordinates, match=said):
        read_incidents(path, crs=crs, within=within)
