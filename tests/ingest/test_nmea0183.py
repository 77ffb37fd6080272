import json
import math
import re
from functools import reduce
from itertools import pairwise
from operator import xor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.cli.decode import decode
from geo_policing.ingest.nmea0183 import Decoder
from geo_policing.ingest.nmea0183.framing import MAX_GROUPS, MAX_LINE
from geo_policing.ingest.protocols import PROTOCOLS
from geo_policing.model import format_instant, parse_instant, to_us
from tests.shared_data import shared


def sentence(body, tag=""):
    def signed(text):
        return f"{text}*{reduce(xor, text.encode()):02X}"

    block = f"\\{signed(tag)}\\" if tag else ""
    return f"{block}${signed(body)}\r\n".encode()


def rmc(
    clock, day="010326", lat="2749.8000", lon="11307.8000", talker="GN", status="A", tag="", course="90.0"
):
    return sentence(f"{talker}RMC,{clock},{status},{lat},N,{lon},E,19.44,{course},{day},,,A", tag)


def gga(clock, lat="2749.8000", lon="11307.8000", talker="GN", quality=1, tag=""):
    return sentence(f"{talker}GGA,{clock},{lat},N,{lon},E,{quality},12,0.8,63.5,M,-15.0,M,,", tag)


def decoded(data, received_at=0):
    decoder = Decoder()
    return decoder.feed(data, received_at) + decoder.flush(received_at)


def times(fixes):
    return [format_instant(fix.time) for fix in fixes]


def test_the_sentences_of_one_instant_make_one_fix():
    (fix,) = decoded(rmc("000001.00") + gga("000001.00") + sentence("GNGST,000001.00,,,,,3.0,4.0,6.0"))
    assert times([fix]) == ["2026-03-01T00:00:01Z"]
    assert (fix.lon, fix.lat) == (pytest.approx(113.13, abs=1e-9), pytest.approx(27.83, abs=1e-9))
    assert fix.speed_mps == pytest.approx(10.0, abs=0.01)
    assert (fix.course_deg, fix.alt_m, fix.satellites, fix.quality) == (90.0, 63.5, 12, 1)
    assert fix.accuracy_m == 5.0
    assert fix.sentence == "RMC+GGA+GST"


def test_without_error_estimates_accuracy_is_hdop_times_the_range_error():
    (fix,) = decoded(rmc("000001") + gga("000001"))
    assert fix.accuracy_m == pytest.approx(0.8 * 5.0)


@pytest.mark.parametrize("kind", ["RMC", "VTG"])
@given(
    text=st.floats(-1e6, 1e6).map(repr) | st.sampled_from(["-1e-30", "360", "-360", "359.9999999999", "-0.0"])
)
def test_a_course_is_never_less_than_nothing_nor_a_full_circle(kind, text):
    said = rmc("000001") if kind == "VTG" else rmc("000001", course=text)
    (fix,) = decoded(said + (sentence(f"GNVTG,{text},T,,M,19.44,N,36.0,K,A") if kind == "VTG" else b""))
    assert 0 <= fix.course_deg < 360
    assert np.float32(fix.course_deg) < 360
    assert fix.as_json()["course_deg"] < 360
    turned = abs(fix.course_deg - float(text)) % 360
    assert min(turned, 360 - turned) < 0.0061


def test_what_is_not_said_is_unknown():
    (fix,) = decoded(sentence("GPRMC,000001,A,2749.8,N,11307.8,W,,,010326,,"))
    assert math.isnan(fix.speed_mps)
    assert math.isnan(fix.course_deg)
    assert fix.lon < 0


@pytest.mark.parametrize("talker", ["GN", "GP", "GB", "BD", "GL", "GA", "GQ", "PQ"])
def test_every_talker_is_heard(talker):
    assert len(decoded(rmc("000001", talker=talker))) == 1


def test_a_position_without_date_is_dated_by_the_last_that_had_one_across_midnight():
    log = rmc("235959", day="280226") + gga("235959") + gga("000000") + gga("000001")
    assert times(decoded(log)) == ["2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-01T00:00:01Z"]


def test_a_position_from_before_midnight_that_comes_late_keeps_its_day():
    log = rmc("000000", day="010326") + gga("235959")
    assert times(decoded(log)) == ["2026-03-01T00:00:00Z", "2026-02-28T23:59:59Z"]


