from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput
from geo_policing.ingest.incident_files import read_incidents
from geo_policing.ingest.incident_files.times import read_instants
from tests.ingest.incident_tables import GOOD, table


def occurred(*cells, time_zone="Asia/Shanghai", **more):
    """What cells of one row, a column each, are read as: RFC 3339 in UTC, or the reason."""
    instants = read_instants([pd.Series([cell], dtype=object) for cell in cells], time_zone=time_zone, **more)
    us = int(instants.time_us[0])
    return instants.flaws.get(0) or (datetime(1970, 1, 1) + timedelta(microseconds=us)).isoformat()  # noqa: DTZ001


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
