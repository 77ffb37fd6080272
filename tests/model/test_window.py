from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput, InvalidTimeWindow
from geo_policing.model import TimeWindow, format_instant, from_us, parse_instant, to_us


def test_a_window_is_read_from_start_slash_end():
    window = TimeWindow.parse("2026-03-01T08:00:00+08:00/2026-03-01T09:00:00+08:00")
    assert window.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert window.end - window.start == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-03-01T08:00:00Z", "write start/end"),
        ("a/b", "no RFC 3339 time"),
        ("2026-03-01T08:00:00/2026-03-01T09:00:00Z", "no UTC offset"),
        ("2026-03-01T09:00:00Z/2026-03-01T08:00:00Z", "not before end.*; swap them"),
        ("2026-03-01T09:00:00Z/2026-03-01T09:00:00Z", "not before end.*; the end must be later, like 2026"),
        ("../2026-03-01T09:00:00Z", "no RFC 3339 time"),
        ("", "write start/end"),
    ],
)
def test_a_malformed_window_names_field_and_remedy(text, says):
    with pytest.raises(InvalidTimeWindow, match=says) as caught:
        TimeWindow.parse(text)
    assert caught.value.field == "datetime"


def test_a_window_holds_its_start_and_not_its_end():
    window = TimeWindow.parse("2026-03-01T00:00:00Z/2026-03-01T01:00:00Z")
    assert window.start_us in window
    assert window.end_us not in window
    assert window.end_us - 1 in window


def test_a_window_without_offset_is_refused():
    with pytest.raises(InvalidTimeWindow):
        TimeWindow(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001 - naive on purpose


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_microseconds_keep_an_instant_exactly(naive, hours):
    instant = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert from_us(to_us(instant)) == instant
    assert parse_instant(format_instant(to_us(instant))) == instant


def test_an_instant_without_offset_is_refused():
    with pytest.raises(InvalidInput, match="UTC offset"):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose
