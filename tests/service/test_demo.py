"""What a newcomer sees after `make run`: the command itself, small, on free ports."""

import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from geo_policing_sample_city import simulate

from geo_policing.cli.demo import Fleet, Making, build_city, drives_from, furnish, sign_in
from geo_policing.errors import InvalidInput
from geo_policing.model import Device
from geo_policing.store import open_records
from tests.service.running import events
from tests.service.test_process import free_port


def start(folder):
    """Start the command; return the process, and a client that is signed in."""
    web = free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "geo_policing", "demo", "--vehicles", "20", "--hours", "0.6"),
            *("--data-dir", str(folder), "--port", str(web), "--tcp", f"127.0.0.1:{free_port()}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            break
    assert process.poll() is None, process.stderr.read()
    name, password = re.search(r"sign in\s+(\S+)\s+(\S+)", said).groups()
    address = re.search(r"open\s+(\S+)maps/live", said)[1]
    client = httpx.Client(base_url=address, timeout=60)
    token = client.post("/api/sign-in", json={"name": name, "password": password}).json()["token"]
    client.headers["authorization"] = f"Bearer {token}"
    return process, client


def stop(process, client):
    client.close()
    process.send_signal(signal.SIGINT)
    code = process.wait(60)
    rest = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    return code, rest[0]


def moved(client, until):
    """Watch until a device was told of twice, at different places; return the first picture."""
    places, picture = {}, None
    with client.stream("GET", "/api/live") as stream:
        for _, kind, data in events(stream.iter_lines()):
            picture = picture or data
            for feature in data["features"] if kind == "units" else []:
                places.setdefault(feature["id"], set()).add(tuple(feature["geometry"]["coordinates"]))
            if sum(len(seen) > 1 for seen in places.values()) >= until:
                return picture
    raise AssertionError("the stream ended")


@pytest.fixture(scope="module")
def made(sample_city, tmp_path_factory):
    """A folder with a short life in the sample city that the tests share, without its map."""
    out = tmp_path_factory.mktemp("made") / "city"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "build_city", {7: sample_city}.__getitem__)
        simulate.make_sample_city(out, seed=7, vehicles=10, hours=0.1, city_map=False)
    return out


def test_a_newcomer_sees_a_city_at_work_and_asks_for_a_track(tmp_path):
    process, client = start(tmp_path)
    try:
        picture = moved(client, until=3)
        assert len(picture["incidents"]["features"]) > 3
        assert client.get("/maps/live").status_code == 200
        magic = client.get("/tiles/city.pmtiles", headers={"range": "bytes=0-6"})
        assert magic.content == b"PMTiles"
        now = datetime.now(UTC)
        window = {"datetime": f"{(now - timedelta(minutes=25)).isoformat()}/{now.isoformat()}"}
        patrols = [d["id"] for d in client.get("/api/devices").json() if d["kind"] == "patrol_car"]
        track = client.get(f"/api/tracks/{patrols[0]}", params=window | {"match": "true"}).json()
        roles = [feature["properties"]["role"] for feature in track["features"]]
        assert roles.count("fixes") == 1
        assert "path" in roles
        page = client.get(f"/maps/tracks/{patrols[0]}", params=window)
        assert page.status_code == 200
        before = {f["id"]: f["properties"]["time"] for f in client.get("/api/units").json()["features"]}
    finally:
        code, said = stop(process, client)
    assert (code, said) == (0, "stopped; nothing is lost\n")

    # The second start finds the city as it was, and the fleet where it has driven meanwhile.
    process, client = start(tmp_path)
    try:
        after = {f["id"]: f["properties"]["time"] for f in client.get("/api/units").json()["features"]}
        assert before.keys() <= after.keys()
        assert all(after[device] >= time for device, time in before.items())
        moved(client, until=1)
        # A receiver errs now and then; a fleet that was set back to its beginning would jump as a whole.
        refused = [device["refused"] for device in client.get("/api/devices").json()]
        assert sum("jump" in reasons for reasons in refused) <= 3
    finally:
        assert stop(process, client)[0] == 0


def test_a_city_that_was_furnished_by_half_is_furnished_whole(made, tmp_path):
    with open_records(tmp_path) as records:
        # Killed between its devices and its calls.
        records.devices.create(Device("PC-001"))
        furnish(records, made)
        furnish(records, made)
        assert len(records.devices.list()) == 10
        assert len(records.units.list()) > 0
        assert len(records.incidents.list(limit=1000)) > 0


def test_the_sign_in_is_told_again_until_the_note_is_gone(tmp_path):
    with open_records(tmp_path) as records:
        told = sign_in(records, tmp_path / "sign-in.txt")
        assert sign_in(records, tmp_path / "sign-in.txt") == told
        assert (tmp_path / "sign-in.txt").stat().st_mode & 0o077 == 0
        (tmp_path / "sign-in.txt").unlink()
        name, advice = sign_in(records, tmp_path / "sign-in.txt")
    assert name == "admin"
    assert f"account password admin --data-dir {tmp_path}" in advice


def test_another_city_than_the_one_there_is_refused_in_words(made, tmp_path):
    city = shutil.copytree(made, tmp_path / "city")
    (city / "city.roads").touch()
    (city / "city.pmtiles").touch()
    (tmp_path / "city.json").write_text('{"seed": 7, "vehicles": 10, "hours": 0.1}')
    assert build_city(city, None, None, None) == Making(7, 10, 0.1)
    assert build_city(city, 7, 10, None).hours == 0.1
    with pytest.raises(
        InvalidInput, match=r"made with vehicles 10; leave --vehicles out, or give another --d"
    ):
        build_city(city, None, 20, None)


def test_a_fleet_drives_on_and_sends_what_it_had_in_store():
    minute = 60_000_000
    now, long = 1_800_000_000_000_000, 120 * minute
    assert drives_from(now, None, 0, long) == (now - 30 * minute, now - 30 * minute)
    began = now - 50 * minute
    assert drives_from(now, began, now - 5 * minute, long) == (began, now - 5 * minute)
    assert drives_from(now, began, now - 45 * minute, long) == (began, now - 30 * minute)
    # Killed: nobody knows when.
    assert drives_from(now, began, 0, long) == (began, now)
    # The log has ended meanwhile, or the clock was set back.
    assert drives_from(now, now - 200 * minute, now - 100 * minute, long) == (now - 30 * minute,) * 2
    assert drives_from(now, now - 200 * minute, now - minute, long) == (now - minute,) * 2
    assert drives_from(now, now + minute, 0, long) == (now, now)


def test_a_fleet_that_ends_by_itself_is_told(tmp_path, capsys):
    log = tmp_path / "fleet.nmea"
    log.write_text("no log\n")
    with Fleet(log, tmp_path / "fleet.json", timedelta(hours=1)) as fleet:
        fleet.start("tcp://127.0.0.1:1")
        for _ in range(200):
            said = capsys.readouterr().err
            if said:
                break
            time.sleep(0.1)
    assert re.fullmatch(
        r"geo-policing: the fleet has stopped \(.*(nobody listens|no line tells).*\); start again\n", said
    )
