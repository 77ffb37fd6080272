import zipfile
from datetime import UTC, date, datetime, time

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.ingest.incident_files import read_incidents
from tests.ingest.incident_tables import (
    GOOD,
    HEADER,
    POINT,
    WHEN,
    ZHUZHOU,
    collection,
    feature,
    table,
    workbook,
    written,
)


def test_a_workbook_has_dates_as_cells_as_serial_numbers_and_as_text(tmp_path):
    rows = [
        ["id", "occurred", "kind", "lon", "lat"],
        [1, datetime(2026, 3, 1, 8), "盗窃", 113.13, 27.83],  # noqa: DTZ001
        [2, 46082 + 1 / 3, "盗窃", 113.13, 27.83],
        [],
        [12005827212120, "2026/3/1 8:00", "盗窃", "113.13", 27.83],
        [4, "soon", "盗窃", 113.13, 27.83],
    ]
    read = read_incidents(workbook(tmp_path, rows), time_zone="Asia/Shanghai", keep_good=True)
    assert [i.id for i in read.incidents] == ["1", "2", "12005827212120"]
    assert {i.occurred for i in read.incidents} == {datetime(2026, 3, 1, tzinfo=UTC)}
    assert [(r.row, r.cells[1]) for r in read.refused] == [(6, "soon")]


def test_a_workbook_of_an_old_macintosh_counts_from_1904(tmp_path):
    rows = [["id", "occurred", "kind", "lon", "lat"], [1, 46082 - 1462, "盗窃", 113.13, 27.83]]
    path = workbook(tmp_path, rows, epoch=openpyxl.utils.datetime.CALENDAR_MAC_1904)
    (incident,) = read_incidents(path, time_zone="UTC").incidents
    assert incident.occurred == datetime(2026, 3, 1, tzinfo=UTC)


def test_dates_and_times_in_two_columns_below_a_title_on_a_named_sheet(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.create_sheet("警情")
    rows = [["三月警情"], [], ["编号", "日期", "时间", "lon", "lat"]]
    for row in [*rows, ["A1", date(2026, 3, 1), time(8), 113.13, 27.83]]:
        sheet.append(row)
    path = tmp_path / "calls.xlsx"
    book.save(path)
    mapping = {"id": "编号", "date": "日期", "time": "时间"}
    read = read_incidents(
        path, mapping, sheet="警情", header_row=3, default_kind="x", time_zone="Asia/Shanghai"
    )
    assert [(i.id, i.occurred.isoformat()) for i in read.incidents] == [("A1", "2026-03-01T00:00:00+00:00")]
    with pytest.raises(InvalidFile, match="no sheet 'Mai'; it has Sheet, 警情"):
        read_incidents(path, sheet="Mai")
    with pytest.raises(InvalidFile, match="row 2 of sheet '警情' is empty"):
        read_incidents(path, sheet="警情", header_row=2)


def test_formulas_whose_results_were_not_saved_are_recognised(tmp_path):
    rows = [["id", "occurred", "kind", "lon", "lat"], [1, "=NOW()", "x", 113.13, 27.83]]
    with pytest.raises(InvalidFile, match="'occurred' for occurred has no value; if it has formulas, open"):
        read_incidents(workbook(tmp_path, rows), time_zone="UTC")


def test_results_that_were_saved_with_formulas_are_read(tmp_path):
    path = workbook(tmp_path, [["id", "occurred", "kind", "lon", "lat"], [1, 46082, "x", "=113+0.13", 27.83]])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b"<f>113+0.13</f><v />" in parts[sheet] or b"<f>113+0.13</f><v/>" in parts[sheet]
    for empty in (b"<v />", b"<v/>"):
        parts[sheet] = parts[sheet].replace(b"<f>113+0.13</f>" + empty, b"<f>113+0.13</f><v>113.13</v>")
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            book.writestr(name, data)
    assert read_incidents(path, time_zone="UTC").incidents[0].lon == 113.13


def test_a_geometry_wins_over_columns(tmp_path):
    path = collection(tmp_path, feature(POINT, lon=1.0, lat=2.0, no=7, **WHEN))
    (incident,) = read_incidents(path, {"id": "no"}).incidents
    assert (incident.id, incident.lon, incident.lat, incident.kind) == ("7", 113.13, 27.83, "盗窃")


def test_of_an_area_a_point_in_it_is_taken(tmp_path):
    ring = [
        [113.0, 27.0],
        [114.0, 27.0],
        [114.0, 28.0],
        [113.9, 28.0],
        [113.9, 27.1],
        [113.0, 27.1],
        [113.0, 27.0],
    ]
    (incident,) = read_incidents(
        collection(tmp_path, feature({"type": "Polygon", "coordinates": [ring]}, **WHEN))
    ).incidents
    assert 113.0 < incident.lon < 114.0
    assert 27.0 < incident.lat < (27.1 if incident.lon < 113.9 else 28.0)


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        (None, "geometry: there is none; an incident needs a place"),
        ({"type": "Polygon", "coordinates": []}, "the Polygon is empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, "Self-intersection"),
        ({"type": "Point", "coordinates": ["east", 1]}, "could not convert"),
        ({"type": "Point", "coordinates": [1]}, "not enough values"),
        ({"type": "Circle", "coordinates": [1, 1]}, "geometry: "),
    ],
)
def test_a_feature_without_usable_geometry_is_refused(tmp_path, geometry, said):
    path = collection(tmp_path, feature(POINT, **WHEN), feature(geometry, **WHEN))
    read = read_incidents(path, keep_good=True)
    assert [r.row for r in read.refused] == [2]
    assert said in read.refused[0].reason
    assert len(read.incidents) == 1


