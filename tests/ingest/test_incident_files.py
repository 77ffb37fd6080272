import csv
import json
import sys
import zipfile
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing import cli
from geo_policing.errors import InvalidCoordinates, InvalidFile, InvalidInput
from geo_policing.geodesy.gcj02 import gcj02_from_wgs84
from geo_policing.ingest.incident_files import parse_mapping, read_incidents, write_refused
from geo_policing.ingest.incident_files.times import read_instants
from geo_policing.model import BoundingBox, IncidentState, Severity
from geo_policing.store import Records
from tests.shared_data import shared

HEADER = "id,occurred,kind,lon,lat"
GOOD = "a,2026-03-01T08:00:00+08:00,盗窃,113.13,27.83"
ZHUZHOU = BoundingBox(112.9, 27.6, 113.4, 28.1)


def written(tmp_path, text, name="calls.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def table(tmp_path, *rows, header=HEADER, **more):
    return written(tmp_path, "\n".join((header, *rows)) + "\n", **more)


def workbook(tmp_path, rows, **properties):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, value in properties.items():
        setattr(book, name, value)
    path = tmp_path / "calls.xlsx"
    book.save(path)
    return path


def occurred(*cells, time_zone="Asia/Shanghai", **more):
    """What cells of one row, a column each, are read as: RFC 3339 in UTC, or the reason."""
    instants = read_instants([pd.Series([cell], dtype=object) for cell in cells], time_zone=time_zone, **more)
    us = int(instants.time_us[0])
    return instants.flaws.get(0) or (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat()  # noqa: DTZ001


def chicago(**more):
    mapping = {"occurred": "date_single", "lon": "x", "lat": "y"}
    more = {
        "crs": "EPSG:26971",
        "time_zone": "America/Chicago",
        "date_order": "dmy",
        "default_kind": "burglary",
    } | more
    return read_incidents(shared("incidents/chicago_burglary_2014_2017.csv"), mapping, **more)


SAN_FRANCISCO = [
    *("occurred=Date+Time", "lon=X", "lat=Y", "id=PdId", "kind=Category", "summary=Descript"),
    "address=Address",
]


def test_45319_burglaries_become_incidents_at_the_beginning_of_their_days():
    read = chicago()
    assert (len(read.incidents), read.refused, read.ambiguous) == (45_319, [], 0)
    assert len({incident.id for incident in read.incidents}) == 45_319
    zone = ZoneInfo("America/Chicago")
    with shared("incidents/chicago_burglary_2014_2017.csv").open() as file:
        for row, incident in zip(csv.DictReader(file), read.incidents, strict=True):
            day = datetime.strptime(row["date_single"], "%d/%m/%Y").replace(tzinfo=zone)
            assert incident.occurred == day
    lon, lat = (np.array([getattr(i, name) for i in read.incidents]) for name in ("lon", "lat"))
    # The city's limits.
    assert (lon.min() > -87.95, lon.max() < -87.52, lat.min() > 41.64, lat.max() < 42.03) == (True,) * 4
    assert {i.state for i in read.incidents} == {IncidentState.CLOSED}
    assert {(i.kind, i.source) for i in read.incidents} == {("burglary", "chicago_burglary_2014_2017.csv")}


def test_a_cut_file_is_refused_whole_and_its_last_row_named(tmp_path):
    path = shared("incidents/sf_incidents_2016_cut.csv")
    how = {"time_zone": "America/Los_Angeles", "date_order": "mdy"}
    read = read_incidents(path, parse_mapping(SAN_FRANCISCO), **how)
    assert read.incidents == []
    (refused,) = read.refused
    assert (refused.row, refused.cells[:3]) == (9648, ("160148479", "VANDALISM", "MALICIOUS MISCHI"))
    assert "the file is cut in this row (3 cells for 13 columns)" in refused.reason

    kept = read_incidents(path, parse_mapping(SAN_FRANCISCO), keep_good=True, **how)
    assert (len(kept.incidents), kept.refused, kept.rows) == (9646, read.refused, 9647)
    first = kept.incidents[0]
    assert (first.id, first.kind, first.summary, first.address) == (
        *("12005827212120", "WEAPON LAWS", "POSS OF PROHIBITED WEAPON", "800 Block of BRYANT ST"),
    )
    assert first.occurred == datetime(2016, 1, 29, 11, 0, tzinfo=ZoneInfo("America/Los_Angeles"))
    # Daylight saving time began on 13 March 2016: the rows of both sides are right.
    with path.open() as file:
        for row, incident in zip(csv.DictReader(file), kept.incidents, strict=False):
            text = f"{row['Date'][:10]} {row['Time']}"
            local = datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=ZoneInfo("America/Los_Angeles"))
            assert incident.occurred == local
            assert (incident.lon, incident.lat) == (float(row["X"]), float(row["Y"]))


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["geo-policing", "import-incidents", *map(str, arguments)])
    cli.main()


