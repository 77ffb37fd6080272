"""Speeds by road class and hour: learned from tracks, written, read, and followed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from geo_policing_sample_city.fleet import enlist, make_world, move

from benchmarks import watches
from geo_policing.cli.learn_speeds import learn_speeds
from geo_policing.cli.reconstruct import reconstruct as reconstruct_command
from geo_policing.errors import InvalidFile, InvalidInput, Unavailable
from geo_policing.matching import Matcher
from geo_policing.model import Device, DeviceKind, Fix, FixColumns, Sighting, TimeWindow, from_us
from geo_policing.roads import Access, RoadClass
from geo_policing.store import FixStore, open_records
from geo_policing.tracks import MovementModel, Speeds, reconstruct
from geo_policing.tracks.learning import Driven, learn
from geo_policing.tracks.speeds import PRIOR_S, bent
from tests.matching.city import LAT, LON, STEP, drive, grid

#: Eight in the morning of Shanghai.
EIGHT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
MODEL = MovementModel.of("car")
EAST = [f"{i}>{i + 1}" for i in range(5)]


def town(fast=RoadClass.ARTERIAL):
    """A grid whose southern road is of one class and all others streets."""
    network = grid()
    southern = [name in EAST for name in network.edge_ids]
    return replace(network, road_class=np.where(southern, fast, RoadClass.STREET).astype(np.uint8))


def eastward(network, speed_mps, begin=EIGHT, every_s=5.0):
    lon, lat = drive(network, EAST, spacing_m=speed_mps * every_s)
    return begin.timestamp() + every_s * np.arange(len(lon)), lon, lat


def driven(network, *trace, dated=True):
    return Driven(*trace, Matcher(network, access=Access.CAR).match(*trace), dated)


def learned_of(network, times, **trace):
    return learn(network, [driven(network, *eastward(network, **trace))] * times, MODEL, "Asia/Shanghai")


def mean(share):
    return float(share @ MODEL.speed_mps)


def test_speeds_are_counted_by_road_class_and_by_the_hour_of_the_place():
    network = town()
    found = learned_of(network, 60, speed_mps=18.0)
    assert set(found.share) == {(RoadClass.ARTERIAL, None), (RoadClass.ARTERIAL, 8)}
    assert found.seconds[RoadClass.ARTERIAL, 8] == found.seconds[RoadClass.ARTERIAL, None] > PRIOR_S
    usual = mean(MODEL.start / MODEL.start.sum())
    assert (
        usual < mean(found.share[RoadClass.ARTERIAL, None]) < mean(found.share[RoadClass.ARTERIAL, 8]) < 18.0
    )


def test_where_little_was_driven_speeds_stay_near_the_default():
    once, often = (
        learned_of(town(), times, speed_mps=18.0).share[RoadClass.ARTERIAL, 8] for times in (1, 200)
    )
    default = MODEL.start / MODEL.start.sum()
    assert np.abs(once - default).max() < 0.1
    assert often[6] > 0.9


def test_a_track_without_a_date_tells_of_no_hour():
    network = town()
    trace = eastward(network, 10.0, begin=datetime.fromtimestamp(0, UTC))
    found = learn(network, [driven(network, *trace, dated=False)], MODEL, "Asia/Shanghai")
    assert set(found.share) == {(RoadClass.ARTERIAL, None)}


def test_parking_is_no_speed_of_the_road_and_waiting_is():
    network = town()
    t, lon, lat = eastward(network, 10.0)
    for stop_s, stands in ((120.0, True), (1200.0, False)):
        n = int(stop_s / 5.0)
        stopped = [np.concatenate([v[:8], np.full(n, v[8]), v[8:]]) for v in (lon, lat)]
        times = t[0] + 5.0 * np.arange(len(stopped[0]))
        found = learn(network, [driven(network, times, *stopped)], MODEL, "Asia/Shanghai")
        assert (found.seconds[RoadClass.ARTERIAL, None] > t[-1] - t[0] + 60.0) == stands


def test_what_is_written_is_read_again(tmp_path):
    found = learned_of(town(), 60, speed_mps=18.0)
    found.write(tmp_path / "speeds.json")
    again = Speeds.read(tmp_path / "speeds.json")
    assert (again.mode, again.time_zone) == ("car", "Asia/Shanghai")
    assert set(again.share) == set(found.share)
    for key, share in found.share.items():
        assert again.share[key] == pytest.approx(share, abs=1e-5)
        assert again.seconds[key] == pytest.approx(found.seconds[key], abs=0.1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "something else"}, "its format is not"),
        ({"time_zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"rows": [{"road_class": "ROAD", "hour": None, "seconds": 1, "share": [1]}]}, "road_class 'ROAD'"),
        (
            {"rows": [{"road_class": "STREET", "hour": 24, "seconds": 1, "share": [1]}]},
            "hour 24 is not 0 to 23",
        ),
        (
            {"rows": [{"road_class": "STREET", "hour": 8, "seconds": 1, "share": [1]}]},
            "share is not 10 numbers",
        ),
        ({"rows": [{"road_class": "STREET", "hour": 8}]}, "'share' is missing"),
        ({"rows": 7}, "no file of speeds"),
        ({"speed_mps": [3, 2, 1]}, "speed_mps does not rise"),
        ({"mode": ...}, "'mode' is missing"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, change, says):
    path = tmp_path / "speeds.json"
    learned_of(town(), 1, speed_mps=10.0).write(path)
    given = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps({k: v for k, v in given.items() if v is not ...}), encoding="utf-8")
    with pytest.raises(InvalidFile) as refused:
        Speeds.read(path)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00\xff"])
def test_what_is_no_json_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "speeds.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidFile, match=r"no file of speeds: .*make it with geo-policing learn-speeds"):
        Speeds.read(path)
    with pytest.raises(InvalidFile, match="cannot be read"):
        Speeds.read(tmp_path / "nothing.json")


def test_a_window_takes_the_hours_that_it_covers():
    slow, fast = np.eye(10)[2], np.eye(10)[6]
    street = RoadClass.STREET
    share = {(street, None): slow, (street, 8): fast}
    speeds = Speeds("car", "Asia/Shanghai", MODEL.speed_mps, share, dict.fromkeys(share, 1e6))

    def of(begin_min, end_min):
        window = TimeWindow(EIGHT + timedelta(minutes=begin_min), EIGHT + timedelta(minutes=end_min))
        return speeds.within(window)[street]

    assert of(5, 50) == pytest.approx(fast)
    assert of(-30, 30) == pytest.approx((slow + fast) / 2)
    assert of(-120, 120) == pytest.approx(0.75 * slow + 0.25 * fast)


def test_a_bent_chain_comes_to_the_shares_and_an_unbent_one_is_left_alone():
    rng = np.random.default_rng(1)
    chain = rng.dirichlet(np.full(4, 0.5), 4) * 0.2 + 0.8 * np.eye(4)
    usual = np.linalg.matrix_power(chain, 5000)[0]
    assert bent(chain, np.ones(4)) == pytest.approx(chain)
    wanted = np.array([0.1, 0.2, 0.3, 0.4])
    found = bent(chain, wanted / usual)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert np.linalg.matrix_power(found, 5000)[0] == pytest.approx(wanted, abs=1e-4)
    assert np.diag(found).min() > 0.5


def test_a_road_that_is_fast_at_this_hour_is_taken_to_be_fast():
    network = town()
    found = learned_of(network, 200, speed_mps=18.0)
    ends = [Sighting(EIGHT + timedelta(seconds=s), LON + STEP * 0.5, LAT, 20.0) for s in (0, 1)]
    window = TimeWindow(EIGHT, EIGHT + timedelta(seconds=40))

    def gone_m(model):
        there = reconstruct(network, ends, model, window)
        bins, mass = there.smoothed.bins[-1], there.smoothed.mass[-1]
        southern = np.isin(there.lattice.edge[bins], [network.edge_ids.index(e) for e in EAST])
        metres = there.lattice.edge[bins] * 197.0 + there.lattice.start_m[bins]
        return float((mass * metres)[southern].sum() / mass[southern].sum())

    assert gone_m(MovementModel.of("car", found)) > gone_m(MODEL) + 60.0


def test_speeds_of_others_or_of_other_classes_are_refused():
    found = learned_of(town(), 1, speed_mps=10.0)
    with pytest.raises(InvalidInput, match="learned of car, not of foot"):
        MovementModel.of("foot", found)
    with pytest.raises(InvalidInput, match="learn them again"):
        MovementModel.of("car", replace(found, speed_mps=found.speed_mps * 2.0))


@cache
def lived():
    """Network of the sample city, its cars for half an hour, and how fast each class truly was, m/s."""
    city = watches.city_of()
    network, world = city.network, make_world(city, 8.0, 1800, 3)
    moved = []
    cars = [member for member in enlist(120) if member.kind in watches.CARS][:24]
    move(cars, world, 3, lambda _, movement: moved.append(movement))
    tracks, metres, seconds = [], np.zeros(16), np.zeros(16)
    matcher = Matcher(network, access=Access.CAR)
    for number, movement in enumerate(moved):
        on = ~movement.off
        road_class = network.road_class[world.ways.edge[movement.way]]
        np.add.at(metres, road_class[on], movement.speed_mps[on])
        np.add.at(seconds, road_class[on], 1.0)
        noise = np.random.default_rng(number).normal(0.0, 1.0, (2, len(on)))
        lon, lat = network.plane.inverse(movement.x + noise[0], movement.y + noise[1])
        t = EIGHT.timestamp() + np.arange(len(on), dtype=float)
        tracks.append(Driven(t, lon, lat, matcher.match(t, lon, lat)))
    return network, tracks, metres / np.maximum(seconds, 1.0), seconds


def test_the_speeds_of_the_sample_city_are_recovered_from_its_drives():
    network, tracks, true_mps, true_s = lived()
    found = learn(network, tracks, MODEL, "Asia/Shanghai")
    well_known = [c for c in RoadClass if true_s[c] > 3600.0]
    assert len(well_known) >= 2
    for road_class in well_known:
        seconds = found.seconds[road_class, None]
        # What was known beforehand is taken out again.
        share = (
            found.share[road_class, None] * (seconds + PRIOR_S) - PRIOR_S * MODEL.start / MODEL.start.sum()
        )
        assert mean(share / seconds) == pytest.approx(true_mps[road_class], rel=0.15, abs=0.5)


def fixes_of(t, lon, lat, device="taxi-1"):
    return FixColumns.from_fixes(
        Fix(device, round(s * 1e6), x, y)
        for s, x, y in zip(t.tolist(), lon.tolist(), lat.tolist(), strict=True)
    )


def test_the_command_learns_from_a_file_and_reconstructs_with_what_it_learned(tmp_path, capsys):
    network = town()
    network.save(tmp_path / "town.roads")
    t, lon, lat = eastward(network, 18.0)
    times = [datetime.fromtimestamp(s, UTC).isoformat() for s in t]
    rows = [f"one,{time},{x},{y}" for time, x, y in zip(times, lon, lat, strict=True)]
    (tmp_path / "fixes.csv").write_text("track,t,lon,lat\n" + "\n".join(rows), encoding="utf-8")
    learn_speeds(tmp_path / "town.roads", tmp_path / "speeds.json", fixes=tmp_path / "fixes.csv")
    told = capsys.readouterr().out
    assert told.startswith("ARTERIAL\t")
    found = Speeds.read(tmp_path / "speeds.json")
    assert set(found.share) == {(RoadClass.ARTERIAL, None), (RoadClass.ARTERIAL, 8)}

    seen = "time,lon,lat\n" + "".join(
        f"{(EIGHT + timedelta(seconds=s)).isoformat()},{LON + STEP * s / 20.0},{LAT}\n" for s in (10, 60)
    )
    (tmp_path / "seen.csv").write_text(seen, encoding="utf-8")
    answers = []
    for speeds in (None, tmp_path / "speeds.json"):
        reconstruct_command(
            *(tmp_path / "town.roads", tmp_path / "seen.csv", tmp_path / "out.geojson"), speeds=speeds
        )
        answers.append(json.loads((tmp_path / "out.geojson").read_text(encoding="utf-8")))
    assert "speeds" not in answers[0]["inputs"]
    assert len(answers[1]["inputs"]["speeds"]) == 64
    assert answers[0]["log_evidence"] != answers[1]["log_evidence"]


def test_the_command_learns_from_the_cars_of_the_history_alone(tmp_path):
    network = town()
    network.save(tmp_path / "town.roads")
    t, lon, lat = eastward(network, 18.0)
    with open_records(tmp_path, None) as records:
        records.devices.create(Device("taxi-1", DeviceKind.TAXI))
        records.devices.create(Device("walker", DeviceKind.OFFICER))
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(fixes_of(t, lon, lat))
        store.append(fixes_of(*eastward(network, 3.0), device="walker"))
    window = TimeWindow(EIGHT, from_us(round((t[-1] + 1) * 1e6)))
    learn_speeds(
        *(tmp_path / "town.roads", tmp_path / "speeds.json"),
        window=f"{window.start.isoformat()}/{window.end.isoformat()}",
        data_dir=tmp_path,
    )
    found = Speeds.read(tmp_path / "speeds.json")
    assert found.seconds[RoadClass.ARTERIAL, None] == pytest.approx(t[-1] - t[0], abs=5.0)
    with open_records(tmp_path, None) as records:
        ended, begun = records.looks.list()
    # That tracks were read is recorded, before they are and with how many.
    assert (begun.question.startswith("geo-policing learn-speeds ("), begun.rows) == (True, 0)
    assert (ended.question.endswith(": ended"), ended.rows) == (True, 1)
    assert (ended.start_us, ended.end_us) == (window.start_us, window.end_us)


def test_the_command_says_what_it_needs(tmp_path):
    grid().save(tmp_path / "town.roads")
    roads, out = tmp_path / "town.roads", tmp_path / "speeds.json"
    with pytest.raises(InvalidInput, match="give --fixes FILE, or --window"):
        learn_speeds(roads, out)
    with pytest.raises(InvalidInput, match="no folder"):
        learn_speeds(roads, tmp_path / "nowhere" / "speeds.json", fixes=roads)
    window = "2026-03-02T00:00:00Z/2026-03-02T01:00:00Z"
    with pytest.raises(Unavailable, match="there is no history"):
        learn_speeds(roads, out, window=window, data_dir=tmp_path)
    far = tmp_path / "far.csv"
    far.write_text("track,t,lon,lat\na,0,114.9,27.1\na,5,114.9,27.1\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no track tells a speed"):
        learn_speeds(roads, out, fixes=far)
    assert not out.exists()