def test_a_system_that_the_file_names_must_be_the_one_said(tmp_path):
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4547"}}
    point = {"type": "Point", "coordinates": [414_000.0, 3_080_000.0]}
    path = collection(tmp_path, feature(point, **WHEN), crs=named)
    with pytest.raises(InvalidFile, match=r"says that it is in urn.*, not EPSG:4326; give --crs EPSG:4547"):
        read_incidents(path)
    assert ZHUZHOU.contains(
        *(getattr(read_incidents(path, crs="EPSG:4547").incidents[0], k) for k in ("lon", "lat"))
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \r\n\r\n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "an image"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"SQLite format 3\x00", "export the layer"),
        (b"PK\x03\x04cut", "is cut or damaged: an Excel or zip file"),
        (b"<!DOCTYPE html><html>", "sign-in page"),
        (b"\x01\x02\x00\x00\x07binary\x00" * 50, "is no text"),
        (b'{"type": "FeatureCollection", "features": [', "is no JSON, or is cut"),
        (b'{"type": "Topology"}', "no GeoJSON FeatureCollection"),
        (b"[1, 2]", "no GeoJSON FeatureCollection"),
        (b"id,occurred,kind,lon,lat\n", "a header but no rows"),
        (b'{"type": "FeatureCollection", "features": []}', "which column is occurred"),
    ],
)
def test_a_file_of_the_wrong_kind_is_named_in_one_line(tmp_path, content, said):
    with pytest.raises(InvalidFile, match=said) as raised:
        read_incidents(written(tmp_path, content))
    assert "\n" not in str(raised.value)


def test_an_archive_and_a_damaged_workbook_are_told_from_a_workbook(tmp_path):
    path = workbook(tmp_path, [["id"], [1]])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    for change, said in (
        ({"readme.txt": b"hello"}, "is a zip file; unpack it"),
        ({"content.xml": b""}, "OpenDocument"),
        ({**parts, "xl/workbook.xml": b"<cut"}, "damaged Excel file"),
        ({**parts, "[Content_Types].xml": b"<Types/>"}, "damaged Excel file"),
        ({**parts, "xl/styles.xml": parts["xl/styles.xml"].replace(b"xfId", b"xId")}, "damaged Excel file"),
    ):
        with zipfile.ZipFile(path, "w") as book:
            for name, data in change.items():
                book.writestr(name, data)
        with pytest.raises(InvalidFile, match=said):
            read_incidents(path)


def test_a_workbook_is_known_by_what_is_in_it_not_by_its_name(tmp_path):
    path = workbook(tmp_path, [HEADER.split(","), GOOD.split(",")]).rename(tmp_path / "calls.bin")
    assert [i.id for i in read_incidents(path).incidents] == ["a"]


def test_a_file_with_too_many_rows_is_refused_whatever_its_kind(tmp_path):
    rows = [HEADER.split(","), *([i, *GOOD.split(",")[1:]] for i in range(3))]
    files = (
        table(tmp_path, *(",".join(map(str, row)) for row in rows[1:])),
        workbook(tmp_path, rows),
        collection(tmp_path, *(feature(POINT, **WHEN) for _ in range(3))),
    )
    for path in files:
        assert len(read_incidents(path, max_rows=3).incidents) == 3
        with pytest.raises(InvalidFile, match="more than 2 rows; split it"):
            read_incidents(path, max_rows=2)


def test_a_quote_that_is_not_closed_ends_the_file_and_is_said(tmp_path):
    rows = [
        GOOD,
        'b,2026-03-01T08:00Z,"not closed,113.13,27.83',
        *(f"c{i},x" + "y" * 1000 for i in range(200)),
    ]
    read = read_incidents(table(tmp_path, *rows), keep_good=True)
    assert [(r.row, "is a quote not closed?" in r.reason) for r in read.refused] == [(3, True)]
    assert [i.id for i in read.incidents] == ["a"]


@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("column", ["a", '"a', '"a,b', '"a""'])
def test_a_file_cut_in_its_last_cell_is_recognised_by_the_quote(tmp_path, column, end):
    text = f'{HEADER},summary\n{GOOD},5" pipe\n{GOOD.replace("a,", "b,", 1)},{column}{end}'
    read = read_incidents(written(tmp_path, text), keep_good=True)
    cut = column.startswith('"') and not end
    assert [(r.row, "cut in this row (a quote is not closed)" in r.reason) for r in read.refused] == [
        (3, True)
    ] * cut
    assert read.incidents[0].summary == '5" pipe'


def test_a_file_cut_in_the_middle_of_a_character_is_read_to_there(tmp_path):
    whole = f"{HEADER},summary\n{GOOD},电动车\n{GOOD.replace('a,', 'b,')},电动车".encode()
    read = read_incidents(written(tmp_path, whole[:-1]), keep_good=True)
    assert [i.id for i in read.incidents] == ["a"]
    assert [(r.row, "the file is cut in this row" in r.reason) for r in read.refused] == [(3, True)]


@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_incidents_or_a_refusal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "calls.csv"
    path.write_bytes(HEADER.encode() + b"\n" + data)
    try:
        read = read_incidents(path, time_zone="UTC", keep_good=True)
    except InvalidInput as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert len(read.incidents) + len(read.refused) == read.rows