def test_zda_dates_a_position():
    assert times(decoded(sentence("GNZDA,120000.00,01,03,2026,00,00") + gga("120000.00"))) == [
        "2026-03-01T12:00:00Z"
    ]


def test_a_leap_second_is_the_next_second():
    assert times(decoded(rmc("235960", day="311216"))) == ["2017-01-01T00:00:00Z"]


def test_a_position_that_nothing_dates_is_counted_and_not_guessed():
    decoder = Decoder()
    assert decoder.feed(gga("120000")) + decoder.flush() == []
    assert decoder.decoding.undated == 1


def test_a_tag_block_names_the_device_and_dates_its_position():
    now = to_us(parse_instant("2026-03-01T00:00:05Z"))
    log = gga("235959", tag=f"s:patrol-07,c:{now // 1_000_000}")
    (fix,) = decoded(log)
    assert fix.device == "patrol-07"
    assert times([fix]) == ["2026-02-28T23:59:59Z"]


def test_two_receivers_on_one_line_do_not_mix():
    log = b""
    for second in range(3):
        for device, lon in (("a", "11307.0"), ("b", "11308.0")):
            log += rmc(f"00000{second}", lon=lon, tag=f"s:{device}")
            log += gga(f"00000{second}", lon=lon, tag=f"s:{device}")
    fixes = decoded(log)
    assert len(fixes) == 6
    assert {(f.device, round(f.lon * 60) % 60) for f in fixes} == {("a", 7), ("b", 8)}


def test_the_lines_of_a_group_are_of_the_source_that_its_first_line_names():
    group = rmc("000001", tag="g:1-2-34,s:patrol-07") + gga("000001", tag="g:2-2-34")
    assert [(f.device, f.sentence) for f in decoded(group)] == [("patrol-07", "RMC+GGA")]
    again = rmc("000002", tag="g:1-2-34,s:bus-12") + gga("000002", tag="g:2-2-34")
    assert [f.device for f in decoded(group + again)] == ["patrol-07", "bus-12"]


def test_the_number_of_a_group_that_has_ended_or_was_never_begun_names_nobody():
    group = rmc("000001", tag="g:1-1-34,s:patrol-07") + rmc("000002", tag="g:2-2-34")
    assert [f.device for f in decoded(group)] == ["patrol-07", ""]
    assert [f.device for f in decoded(rmc("000001", tag="g:2-2-1"))] == [""]
    assert [f.device for f in decoded(rmc("000001", tag="g:1-x-1,s:a") + rmc("000002", tag="g:2-x-1"))] == [
        "a",
        "",
    ]


def test_a_source_of_its_own_wins_over_the_groups_and_the_groups_time_dates_what_has_none():
    now = to_us(parse_instant("2026-03-01T00:00:05Z")) // 1_000_000
    log = (
        gga("235958", tag=f"g:1-3-7,s:a,c:{now}")
        + gga("235959", tag="g:2-3-7")
        + gga("000001", tag="g:3-3-7,s:b")
    )
    assert [(f.device, format_instant(f.time)) for f in decoded(log)] == [
        ("a", "2026-02-28T23:59:58Z"),
        ("a", "2026-02-28T23:59:59Z"),
        ("b", "2026-03-01T00:00:01Z"),
    ]


def test_groups_that_are_never_ended_do_not_fill_the_memory():
    decoder = Decoder()
    for number in range(3 * MAX_GROUPS):
        decoder.feed(rmc("000001", tag=f"g:1-2-{number},s:a"))
    assert len(decoder._framer._groups) == MAX_GROUPS


def test_a_week_rollover_is_undone_by_the_time_of_receipt():
    now = to_us(parse_instant("2026-03-01T00:00:02Z"))
    assert times(decoded(rmc("000001", day="160706"), received_at=now)) == ["2026-03-01T00:00:01Z"]


def test_an_old_log_that_is_replayed_keeps_its_date():
    now = to_us(parse_instant("2026-03-01T00:00:02Z"))
    assert times(decoded(rmc("000001", day="180706"), received_at=now)) == ["2006-07-18T00:00:01Z"]


def test_a_receiver_that_says_it_has_no_fix_gives_none():
    assert decoded(rmc("000001", status="V") + gga("000001", quality=0)) == []
    assert decoded(sentence("GNRMC,000001,A,2749.8,N,11307.8,E,,,010326,,,N")) == []