def test_both_real_files_go_from_the_command_line_into_the_records(tmp_path, monkeypatch, capfd):
    data, refused = tmp_path / "data", tmp_path / "refused.csv"
    burglaries = [
        *(shared("incidents/chicago_burglary_2014_2017.csv"), "--data-dir", data, "--crs", "EPSG:26971"),
        *("--map", "occurred=date_single", "--map", "lon=x", "--map", "lat=y", "--day-first"),
        *("--time-zone", "America/Chicago", "--default-kind", "burglary"),
    ]
    san_francisco = [
        *(shared("incidents/sf_incidents_2016_cut.csv"), "--data-dir", data, "--month-first"),
        *("--time-zone", "America/Los_Angeles", *(w for m in SAN_FRANCISCO for w in ("--map", m))),
    ]
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, *burglaries)
    assert exit_.value.code == 0
    assert "45,319 incidents imported, refused: 0" in capfd.readouterr().err

    for again, said in (
        (burglaries, "was the file imported already?"),
        (san_francisco, "nothing imported: 1 of 9,647 rows refused, row 9648: the file is cut in this row"),
    ):
        with pytest.raises(SystemExit) as exit_:
            run(monkeypatch, *again)
        error = capfd.readouterr().err
        assert (exit_.value.code, error.count("\n")) == (1, 1)
        assert said in error

    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, *san_francisco, "--keep-good", "--refused", refused)
    assert exit_.value.code == 0
    assert "9,646 incidents imported, refused: 1" in capfd.readouterr().err
    with refused.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["row"], row["IncidntNum"], row["Descript"]) == ("9648", "160148479", "MALICIOUS MISCHI")

    with Records(f"sqlite:///{data / 'records.sqlite'}") as records:
        saved = records.incidents.get("12005827212120")
        assert (saved.kind, saved.occurred) == ("WEAPON LAWS", datetime(2016, 1, 29, 19, 0, tzinfo=UTC))
        count, page = 0, records.incidents.list(limit=10_000)
        while page:
            count, page = count + len(page), records.incidents.list(limit=10_000, after=page[-1])
        assert count == 45_319 + 9_646


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--day-first", "--month-first"], "say either --day-first or --month-first"),
        (["--default-state", "lost"], "state 'lost' is none of reported, accepted"),
        (["--within", "1,2,3"], "is not four numbers west,south,east,north"),
        (["--header-row", "0"], "the header's row counts from 1"),
        (["--map", "x"], "is not FIELD=COLUMN"),
        (["--within", "0,0,1,1", "--keep-good"], "1 of 1 places are not where they can be"),
    ],
)
def test_the_command_line_says_in_one_line_what_cannot_be(tmp_path, monkeypatch, capfd, arguments, said):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, table(tmp_path, GOOD), "--data-dir", tmp_path / "data", *arguments)
    error = capfd.readouterr().err
    assert (exit_.value.code, error.count("\n"), (tmp_path / "data").exists()) == (1, 1, False)
    assert said in error


def test_an_hour_that_the_clocks_repeated_is_told_on_the_command_line(tmp_path, monkeypatch, capfd):
    path = table(tmp_path, "a,2016-11-06 01:30,x,-87.6,41.8")
    with pytest.raises(SystemExit):
        run(monkeypatch, path, "--data-dir", tmp_path / "data", "--time-zone", "America/Chicago")
    assert "1 in an hour that the clocks repeated, taken for the first" in capfd.readouterr().err


def test_columns_with_our_names_need_no_mapping(tmp_path):
    header = "id,occurred,kind,severity,lon,lat,address,summary,state"
    row = "110-7,2026-03-01T08:00:00.250+08:00,盗窃,1,113.13,27.83,天元区黄河北路,电动车被盗,on scene"
    (incident,) = read_incidents(table(tmp_path, row, header=header)).incidents
    assert incident.occurred == datetime(2026, 3, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    assert (incident.severity, incident.state) == (Severity.CRITICAL, IncidentState.ON_SCENE)
    assert (incident.summary, incident.address) == ("电动车被盗", "天元区黄河北路")


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_of_offices_are_recognised(tmp_path, encoding, separator):
    text = "\r\n".join((HEADER, GOOD, "", GOOD.replace("a,", "b,"))) + "\r\n"
    read = read_incidents(written(tmp_path, text.replace(",", separator), encoding=encoding))
    assert [(i.id, i.kind, i.lon) for i in read.incidents] == [("a", "盗窃", 113.13), ("b", "盗窃", 113.13)]


def test_an_encoding_that_cannot_be_found_out_is_asked_for(tmp_path):
    path = table(tmp_path, GOOD.replace("盗窃", "vol à l'étalage"), encoding="cp1252")
    with pytest.raises(InvalidFile, match="neither UTF-8, UTF-16 nor GB 18030; name its encoding"):
        read_incidents(path)
    assert read_incidents(path, encoding="cp1252").incidents[0].kind == "vol à l'étalage"
    with pytest.raises(InvalidFile, match="encoding 'klingon' is unknown"):
        read_incidents(path, encoding="klingon")


def test_decimal_commas_are_read_where_they_do_not_separate_columns(tmp_path):
    path = table(tmp_path, GOOD.replace(",", ";").replace(".", ","), header=HEADER.replace(",", ";"))
    (incident,) = read_incidents(path).incidents
    assert (incident.lon, incident.lat) == (113.13, 27.83)


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path):
    quoted = 'b,2026-03-01 08:00,"two\nlines",113.13,27.83'
    rows = (quoted, "", ",,,,", "c,2026-03-01 09:00,x,113.13,", "", "d,nonsense,x,113.13,27.83")
    read = read_incidents(table(tmp_path, *rows), time_zone="Asia/Shanghai", keep_good=True)
    assert [(r.row, r.reason) for r in read.refused] == [
        (5, "lat: is empty"),
        (7, "occurred: 'nonsense' is no date and time; write it like 2026-03-01 08:00"),
    ]
    assert [i.kind for i in read.incidents] == ["two\nlines"]


def test_everything_wrong_with_a_row_is_said_and_its_cells_come_back(tmp_path):
    bad = "a,,,east,27.83,5,lost"
    path = table(tmp_path, bad, GOOD + ",2,closed", header=HEADER + ",severity,state")
    read = read_incidents(path, keep_good=True)
    assert [r.row for r in read.refused] == [2, 3]
    assert read.refused[0].reason == (
        "occurred: is empty; lon: 'east' is no number; kind: is empty; "
        "severity: '5' is none of 1, 2, 3, 4, critical, urgent, ordinary, minor; "
        "state: 'lost' is none of reported, accepted, dispatched, en_route, on_scene, cleared, closed, "
        "cancelled, transferred, merged"
    )
    assert read.refused[1].reason == "id: a is also in row 2"
    write_refused(read, tmp_path / "refused.csv")
    lines = (tmp_path / "refused.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "row,reason,id,occurred,kind,lon,lat,severity,state"
    assert lines[1].endswith(bad)


def test_ids_given_twice_are_named_with_the_first(tmp_path):
    read = read_incidents(table(tmp_path, GOOD, GOOD.replace("a,", "b,"), GOOD, GOOD), keep_good=True)
    assert [(r.row, r.reason) for r in read.refused] == [
        (4, "id: a is also in row 2"),
        (5, "id: a is also in row 2"),
    ]


def test_ids_that_no_address_can_hold_are_refused(tmp_path):
    read = read_incidents(table(tmp_path, GOOD.replace("a,", '"a\nb",'), GOOD.replace("a,", "x" * 201 + ",")))
    assert [(r.row, "line end or tab" in r.reason) for r in read.refused] == [(2, True), (3, True)]


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(",;\"'\n\t|"), max_size=20)


