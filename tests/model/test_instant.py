from datetime import UTC, datetime

import pytest

from geo_policing.errors import InvalidInput
from geo_policing.model import from_us, parse_instant, to_us

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00Z",
        "2026-03-02t12:00:00z",
        "2026-03-02 12:00:00Z",
        "2026-03-02T20:00:00+08:00",
        "2026-03-02T20:00:00.000000000+08:00",
        "2026-03-02T11:30:00-00:30",
        "2026-03-02T12:00:00-00:00",
        "2026-03-03T11:59:00+23:59",
    ],
)
def test_every_form_of_rfc_3339_is_read(text):
    assert parse_instant(text) == NOON


def test_of_a_fraction_six_digits_count():
    assert parse_instant("2026-03-02T12:00:00.1234569Z").microsecond == 123456


@pytest.mark.parametrize(
    "text",
    [
        "2026-W10-1T12:00:00Z",
        "20260302T120000Z",
        "20260302T12",
        "2026-03-02",
        "2026-03-02T12Z",
        "2026-03-02T12:00Z",
        "2026-03-02T12:00:00+08",
        "2026-03-02T12:00:00+0800",
        "2026-03-02T12:00:00+08:60",
        "2026-03-02T12:00:00+24:00",
        "2026-03-02T12:00:00+08:00:30",
        "2026-03-02T12:00:00,5Z",
        "2026-03-02T12:00:00.Z",
        "2026-03-02_12:00:00Z",
        "2026-03-02T24:00:00Z",
        "2026-03-02T24:00:00",
        "2026-03-02T25:00:00Z",
        "2026-03-02T12:60:00Z",
        "2026-03-02T12:00:61Z",
        "2026-02-29T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-3-2T12:00:00Z",
        "２０２６-03-02T12:00:00Z",
        "2026-03-02T12:00:00Z\n",
        " 2026-03-02T12:00:00Z",
        "2026-03-02T12:00:00 08:00",
        "1772452800",
        "",
        "now",
        "9" * 10_000,
    ],
)
def test_what_rfc_3339_does_not_know_is_refused_with_field_and_remedy(text):
    with pytest.raises(InvalidInput, match="is no RFC 3339 time; write it like 2026-03-01") as caught:
        parse_instant(text, field="datetime")
    assert (caught.value.field, caught.value.value) == ("datetime", text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["2026-03-02T12:00:00", "2026-03-02 12:00:00.5"])
def test_a_time_without_offset_is_refused_as_such(text):
    with pytest.raises(InvalidInput, match="has no UTC offset; append Z"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
def test_an_instant_beyond_the_years_of_utc_is_refused(text):
    with pytest.raises(InvalidInput, match="no RFC 3339 time"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_instant_are_kept_exactly(text):
    instant = parse_instant(text)
    assert from_us(to_us(instant)) == instant


@pytest.mark.parametrize(
    "text", ["2016-12-31T23:59:60Z", "2016-12-31T23:59:60.75Z", "2017-01-01T07:59:60+08:00"]
)
def test_a_leap_second_is_the_begin_of_the_next_day(text):
    assert parse_instant(text) == datetime(2017, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60+08:00",
        "2016-12-31T23:58:60Z",
        "9999-12-31T23:59:60Z",
        "2017-01-01T07:59:60",
    ],
)
def test_a_sixtieth_second_at_any_other_time_is_none(text):
    with pytest.raises(InvalidInput):
        parse_instant(text)