def test_beidou_satellites_are_counted_by_system_talker_or_number():
    used = "01,02,03,,,,,,,,,,1.0,0.8,0.6"
    by_system = sentence(f"GNGSA,A,3,{used},1") + sentence(f"GNGSA,A,3,{used},4") + rmc("000001")
    by_talker = sentence(f"GPGSA,A,3,{used}") + sentence(f"BDGSA,A,3,{used}") + rmc("000001")
    by_number = sentence("GNGSA,A,3,01,02,201,202,203,,,,,,,,1.0,0.8,0.6") + rmc("000001")
    for log in (by_system, by_talker, by_number):
        assert [f.beidou_satellites for f in decoded(log)] == [3]


def test_a_system_id_of_the_makers_own_leaves_the_word_to_the_talker():
    used = "02,03,04,,,,,,,,,,5.1,1.3,4.9,3.3"
    assert [f.beidou_satellites for f in decoded(sentence(f"BDGSA,A,3,{used}") + rmc("000001"))] == [3]


def test_more_than_twelve_satellites_of_one_system_are_told_in_two_sentences():
    first = sentence("GNGSA,A,3,01,02,03,04,05,06,07,08,09,10,11,12,1.0,0.8,0.6,4")
    rest = sentence("GNGSA,A,3,13,14,15,,,,,,,,,,1.0,0.8,0.6,4")
    log = b"".join(rmc(f"00000{s}") + gga(f"00000{s}") + first + rest for s in range(5))
    assert [f.beidou_satellites for f in decoded(log)] == [15] * 5


def test_in_view_counts_only_where_nothing_says_what_is_used():
    view = sentence("GBGSV,1,1,03,01,45,120,40,02,30,200,38,03,10,300,,B")
    assert [f.beidou_satellites for f in decoded(view + rmc("000001"))] == [2]
    none = sentence("GNGSA,A,3,01,02,,,,,,,,,,,1.0,0.8,0.6,1")
    assert [f.beidou_satellites for f in decoded(view + none + rmc("000001"))] == [0]


GPS_USED = sentence("GNGSA,A,3,01,02,,,,,,,,,,,1.0,0.8,0.6,1")
BEIDOU_USED = sentence("GNGSA,A,3,06,16,21,33,38,,,,,,,,1.2,0.7,0.9,4")
BEIDOU_SEEN = sentence("GBGSV,1,1,03,01,45,120,40,02,30,200,38,03,10,300,,1")


def beidou_by_second(*cycles):
    """BeiDou satellites of the fixes of consecutive seconds, each with some sentences after its position."""
    log = b"".join(rmc(f"00{s // 60:02}{s % 60:02}") + cycle for s, cycle in enumerate(cycles))
    return [fix.beidou_satellites for fix in decoded(log)]


def test_beidou_satellites_are_forgotten_when_two_of_their_sentences_were_missed():
    told = beidou_by_second(*[GPS_USED + BEIDOU_USED] * 4, *[GPS_USED] * 5, *[GPS_USED + BEIDOU_USED] * 2)
    # The first that has them again is told where the ones before it ended: before its BeiDou sentence.
    assert told == [5] * 4 + [5, 5, 5, 0, 0] + [0, 5]


def test_satellites_told_with_every_tenth_position_hold_until_the_next():
    cycle = [GPS_USED + BEIDOU_USED, *[b""] * 9]
    assert beidou_by_second(*cycle * 4) == [5] * 40
    assert beidou_by_second(*cycle * 2, *[b""] * 30)[-1] == 0


def test_satellites_in_view_are_forgotten_like_those_used():
    assert beidou_by_second(*[BEIDOU_SEEN] * 3, *[b""] * 5) == [2] * 3 + [2, 2, 2, 0, 0]


def test_a_learned_end_of_cycle_tells_a_fix_without_waiting_for_the_next():
    decoder = Decoder()
    told = []
    for second in range(5):
        told += decoder.feed(rmc(f"00000{second}") + gga(f"00000{second}"))
    assert times(told)[-1] == "2026-03-01T00:00:04Z"
    assert len(told) == 5