@given(
    st.lists(st.tuples(words, st.floats(-180, 180), st.floats(-89, 89)).filter(any), min_size=1, max_size=8),
    st.sampled_from(["utf-8-sig", "utf-16"]),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_a_spreadsheet_writes_is_read_back(tmp_path_factory, cells, encoding, separator):
    path = tmp_path_factory.mktemp("any") / "calls.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["id", "occurred", "kind", "lon", "lat", "summary"])
        for i, (text, lon, lat) in enumerate(cells):
            writer.writerow([i, "2026-03-01T08:00:00Z", "x", lon, lat, text])
    read = read_incidents(path, keep_good=True)
    assert [r.row for r in read.refused] == [i + 2 for i, (_, x, y) in enumerate(cells) if x == y == 0]
    told = {int(i.id): (i.summary, i.lon, i.lat) for i in read.incidents}
    assert told == {i: (text.strip(), x, y) for i, (text, x, y) in enumerate(cells) if not x == y == 0}


def test_without_ids_the_same_content_has_the_same_id_and_repeats_are_numbered(tmp_path):
    header, row = HEADER.removeprefix("id,"), GOOD.removeprefix("a,")
    first = read_incidents(table(tmp_path, row, row, header=header)).incidents
    more = read_incidents(table(tmp_path, "x".join(row.rsplit("盗窃", 1)), row, row, header=header)).incidents
    assert first[1].id == f"{first[0].id}-2"
    assert [i.id for i in more[1:]] == [i.id for i in first]


def test_several_columns_are_joined_and_a_column_called_so_wins(tmp_path):
    header = "a+b,kind,road,number,occurred,lon,lat"
    path = table(tmp_path, "7,x,Huanghe,12,2026-03-01T08:00Z,113.13,27.83", header=header)
    (incident,) = read_incidents(
        path, {"id": "a+b", "address": "road+number", "summary": "kind + road"}
    ).incidents
    assert (incident.id, incident.address, incident.summary) == ("7", "Huanghe 12", "x Huanghe")


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"lon": "X"}, "no column 'X' for lon; there are: id, occurred, kind, lon, lat;"),
        ({"where": "lon"}, "an incident has no field 'where'; it has id, occurred"),
        ({"occurred": "occurred", "date": "occurred"}, "map either occurred or date and time, not both"),
        ({"occurred": "id+kind+occurred"}, "read from one column, or from one of dates and one of times"),
    ],
)
def test_a_mapping_that_cannot_be_is_said(tmp_path, mapping, said):
    with pytest.raises(InvalidInput, match=said):
        read_incidents(table(tmp_path, GOOD), mapping)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["occurred"], "is not FIELD=COLUMN"),
        (["lon=x", "lon=y"], "given twice; join columns with"),
        (["wher=x"], "no field 'wher'"),
    ],
)
def test_a_mapping_of_the_command_line_that_cannot_be_is_said(texts, said):
    with pytest.raises(InvalidInput, match=said):
        parse_mapping(texts)


def test_columns_without_or_with_the_same_name_can_be_told_apart(tmp_path):
    path = table(tmp_path, GOOD + ",2026-03-01T09:00Z,x", header=HEADER + ",occurred,")
    with pytest.raises(InvalidFile, match=r"'occurred' is there twice; rename one or map 'occurred \(2\)'"):
        read_incidents(path, {"occurred": "occurred"})
    read = read_incidents(path, {"occurred": "occurred (2)", "summary": "column 7"})
    assert (read.incidents[0].occurred.hour, read.incidents[0].summary) == (9, "x")


