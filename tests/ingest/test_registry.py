"""Who may speak, and the quarantine of all others."""

import pytest

from geo_policing.errors import Conflict, InvalidInput, NotFound
from geo_policing.ingest.registry import SENTENCE_KEPT, Registry
from geo_policing.ingest.transports import Origin

LINE = Origin("tcp:7001", "10.0.0.5")


def test_a_line_is_mapped_by_port_and_host_or_port_or_host_the_narrowest_first():
    registry = Registry(lines={"tcp:7001/10.0.0.5": "both", "tcp:7001": "port", "10.0.0.5": "host"})
    assert registry.device_of(LINE) == "both"
    assert registry.device_of(Origin("tcp:7001", "10.0.0.6")) == "port"
    assert registry.device_of(Origin("tcp:7002", "10.0.0.5")) == "host"
    assert registry.device_of(Origin("tcp:7002", "10.0.0.6")) == ""
    assert registry.known == {"both", "port", "host"}


def test_a_stranger_is_kept_with_bytes_times_and_last_sentence():
    registry = Registry()
    registry.note("ghost", LINE, 10, 5, b"first")
    registry.note("ghost", LINE, 20, 7, b"last\x00" + b"x" * 999)
    registry.refuse("ghost", LINE, 30, 2)
    (stranger,) = registry.quarantine
    assert (stranger.key, stranger.named, stranger.origin) == ("ghost", True, "tcp:7001/10.0.0.5")
    assert (stranger.first_seen, stranger.last_seen, stranger.bytes, stranger.fixes) == (10, 30, 12, 2)
    assert stranger.last_sentence == ("last\N{REPLACEMENT CHARACTER}" + "x" * 999)[:SENTENCE_KEPT]


def test_quarantine_is_bounded_and_the_one_silent_longest_makes_room():
    registry = Registry(max_strangers=2)
    for at, device in enumerate(("a", "b", "a", "c")):
        registry.note(device, LINE, at, 1)
    assert [s.key for s in registry.quarantine] == ["c", "a"]


def test_an_admitted_device_is_known_and_leaves_quarantine():
    registry = Registry()
    registry.note("ghost", LINE, 1, 1)
    assert not registry.is_known("ghost")
    assert registry.check("ghost") == ("ghost", "")
    assert not registry.is_known("ghost")
    registry.admit("ghost")
    assert registry.is_known("ghost")
    assert registry.quarantine == []


def test_a_line_is_admitted_with_the_device_that_speaks_there():
    registry = Registry()
    registry.note("", LINE, 1, 1)
    with pytest.raises(InvalidInput, match="say which device"):
        registry.check(LINE.key)
    assert registry.check(LINE.key, "patrol-07") == ("patrol-07", LINE.key)
    assert [s.key for s in registry.quarantine] == [LINE.key]
    registry.admit("patrol-07", LINE.key)
    assert registry.device_of(LINE) == "patrol-07"
    assert registry.is_known("patrol-07")
    assert registry.quarantine == []


def test_a_device_that_names_itself_cannot_be_admitted_under_another_name():
    registry = Registry()
    registry.note("ghost", LINE, 1, 1)
    with pytest.raises(Conflict, match="names itself"):
        registry.check("ghost", "patrol-07")
    with pytest.raises(NotFound):
        registry.check("nobody", "patrol-07")


def test_a_line_that_was_admitted_is_known_and_may_be_given_to_another_device():
    registry = Registry(admitted_lines={LINE.key: "patrol-07"})
    assert registry.known == {"patrol-07"}
    assert registry.device_of(LINE) == "patrol-07"
    registry.admit(*registry.check(LINE.key, "patrol-08"))
    assert registry.device_of(LINE) == "patrol-08"


def test_of_a_line_in_the_settings_nobody_else_says_who_speaks():
    registry = Registry(lines={LINE.key: "patrol-07"}, admitted_lines={LINE.key: "patrol-08"})
    assert registry.device_of(LINE) == "patrol-07"
    with pytest.raises(Conflict, match="the settings say that patrol-07 speaks"):
        registry.check(LINE.key, "patrol-08")


@pytest.mark.parametrize("device", ["", "two words", "x" * 65, "<b>"])
def test_what_is_no_device_id_is_never_known(device):
    assert not Registry(admit_all=True).is_known(device)
    for refuse in (Registry().check, Registry().admit):
        with pytest.raises(InvalidInput):
            refuse(device)


def test_admitting_all_stops_at_its_bound():
    registry = Registry(admit_all=True, max_devices=2)
    assert [registry.is_known(device) for device in "abca"] == [True, True, False, True]