def test_a_broken_checksum_is_counted_and_skipped():
    decoder = Decoder()
    log = rmc("000001") + rmc("000002").replace(b"2749", b"2750") + rmc("000003")
    assert times(decoder.feed(log) + decoder.flush()) == ["2026-03-01T00:00:01Z", "2026-03-01T00:00:03Z"]
    assert decoder.framing.bad_checksums == 1


def test_a_broken_tag_block_names_nobody():
    (fix,) = decoded(rmc("000001", tag="s:patrol-07").replace(b"patrol-07", b"patrol-08"))
    assert fix.device == ""


def test_sentences_that_run_together_and_binary_between_them_are_found():
    junk = bytes(range(256)) * 3 + b"$GPGGA,12\xb5\x62\x01\x07"
    log = junk + rmc("000001").rstrip() + rmc("000002").rstrip() + junk + b"\r\n" + rmc("000003")
    assert len(decoded(log)) == 3


@pytest.mark.parametrize(
    "body",
    [
        "GNRMC,000001,A,2760.0,N,11307.8,E,,,010326,,",
        "GNRMC,000001,A,9900.0,N,11307.8,E,,,010326,,",
        "GNRMC,250001,A,2749.8,N,11307.8,E,,,010326,,",
        "GNRMC,000001,A,2749.8,X,11307.8,E,,,010326,,",
        "GNRMC,000001,A,2749.8,N,11307.8,E,,,320326,,",
        "GNRMC,000001,A",
        "GNGGA,000001,2749.8,N,11307.8,E,x,12,0.8,1,M,,M,,",
        "GNRMC,000001,A,2749.8,N,11307.8,E,inf,,010326,,",
        "GNGGA,000001,2749.8,N,11307.8,E,1,-5,0.8,1,M,,M,,",
        "GNZDA,235959,31,12,9999,00,00",
        "GNZDA,235959,999999999999,12,2026,00,00",
        "GNGGA,000001,2749.8,N,11307.8,E,1,5,0.8,1e308,M,,M,,",
    ],
)
def test_a_sentence_that_makes_no_sense_is_counted_and_skipped(body):
    decoder = Decoder()
    assert decoder.feed(sentence(body)) + decoder.flush() == []
    assert decoder.decoding.unreadable == 1


def test_a_date_at_the_end_of_the_calendar_does_not_stop_the_stream():
    log = sentence("GNZDA,235959,31,12,9999,00,00") + gga("235959") + gga("000001") + rmc("000002")
    assert times(decoded(log)) == ["2026-03-01T00:00:02Z"]


def test_bytes_outside_verified_sentences_are_counted():
    decoder = Decoder()
    decoder.feed(b"\xb5\x62\x01" + rmc("000001") + b"hello\r\n")
    assert decoder.framing.junk_bytes == 3 + 5


def test_the_registry_makes_a_decoder_for_a_device():
    decoder = PROTOCOLS["nmea0183"]("patrol-07")
    assert [fix.device for fix in decoder.feed(rmc("000001")) + decoder.flush()] == ["patrol-07"]


clocks = st.integers(0, 86_399).map(lambda s: f"{s // 3600:02}{s // 60 % 60:02}{s % 60:02}")
tags = st.sampled_from(
    ["", "s:a", "g:1-2-7,s:b", "g:2-2-7", "g:1-3-8,s:c,c:1772323199", "g:2-3-8", "g:3-3-8", "c:1772323200123"]
)
pieces = st.one_of(
    st.binary(max_size=40),
    st.just(b"$" * MAX_LINE),
    st.builds(rmc, clocks, st.sampled_from(["010326", "160706", "311216", "", "290226"]), tag=tags),
    st.builds(gga, clocks, tag=tags),
    st.just(sentence("GNVTG,90.0,T,,M,19.44,N,36.0,K,A")),
    st.sampled_from([GPS_USED, BEIDOU_USED, BEIDOU_SEEN]),
)
received = st.sampled_from(
    [
        0,
        *(
            to_us(parse_instant(t))
            for t in ("2026-03-01T00:00:02Z", "2026-03-01T12:00:00Z", "2016-12-31T23:59:59Z")
        ),
    ]
)