def test_without_any_kind_one_must_be_said(tmp_path):
    path = table(tmp_path, "2026-03-01T08:00Z,113.13,27.83", header="occurred,lon,lat")
    with pytest.raises(InvalidInput, match="--default-kind"):
        read_incidents(path)
    assert read_incidents(path, default_kind="theft").incidents[0].kind == "theft"


# --- times


@pytest.mark.parametrize(
    ("cell", "utc"),
    [
        ("2026-03-01 08:00", "2026-03-01T00:00:00"),
        ("2026-03-01T08:00:00.5+08:00", "2026-03-01T00:00:00.500000"),
        ("2026-03-01T00:00Z", "2026-03-01T00:00:00"),
        ("2026-03-01 05:30 +05:30", "2026-03-01T00:00:00"),
        ("2026/3/1 8:00:00", "2026-03-01T00:00:00"),
        ("2026.03.01", "2026-02-28T16:00:00"),
        ("20260301", "2026-02-28T16:00:00"),
        ("20260301080000", "2026-03-01T00:00:00"),
        ("20260301 0800", "2026-03-01T00:00:00"),
        ("2026年3月1日8时5分", "2026-03-01T00:05:00"),
        ("2026年3月1日 下午2:05", "2026-03-01T06:05:00"),
        ("2026-03-01 12:00:00 AM", "2026-02-28T16:00:00"),
        ("2026-03-01 1:05 pm", "2026-03-01T05:05:00"),
        ("2026-03-01 24:00", "2026-03-01T16:00:00"),
        ("1 Mar 2026 08:00", "2026-03-01T00:00:00"),
        ("01-March-26", "2026-02-28T16:00:00"),
        ("46082.333333333336", "2026-03-01T00:00:00"),
        (46082, "2026-02-28T16:00:00"),
        (46082.333333333336, "2026-03-01T00:00:00"),
        (20260301, "2026-02-28T16:00:00"),
        (datetime(2026, 3, 1, 8), "2026-03-01T00:00:00"),  # noqa: DTZ001
        (date(2026, 3, 1), "2026-02-28T16:00:00"),
    ],
)
def test_a_time_is_read_as_people_write_it(cell, utc):
    assert occurred(cell) == utc


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "is empty"),
        (None, "is empty"),
        (float("nan"), "is empty"),
        ("2026-02-29", "is no date"),
        ("2026-13-01", "is no date"),
        ("1026-03-01", "is no date of 1900 to 2100"),
        ("2026-03-01 25:00", "no time of day"),
        ("2026-03-01 13:00 PM", "no time of day"),
        ("2026-03-01 08:00 tomorrow", "is no date and time"),
        ("08:00", "has no date"),
        ("7", "is a number, but no date"),
        ("1772323199", "is a number, but no date"),
        (True, "is no date and time"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(cell, said):
    assert said in occurred(cell)


@given(st.datetimes(datetime(1901, 1, 1), datetime(2099, 1, 1)), st.sampled_from(["dmy", "mdy"]))  # noqa: DTZ001
def test_any_instant_written_any_way_is_read_back(instant, order):
    instant = instant.replace(microsecond=0)
    day = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y"}[order]
    for form in ("%Y-%m-%dT%H:%M:%S", f"{day} %I:%M:%S %p", "%Y%m%d%H%M%S", "%Y年%m月%d日 %H时%M分%S秒"):
        assert occurred(instant.strftime(form), time_zone="UTC", date_order=order) == instant.isoformat()
    assert (
        occurred(instant.strftime(day), instant.time(), time_zone="UTC", date_order=order)
        == instant.isoformat()
    )
    assert occurred(instant, time_zone="UTC") == instant.isoformat()


def test_dates_from_1904_are_those_of_old_macintoshes():
    assert occurred(46082 - 1462, dates_from_1904=True) == "2026-02-28T16:00:00"


def test_a_date_with_its_time_in_another_column():
    assert occurred("2026-03-01 12:00:00 AM", "8:00") == "2026-03-01T00:00:00"
    assert occurred(datetime(2026, 3, 1), time(8, 0)) == "2026-03-01T00:00:00"  # noqa: DTZ001
    assert occurred(46082, 1 / 3) == "2026-03-01T00:00:00"
    assert "both columns have a time of day" in occurred("2026-03-01 07:00", "8:00")
    assert "no time of day" in occurred("2026-03-01", "2026-03-01")


def test_an_hour_that_happens_twice_is_the_first_and_counted_and_one_that_does_not_happen_refused():
    zone = "America/Chicago"
    texts = pd.Series(["2016-11-06 01:30", "2016-11-06 00:30", "2016-03-13 02:30", "2016-03-13 03:00"])
    instants = read_instants([texts], time_zone=zone)
    assert instants.ambiguous == 1
    assert list(instants.flaws) == [2]
    assert "02:30 did not happen in America/Chicago, clocks were put forward" in instants.flaws[2]
    for i in (0, 1, 3):
        first = datetime.fromisoformat(texts[i]).replace(tzinfo=ZoneInfo(zone), fold=0)
        assert instants.time_us[i] == first.timestamp() * 1e6


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["America/Chicago", "Europe/Dublin", "Australia/Lord_Howe", "Asia/Shanghai"]),
)
def test_local_times_are_those_of_the_zone(wall, zone):
    instants = read_instants([pd.Series([wall], dtype=object)], time_zone=zone)
    local = wall.replace(tzinfo=ZoneInfo(zone))
    back = local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if back == wall:
        assert instants.time_us[0] == (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    else:
        assert list(instants.flaws) == [0]


def test_a_day_that_does_not_begin_at_midnight_begins_when_it_does():
    assert occurred("2015-10-18", time_zone="America/Sao_Paulo") == "2015-10-18T03:00:00"


def test_times_without_offset_need_a_zone_that_exists(tmp_path):
    path = table(tmp_path, GOOD.replace("+08:00", ""))
    with pytest.raises(
        InvalidInput, match="'2026-03-01T08:00:00' has no UTC offset; name its zone, like --time"
    ):
        read_incidents(path)
    for zone in ("Mars/Olympus", "../etc", ""):
        with pytest.raises(InvalidInput, match=r"time zone .* is unknown"):
            read_incidents(path, time_zone=zone)


def test_the_order_of_dates_is_asked_for_and_a_wrong_one_recognised(tmp_path):
    rows = [f"{i},{i + 1:02}/03/2026,x,113.13,27.83" for i in range(31)]
    path = table(tmp_path, *rows)
    with pytest.raises(InvalidInput, match="year last; say --day-first or --month-first"):
        read_incidents(path, time_zone="UTC")
    with pytest.raises(
        InvalidInput, match="19 dates like '13/03/2026' are not written month first but day first"
    ):
        read_incidents(path, time_zone="UTC", date_order="mdy", keep_good=True)
    read = read_incidents(path, time_zone="UTC", date_order="dmy")
    assert [i.occurred.day for i in read.incidents] == list(range(1, 32))


def test_a_single_date_with_the_year_last_is_refused_with_its_row(tmp_path):
    read = read_incidents(
        table(tmp_path, GOOD, GOOD.replace("a,", "b,"), "c,1/3/2026,x,1,1"), keep_good=True, time_zone="UTC"
    )
    assert [(r.row, r.reason) for r in read.refused] == [
        (4, "occurred: '1/3/2026': is the day or the month first?")
    ]


def test_what_is_in_the_future_is_refused(tmp_path):
    read = read_incidents(table(tmp_path, GOOD), not_after=datetime(2026, 2, 28, tzinfo=UTC))
    assert "is in the future" in read.refused[0].reason


# --- places


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


# --- Excel


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


# --- GeoJSON


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(tmp_path, *features, **more):
    text = json.dumps({"type": "FeatureCollection", "features": features, **more}, ensure_ascii=False)
    return written(tmp_path, text, "calls.geojson")


POINT = {"type": "Point", "coordinates": [113.13, 27.83]}
WHEN = {"occurred": "2026-03-01T08:00:00+08:00", "kind": "盗窃"}


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


# --- files of the wrong kind


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
