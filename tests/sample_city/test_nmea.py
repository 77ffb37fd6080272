"""What the receivers say is NMEA, and says what they measured."""

from functools import reduce
from operator import xor

import numpy as np
import pytest
from geo_policing_sample_city.nmea import CHANNELS, Sky, write_epochs
from geo_policing_sample_city.receivers import FIX, MODELS

from geo_policing.ingest.nmea0183 import Decoder


@pytest.fixture(scope="module")
def told(life):
    """For each of the fleet: the member, what was observed, and its sentences."""
    sky = Sky(113.13, 27.83)
    return [
        (member, observed, b"".join(write_epochs(member.id, observed, slice(0, len(observed.state)), sky)))
        for member, observed in zip(life.members, life.observed, strict=True)
    ]


def test_every_fix_decodes_to_the_time_and_place_that_was_measured(told):
    for member, observed, text in told:
        decoder = Decoder()
        fixes = decoder.feed(text) + decoder.flush()
        fixed = observed.state == FIX
        assert [fix.time for fix in fixes] == (observed.time_ms[fixed] * 1000).tolist()
        half_digit = 0.51 * 10.0**-observed.model.decimals / 60
        assert np.abs([fix.lon for fix in fixes] - observed.lon[fixed]).max(initial=0) < half_digit
        assert np.abs([fix.lat for fix in fixes] - observed.lat[fixed]).max(initial=0) < half_digit
        assert {fix.device for fix in fixes} <= {member.id}


def test_nothing_is_broken_unreadable_or_undated(told):
    decoder = Decoder()
    for _, _, text in told:
        decoder.feed(text)
    decoder.flush()
    counts = decoder.framing
    assert (counts.bad_checksums, counts.bad_tag_blocks, counts.overlong, counts.junk_bytes) == (0, 0, 0, 0)
    assert (decoder.decoding.unreadable, decoder.decoding.undated, decoder.decoding.ignored) == (0, 0, 0)


def test_checksums_are_the_xor_of_what_stands_between(told):
    for _, _, text in told[:3]:
        for line in text.splitlines():
            _, tag, sentence = line.split(b"\\")
            for part in (tag, sentence[1:]):
                body, given = part.split(b"*")
                assert given == b"%02X" % reduce(xor, body)


def test_speed_course_and_height_come_through(told):
    for _, observed, text in told:
        if not {"RMC", "GGA"} <= set(observed.model.sentences):
            continue
        decoder = Decoder()
        fixes = decoder.feed(text) + decoder.flush()
        fixed = observed.state == FIX
        assert [fix.speed_mps for fix in fixes] == pytest.approx(observed.speed_mps[fixed], abs=0.02)
        assert [fix.course_deg for fix in fixes] == pytest.approx(
            np.round(observed.course_deg[fixed], 1) % 360, abs=0.06, nan_ok=True
        )
        assert [fix.alt_m for fix in fixes] == pytest.approx(observed.alt_m[fixed], abs=0.06)


def test_beidou_satellites_are_counted_of_receivers_that_list_them(told):
    listing = 0
    for _, observed, text in told:
        if "GSA" not in observed.model.sentences or (observed.state == FIX).sum() < 40:
            continue
        decoder = Decoder()
        fixes = decoder.feed(text) + decoder.flush()
        counts = np.array([fix.beidou_satellites for fix in fixes])
        assert counts.max() <= CHANNELS["GB"]
        # The list comes after the position, and is forgotten where there is none.
        losses = (np.diff(observed.state) < 0).sum()
        assert (counts[observed.model.every :] < 4).sum() <= 2 * losses
        listing += 1
    assert listing > 10


def test_the_fleet_speaks_with_mixed_talkers_and_sentences(told):
    addresses = {line.split(b"$")[1][:5] for _, _, text in told for line in text.splitlines()}
    assert {address[:2] for address in addresses} >= {b"GN", b"GP", b"GB", b"BD"}
    assert {address[2:] for address in addresses} >= {
        b"RMC",
        b"GGA",
        b"GSA",
        b"GSV",
        b"GST",
        b"VTG",
        b"ZDA",
        b"GLL",
        b"GNS",
    }
    assert {name for model in MODELS.values() for name in model.sentences} >= {"RMC", "GNS", "ZDA"}


def test_epochs_come_out_the_same_whichever_part_of_them_is_written(life):
    observed = life.observed[0]
    whole = write_epochs("A", observed, slice(0, 60), Sky(113.13, 27.83))
    halves = [write_epochs("A", observed, part, Sky(113.13, 27.83)) for part in (slice(0, 23), slice(23, 60))]
    assert halves[0] + halves[1] == whole