@given(st.lists(pieces, max_size=25).map(b"".join), st.lists(st.integers(0, 4000), max_size=12), received)
def test_any_cut_into_chunks_gives_the_same_fixes(data, cuts, received_at):
    whole, chunked = Decoder(), Decoder()
    ends = sorted({min(c, len(data)) for c in cuts} | {0, len(data)})
    told = [f for a, b in pairwise(ends) for f in chunked.feed(data[a:b], received_at)]
    at_once = whole.feed(data, received_at)
    assert repr(told + chunked.flush(received_at)) == repr(at_once + whole.flush(received_at))
    assert (chunked.framing, chunked.decoding) == (whole.framing, whole.decoding)


@given(
    st.binary(max_size=3000), st.sampled_from(["RMC", "GGA", "GNS", "GLL", "VTG", "GSA", "GSV", "ZDA", "GST"])
)
def test_no_bytes_raise_and_memory_stays_bounded(data, kind):
    decoder = Decoder()
    text = "".join(chr(32 + b % 95) for b in data[:60])
    decoder.feed(data + sentence(f"GN{kind},{text.replace('$', ',').replace('*', ',')}"))
    assert len(decoder._framer._rest) < MAX_LINE
    decoder.flush()


CORPUS = sorted((Path(__file__).parents[1] / "corpus" / "nmea0183").glob("*.log"))


@pytest.mark.parametrize("log", CORPUS, ids=lambda path: path.stem)
def test_a_log_of_the_corpus_decodes_to_its_golden(log):
    data = log.read_bytes()
    said = re.search(rb"^# received: (\S+)", data, re.MULTILINE)
    received_at = to_us(parse_instant(said[1].decode())) if said else 0
    golden = log.with_suffix(".ndjson").read_text().splitlines()
    assert [fix.as_json() for fix in decoded(data, received_at)] == [json.loads(line) for line in golden]


@pytest.mark.parametrize("log", CORPUS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_log_of_the_corpus_may_come_in_any_chunks(log, size):
    data, decoder = log.read_bytes(), Decoder()
    told = [fix for i in range(0, len(data), size) for fix in decoder.feed(data[i : i + size])]
    assert repr(told + decoder.flush()) == repr(decoded(data))


@pytest.mark.parametrize("log", CORPUS, ids=lambda path: path.stem)
def test_a_log_of_the_corpus_says_in_its_head_why_it_is_there(log):
    head = [line for line in log.read_bytes().splitlines()[:3] if line.startswith(b"# ")]
    assert len(b" ".join(head)) > 80


def test_the_command_line_prints_one_object_a_fix(tmp_path, capfdbinary):
    log = tmp_path / "car.log"
    log.write_bytes(rmc("000001") + gga("000001") + b"$GPRMC,broken*00\r\n")
    decode([log])
    out, err = capfdbinary.readouterr()
    (fix,) = (json.loads(line) for line in out.splitlines())
    assert list(fix) == [
        *("device", "time", "lat", "lon", "alt_m", "speed_mps", "course_deg", "quality", "satellites"),
        *("beidou_satellites", "accuracy_m", "sentence"),
    ]
    assert (fix["time"], fix["device"]) == ("2026-03-01T00:00:01Z", None)
    assert b"1 broken checksums" in err


#: Logs in which not every epoch of gpsd's agrees, and why.
FALL_SHORT = {
    "ac12_binary": "gpsd takes RMC with four decimals of a minute, we take GGA, which has five",
    "ericsson-gru04-02-70sec": "gpsd takes two positions from the proprietary averages of $PERC,GPavp",
}


def test_positions_agree_with_gpsd_on_real_logs():
    folder = shared("nmea")
    told, agreed, short = 0, 0, set()
    for golden in sorted(folder.glob("*.ndjson")):
        ours = {}
        for fix in decoded(golden.with_suffix(".log").read_bytes()):
            ours.setdefault(fix.time, []).append((fix.lat, fix.lon))
        for line in golden.read_text().splitlines():
            tpv = json.loads(line)
            if tpv.get("class") != "TPV" or tpv.get("mode", 0) < 2 or not {"lat", "time"} <= tpv.keys():
                continue
            near = ours.get(to_us(parse_instant(tpv["time"])), [])
            fits = any(abs(a - tpv["lat"]) <= 2e-8 and abs(b - tpv["lon"]) <= 2e-8 for a, b in near)
            told += 1
            agreed += fits
            if not fits:
                short.add(golden.stem)
    assert told == 2962
    assert agreed / told >= 0.995
    assert short == FALL_SHORT.keys()
