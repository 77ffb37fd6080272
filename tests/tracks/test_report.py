"""The printed report: what is in it, and that it can be repeated."""

import json

import pytest

from geo_policing.cli.reconstruct import Travels, read_sightings, reconstruct
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.tracks.answer import fingerprint
from geo_policing.tracks.report import GATES_TOLD, report_pdf, sections
from tests.matching.city import LAT, LON, STEP, grid

ROWS = "time,lon,lat,edge,cell,observer\n" + "".join(
    f"2026-03-02T08:0{m}:00+08:00,{LON + STEP * c:.6f},{LAT + STEP * r:.6f},,,{o}\n"
    for m, c, r, o in ((0, 0, 0, "C1"), (1, 2, 1, "<b>C2"), (2, 4, 1, "C3"))
)


@pytest.fixture
def town(tmp_path):
    grid().save(tmp_path / "town.roads")
    (tmp_path / "seen.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def run(town, **options):
    reconstruct(town / "town.roads", town / "seen.csv", town / "out.geojson", **options)
    return json.loads((town / "out.geojson").read_text("utf-8"))


@pytest.mark.parametrize("name", ["report.html", "report.pdf"])
def test_the_same_input_gives_the_same_bytes(town, name):
    run(town, report=town / name)
    first = (town / name).read_bytes()
    run(town, report=town / name)
    assert (town / name).read_bytes() == first
    assert first.startswith(b"%PDF" if name.endswith("pdf") else b"<!DOCTYPE html>")


def test_it_names_inputs_versions_and_every_sighting_and_takes_no_text_for_markup(town):
    document = run(town, report=town / "report.html")
    page = (town / "report.html").read_text("utf-8")
    for name in ("town.roads", "seen.csv"):
        assert fingerprint(town / name) in page
    assert document["versions"]["geo-policing"] in page
    assert "&lt;b&gt;C2" in page
    assert "<b>C2" not in page
    titles = [section.title for section in sections(document)]
    assert titles[:3] == ["输入与版本 Inputs and versions", "目击 Sightings", "路径 Paths"]


def test_where_it_is_not_known_who_travels_how_each_mode_is_told_with_what_speaks_against_it(town):
    # 400 m in twelve seconds: nobody walks or rides so.
    rows = ROWS.replace("08:01:00", "08:00:12").splitlines()[:3]
    (town / "seen.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    document = run(town, mode=Travels.UNKNOWN)
    told = dict(sections(document)[0].rows)
    assert told["Travels by 出行方式"] == "unknown"
    assert told["By car 方式概率"] == "100.0%, prior 先验 33.3%"
    assert told["By foot 方式概率"].startswith("0.0%, prior 先验 33.3%; the sightings of 2026-03-02T08:00")
    assert "cannot both be true" in told["By e-bike 方式概率"]
    shares = [row[0] for row in sections(document)[2].rows]
    assert shares[0] == "最具代表 representative car"
    assert shares[1].endswith("% car")


def test_a_path_longer_than_a_page_is_printed_over_several(town):
    document = run(town)
    for feature in document["features"]:
        about = feature["properties"]
        if about["what"] == "path":
            for name in ("edges", "entered", "begins_m"):
                about[name] = about[name] * 100
    assert report_pdf(document).count(b"/Type /Page\n") > 4


def test_other_sightings_are_another_fingerprint(town):
    before = run(town)["inputs"]
    (town / "seen.csv").write_text(ROWS + "\n", encoding="utf-8")
    after = run(town)["inputs"]
    assert before["sightings"] != after["sightings"]
    assert before["roads"] == after["roads"]


def test_after_the_last_sighting_the_gates_are_told(town):
    window = "2026-03-02T08:00:00+08:00/2026-03-02T08:05:00+08:00"
    found = run(town, window=window, map_=town / "map.html")
    kinds = {f["properties"]["what"] for f in found["features"]}
    assert {"path", "sighting", "cell", "region", "camera"} <= kinds
    assert "reconstructionMap(" in (town / "map.html").read_text("utf-8")


def test_one_sighting_alone_spreads_both_ways_in_time(town):
    (town / "seen.csv").write_text("\n".join(ROWS.splitlines()[:2]) + "\n", encoding="utf-8")
    window = "2026-03-02T07:58:00+08:00/2026-03-02T08:02:00+08:00"
    found = run(town, window=window, map_=town / "map.html", report=town / "report.pdf")
    areas = [
        f["properties"]["area_km2"]
        for f in found["features"]
        if f["properties"]["what"] == "region" and f["properties"]["share"] == 0.9
    ]
    assert len(areas) == 5
    assert areas[2] < areas[1] < areas[0]
    assert areas[2] < areas[3] < areas[4]


def test_a_camera_is_known_by_its_edge_alone(town):
    network = grid()
    text = ROWS + "2026-03-02T08:00:30+08:00,,,0>1,,C9\n"
    (town / "seen.csv").write_text(text, encoding="utf-8")
    seen, _ = read_sightings(town / "seen.csv", network)
    camera = seen[-1]
    assert (camera.lon, camera.lat) == pytest.approx((LON + STEP / 2, LAT), abs=1e-6)
    assert camera.accuracy_m == pytest.approx(network.length_m[0] / 2)


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("cameras", "camera,edge\nK1,nowhere\n", "camera 1: edge 'nowhere' is not in the network"),
        ("cameras", "camera\nK1\n", "camera 1 has no edge; give the columns camera,edge"),
    ],
)
def test_bad_cameras_are_refused_with_their_row(town, option, text, says):
    (town / "c.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidFile, match=says):
        run(town, **{option: town / "c.csv"})


def test_a_report_of_another_kind_is_refused_before_the_work(town):
    with pytest.raises(InvalidInput, match=r"neither \.html nor \.pdf"):
        run(town, report=town / "report.docx")
    assert not (town / "out.geojson").exists()


def test_a_file_that_is_not_there_is_refused(town):
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_sightings(town / "nothing.csv", grid())


def test_gates_that_are_not_told_are_counted(town):
    document = run(town)
    about = {"what": "gate", "name": "Bridge", "kind": "bridge", "passed": [0.0, 0.5]}
    about |= {"earliest": document["window"][0], "times": document["window"]}
    for gates, says in ((GATES_TOLD, False), (GATES_TOLD + 1, True)):
        told = document | {"features": [*document["features"], *[{"properties": about}] * gates]}
        section = next(one for one in sections(told) if "Containment" in one.title)
        assert len(section.rows) == GATES_TOLD
        assert (f"{GATES_TOLD} likeliest of {gates}" in section.note) == says


def test_tables_are_as_wide_as_they_need_to_be_on_a_narrow_screen(town):
    run(town, report=town / "report.html")
    page = (town / "report.html").read_text("utf-8")
    assert page.count('<div class="wide"><table>') == page.count("<table>") == 5
    assert ".wide table{min-width:" in page


def test_a_moment_of_the_picture_outside_of_the_window_is_refused_before_the_work(town):
    with pytest.raises(InvalidInput, match=r"report-at .* is outside .*; give a moment of the window"):
        run(town, report=town / "report.html", report_at="2026-03-02T08:02:01+08:00")
    assert not (town / "out.geojson").exists()
    run(town, report=town / "report.html", report_at="2026-03-02T00:01:00Z")
    assert "Regions at 08:01:00" in (town / "report.html").read_text("utf-8")
