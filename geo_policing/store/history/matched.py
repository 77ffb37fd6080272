"""Days that were matched to the roads: files beside the history that go when fixes of their day go.

A day is a folder: a plan that says what was asked of whom, and a Parquet file for each range of devices. A
file that has its name is whole and on disk, so whoever was stopped does only what is missing. A plan that
differs in anything begins the day anew: no file is of other fixes, roads or beliefs than the plan says.
"""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from geo_policing.errors import Conflict
from geo_policing.store.history.manifest import Manifest, date, sync_folder
from geo_policing.store.history.ranges import DeviceRange
from geo_policing.store.private import private

#: Readers of Parquet pass over names that begin like this.
PLAN = "_plan.json"
#: Under which the files say what they are of.
METADATA = b"geo_policing"
_GONE = ".gone-"


def matched_folder(path: Path) -> Path:
    """Return where the matched days of a history are, given its DuckDB file."""
    return path.with_name("matched")


def day_folder(folder: Path, day: int) -> Path:
    """Return the folder of a day, days of UTC since 1970, among the matched ones."""
    return folder / f"day={date(day)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is matched, and how it is shared out.

    Parameters
    ----------
    key : str
        Digest of all that the files depend on.
    deletions : int
        How often fixes of the day had been deleted before: with the next time the files must go.
    made_of : dict
        What the key is the digest of, to be read by people: numbers, texts, and lists and mappings of them.
    ranges : tuple of DeviceRange
        The devices, a file each range.
    """

    key: str
    deletions: int
    made_of: dict[str, Any]
    ranges: tuple[DeviceRange, ...]

    def file(self, index: int) -> str:
        """Return the name of the file of a range."""
        return f"{index:08d}.parquet"

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Read the plan of a day's folder; None where there is none, or it cannot be understood."""
        try:
            said = json.loads((folder / PLAN).read_text(encoding="utf-8"))
            return cls(
                str(said["key"]),
                int(said["deletions"]),
                dict(said["made_of"]),
                tuple(DeviceRange(**devices) for devices in said["ranges"]),
            )
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder of a day, and keep others from planning it as long as this lasts.

    Raises
    ------
    Conflict
        If another process does.
    """
    with private():
        folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{folder} is being filled by another process; wait for it, or stop it") from None
        yield
    finally:
        os.close(handle)


def begin(folder: Path, plan: Plan) -> None:
    """Have a day's folder follow a plan: what is of another one, or was not finished, is removed."""
    if Plan.read(folder) != plan:
        # First the plan: a process that still follows another one then adds nothing more.
        with _written(folder, PLAN) as new:
            new.write_text(json.dumps(asdict(plan), indent=1, ensure_ascii=False), encoding="utf-8")
    kept = {PLAN, *(plan.file(index) for index in done(folder, plan))}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink(missing_ok=True)


def done(folder: Path, plan: Plan) -> dict[int, dict[str, Any]]:
    """Return what the files of a plan that are there say of themselves, by the number of their range."""
    found = {}
    for index in range(len(plan.ranges)):
        try:
            said = json.loads(pq.read_schema(folder / plan.file(index)).metadata[METADATA])
        except (OSError, pa.ArrowException, ValueError, TypeError, KeyError):
            continue  # not there, or nothing that we wrote
        if said["key"] == plan.key:
            found[index] = said
    return found


def write(folder: Path, plan: Plan, index: int, table: pa.Table, said: dict[str, Any]) -> None:
    """Add the file of a range; it is whole and on disk when this returns.

    Parameters
    ----------
    folder : Path
        Of the day.
    plan : Plan
        Which the folder must still follow.
    index : int
        Number of the range.
    table : Table
        What was found.
    said : dict
        What else is to be known of it, for JSON; kept as metadata of the file.

    Raises
    ------
    Conflict
        If the folder follows another plan by now, or none: nothing is added.
    """
    whole = {"key": plan.key, **asdict(plan.ranges[index]), **said}
    metadata = {METADATA: json.dumps(whole, ensure_ascii=False)}
    with _written(folder, plan.file(index)) as new:
        pq.write_table(table.replace_schema_metadata(metadata), new, compression="zstd", version="2.6")
        check(folder, plan)


def check(folder: Path, plan: Plan) -> None:
    """Raise Conflict if a folder does not follow a plan."""
    now = Plan.read(folder)
    if now is None or now.key != plan.key:
        raise Conflict(f"{folder} has been deleted or begun anew meanwhile; start again")


def remove(folder: Path) -> None:
    """Delete the folder of a day; who is about to add a file to it cannot."""
    gone = folder.with_name(f"{_GONE}{secrets.token_hex(8)}")
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone)


def remove_outdated(folder: Path, manifest: Manifest) -> list[Path]:
    """Delete the matched days of which fixes have been deleted since; return their folders.

    Whatever interrupted an earlier deletion, what it left is deleted as well.
    """
    for rest in folder.glob(f"{_GONE}*"):
        shutil.rmtree(rest)
    removed = []
    for day in sorted(folder.glob("day=*")):
        plan = Plan.read(day)
        if plan is None or plan.deletions != deletions(manifest, day.name.removeprefix("day=")):
            remove(day)
            removed.append(day)
    return removed


def deletions(manifest: Manifest, day: str) -> int:
    """Return how often fixes of a day, like ``2026-03-01``, have been deleted."""
    return sum(date(gone.day) == day for gone in manifest.deletions)


@contextmanager
def _written(folder: Path, name: str) -> Iterator[Path]:
    """Write a file under another name, for its owner alone; it has its own when it is whole and on disk."""
    new = folder / f".{name}.{secrets.token_hex(8)}.new"
    try:
        with private():
            new.touch(exist_ok=False)
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(folder / name)
        sync_folder(folder)
    finally:
        new.unlink(missing_ok=True)
