"""What commands write of people: for its owner alone, and whole or not there."""

import os
import stat
import threading
from pathlib import Path

import pytest

from geo_policing.cli.match import match
from geo_policing.cli.reconstruct import reconstruct
from geo_policing.cli.writing import write_private
from tests.matching.city import LAT, LON, STEP, drive, grid


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request):
    """Whatever a system gives to new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_reads_it_whatever_the_umask(tmp_path, umask):
    path = tmp_path / "out.geojson"
    write_private(path, "盗窃")
    assert (path.read_text(encoding="utf-8"), mode(path)) == ("盗窃", 0o600)


def test_one_that_everybody_could_read_is_the_owners_alone_afterwards(tmp_path):
    path = tmp_path / "out.geojson"
    path.write_text("there already")
    path.chmod(0o666)
    with path.open() as reader:
        write_private(path, b"new")
        # Who has the old one open does not read on in the new one.
        assert reader.read() == "there already"
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_what_cannot_be_written_leaves_what_was_there_and_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "out.geojson"
    path.write_text("there already")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, "new")
    assert path.read_text() == "there already"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named_by_the_file_asked_for(tmp_path):
    with pytest.raises(OSError, match=r"No such file") as failed:
        write_private(tmp_path / "no" / "out.geojson", "new")
    assert failed.value.filename == str(tmp_path / "no" / "out.geojson")


def test_a_link_leads_to_the_file_and_stays(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_private(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert ((tmp_path / "real").read_text(), mode(tmp_path / "real")) == ("new", 0o600)


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_private(pipe, "through")
    reader.join(10)
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_without_a_name_as_behind_dev_stdout_is_written_to():
    out, into = os.pipe()
    with os.fdopen(out, "rb") as reader:
        try:
            write_private(Path(f"/dev/fd/{into}"), "through")
        finally:
            os.close(into)
        assert reader.read() == b"through"


def test_matched_tracks_are_their_owners_alone(tmp_path):
    roads, fixes = tmp_path / "town.roads", tmp_path / "in.csv"
    grid().save(roads)
    lon, lat = drive(grid(), ["0>1", "1>2"])
    rows = [f"a,{n * 4},{x},{y}" for n, (x, y) in enumerate(zip(lon, lat, strict=True))]
    fixes.write_text("\n".join(["track,t,lon,lat", *rows]) + "\n")
    out, drawn = tmp_path / "out.csv", tmp_path / "out.geojson"
    match(roads, fixes, out, geojson=drawn)
    assert out.read_text().splitlines() == ["track,edges", "a,0>1 1>2"]
    assert [mode(path) for path in (out, drawn)] == [0o600, 0o600]


def test_a_reconstruction_its_map_and_its_reports_are_their_owners_alone(tmp_path):
    roads, seen = tmp_path / "town.roads", tmp_path / "sightings.csv"
    grid().save(roads)
    rows = [f"2026-03-02T08:0{n}:00+08:00,{LON + STEP * x:.6f},{LAT:.6f}" for n, x in ((0, 0), (1, 3))]
    seen.write_text("\n".join(["time,lon,lat", *rows]) + "\n")
    out, drawn = tmp_path / "out.geojson", tmp_path / "map.html"
    for name, begins in (("report.html", b"<!doctype html>"), ("report.pdf", b"%PDF")):
        report = tmp_path / name
        reconstruct(roads, seen, out, map_=drawn, report=report)
        assert report.read_bytes()[: len(begins)].lower() == begins.lower()
        assert [mode(path) for path in (out, drawn, report)] == [0o600] * 3
