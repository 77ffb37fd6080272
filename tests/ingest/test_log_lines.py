"""Lines of a log: who said them and when, and the same lines with other times."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.ingest.log_lines import LogReader
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.model import parse_instant, to_us
from tests.ingest.lines import signed
from tests.shared_data import shared

HOUR = 3_600_000_000


def us(text):
    return to_us(parse_instant(text))


def line(*bodies, tag=""):
    block = f"\\{signed(tag)}\\" if tag else ""
    return (block + "".join(f"${signed(body)}\r\n" for body in bodies)).encode()


def read(*lines):
    reader = LogReader()
    return [reader.read(data) for data in lines]


def restamped(moved, *lines, **options):
    """What becomes of the last of some lines."""
    reader = LogReader()
    return [reader.restamped(reader.read(data), moved, **options) for data in lines][-1]


def an_hour_later(time):
    return time + HOUR


RMC = "GNRMC,235959.50,A,2749.8,N,11307.8,E,10.0,90.0,280226,,,A"
GGA = "GNGGA,000000.50,2749.8,N,11307.8,E,1,12,0.8,63.5,M,-15.0,M,,"


def test_a_tag_block_says_who_and_when():
    (said,) = read(line(RMC, tag="s:car-1,c:1790000000"))
    assert (said.source, said.time) == ("car-1", 1_790_000_000_000_000)
    (said,) = read(line(RMC, tag="c:1790000000123"))
    assert (said.source, said.time) == ("", 1_790_000_000_123_000)


def test_in_a_group_the_first_line_says_who_speaks():
    first, second, other = read(
        line(RMC, tag="s:car-1,g:1-2-34"), line(GGA, tag="g:2-2-34"), line(GGA, tag="g:2-2-35")
    )
    assert [first.source, second.source, other.source] == ["car-1", "car-1", ""]


def test_without_one_the_sentence_says_when_dated_by_the_last_that_had_a_date():
    rmc, gga, gsv = read(line(RMC), line(GGA), line("GPGSV,1,1,00"))
    assert rmc.time == us("2026-02-28T23:59:59.5Z")
    assert gga.time == us("2026-03-01T00:00:00.5Z")
    assert gsv.time is None


def test_each_source_has_a_date_of_its_own():
    old = RMC.replace("280226", "060180")
    *_, said = read(line(RMC, tag="s:a"), line(old, tag="s:b"), line(GGA, tag="s:a"))
    assert said.time == us("2026-03-01T00:00:00.5Z")


@pytest.mark.parametrize(
    ("body", "moved"),
    [
        (RMC, "GNRMC,005959.50,A,2749.8,N,11307.8,E,10.0,90.0,010326,,,A"),
        ("GNZDA,235959,28,02,2026,00,00", "GNZDA,005959,01,03,2026,00,00"),
        ("GPGLL,2749.8,N,11307.8,E,235959.000,A", "GPGLL,2749.8,N,11307.8,E,005959.000,A"),
        (GGA.replace("000000.50", "235959"), GGA.replace("000000.50", "005959")),
        ("GNGST,235959.5,,,,,3.0,4.0,6.0", "GNGST,005959.5,,,,,3.0,4.0,6.0"),
        ("GNGNS,235959.50,,,,,NN,,,,,,", "GNGNS,005959.50,,,,,NN,,,,,,"),
        ("GNRMC,235959.50,V,,,,,,,,,,N", "GNRMC,005959.50,V,,,,,,,,,,N"),
        ("GNRMC,,V,,,,,,,,,,N", "GNRMC,,V,,,,,,,,,,N"),
        ("GPGSV,1,1,01,235959,1,2,3", "GPGSV,1,1,01,235959,1,2,3"),
    ],
)
def test_times_and_dates_are_rewritten_and_signed_anew(body, moved):
    assert restamped(an_hour_later, line(RMC), line(body)) == line(moved)


def test_the_time_of_a_tag_block_is_rewritten_in_its_own_unit():
    for before, after in (("1790000000", "1790003600"), ("1790000000123", "1790003600123")):
        moved = restamped(an_hour_later, line(RMC, tag=f"s:car,c:{before},n:1"))
        assert moved.startswith(f"\\{signed(f's:car,c:{after},n:1')}\\$".encode())


def test_decimals_can_be_asked_for_so_that_fast_instants_stay_apart():
    assert b"235959.750," in restamped(lambda t: t + 250_000, line(RMC), decimals=3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\x00\xffbinary\n",
        line(RMC).replace(b"*", b"*0"),
        line(RMC).replace(b"A,27", b"A,28"),
        b"\\s:car,c:1790000000*00\\" + line("GPGSV,1,1,00"),
        line("GNRMC,996199,A,2749.8,N,11307.8,E,10.0,90.0,280226,,,A"),
        line("GNRMC"),
    ],
)
def test_what_is_broken_stays_as_it_was(data):
    assert restamped(an_hour_later, data) == data


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_whatever_stands_around_a_sentence_stays(before, after):
    before, after = before.replace(b"\\", b"").replace(b"$", b""), after.replace(b"\\", b"")
    data = before + line(RMC).strip() + b"\n" + after
    moved = line(RMC.replace("235959", "005959").replace("280226", "010326")).strip()
    assert restamped(an_hour_later, data) == before + moved + b"\n" + after


def test_a_time_that_is_moved_out_of_all_years_stays():
    assert restamped(lambda t: -(10**18), line(RMC)) == line(RMC)


def test_moving_a_real_log_by_days_moves_its_fixes_by_days_and_changes_nothing_else():
    days = 1_000 * 24 * HOUR
    for log in sorted(shared("nmea").glob("*.log")):
        reader, before, after = LogReader(), Decoder(), Decoder()
        fixes, moved = [], []
        for data in log.read_bytes().splitlines(keepends=True):
            fixes += before.feed(data)
            moved += after.feed(reader.restamped(reader.read(data), lambda t: t + days))
        fixes, moved = fixes + before.flush(), moved + after.flush()
        assert [same(f, time=f.time + days) for f in fixes] == [same(f) for f in moved], log.name


def same(fix, **changed):
    """A fix that can be compared: unknown numbers are None."""
    values = replace(fix, **changed)
    return tuple(
        None if isinstance(v, float) and math.isnan(v) else v
        for v in (getattr(values, name) for name in values.__slots__)
    )
