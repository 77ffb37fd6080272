import csv
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing import cli
from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.ingest.incident_files import parse_mapping, read_incidents, write_refused
from geo_policing.model import IncidentState, Severity
from geo_policing.store import Records
from tests.ingest.incident_tables import GOOD, HEADER, chicago, table, written
from tests.shared_data import shared

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


def test_the_folder_that_an_import_makes_is_for_its_owner(tmp_path, monkeypatch):
    with pytest.raises(SystemExit) as exit_:
        run(monkeypatch, table(tmp_path, GOOD), "--data-dir", tmp_path / "data", "--time-zone", "UTC")
    assert exit_.value.code == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


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
