"""The manifest of the sealed days: which files are the history, and nothing else is.

A JSON file that is replaced as a whole: written beside, synced, renamed, and its folder synced. What it does
not name does not exist, whatever lies in the folders; what it names is complete and on disk.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from geo_policing.errors import InvalidFile
from geo_policing.store.private import private

DAY_US = 86_400_000_000
#: What is written; parts of older formats are read as well (`Part.has_blocks`, `Part.has_ways`).
FORMAT = 3
NAME = "manifest.json"
#: What a part is kept as: all columns by device and time; movement by hour, block and device; stays in cells.
KINDS = ("by_device", "by_cell", "visits")


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One Parquet file: its name below the history's folder, its rows, bytes and SHA-256."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """Fixes of one day, sealed together.

    Parameters
    ----------
    id : int
        Never given twice.
    day : int
        Days of UTC since 1970.
    first_us, last_us : int
        Times of its first and last fix.
    digits : int, optional
        Digits after the point of its places; none when they are doubles.
    by_device, by_cell, visits : SealedFile
        The files.
    has_blocks : bool
        Whether `by_cell` has the movement through blocks. Before format 2 it had fixes by hour, cell, time.
    has_ways : bool
        Whether that movement says of each way whether it is sure. Of format 2 it does not where a device has
        more than one fix of an instant. Where it does not, who was in an area is asked by device until the
        day is written anew.
    """

    id: int
    day: int
    first_us: int
    last_us: int
    digits: int | None
    by_device: SealedFile
    by_cell: SealedFile
    visits: SealedFile
    has_blocks: bool = True
    has_ways: bool = True

    @property
    def files(self) -> tuple[SealedFile, SealedFile, SealedFile]:
        """Its files in the order of `KINDS`."""
        return self.by_device, self.by_cell, self.visits

    @property
    def rows(self) -> int:
        """Its fixes."""
        return self.by_device.rows


@dataclass(frozen=True, slots=True)
class Hold:
    """Fixes that a case needs and that no retention deletes.

    Parameters
    ----------
    case : str
        Number of the case.
    device : str
        Whose; everybody's when empty.
    start_us, end_us : int
        The window, half open, microseconds of UTC.
    placed_us : int
        When it was placed.
    by : str
        Who placed it.
    """

    case: str
    device: str
    start_us: int
    end_us: int
    placed_us: int
    by: str


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted, when, and under which rule.

    Parameters
    ----------
    at_us : int
        When.
    day : int
        Of which day, days of UTC since 1970.
    kind : str
        Of which kind of device.
    rule : str
        The rule, like ``officer=90``.
    devices, rows : int
        Of how many devices, and how many fixes.
    by : str
        Who asked for it.
    """

    at_us: int
    day: int
    kind: str
    rule: str
    devices: int
    rows: int
    by: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is sealed, held and deleted.

    Parameters
    ----------
    next_part : int
        Id of the next part.
    parts : tuple of Part
        By day, then in the order they were sealed.
    sealed_tables : tuple of str
        Tables of the hot file whose rows are in the parts: they are dropped, and not read any more.
    holds : tuple of Hold
        In the order they were placed.
    deletions : tuple of Deletion
        In the order they were made.
    """

    next_part: int = 1
    parts: tuple[Part, ...] = ()
    sealed_tables: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    deletions: tuple[Deletion, ...] = ()

    @property
    def rows(self) -> int:
        """Fixes that are sealed."""
        return sum(part.rows for part in self.parts)

    @property
    def names(self) -> set[str]:
        """Names of all files."""
        return {file.name for part in self.parts for file in part.files}

    def of_day(self, day: int) -> tuple[Part, ...]:
        """Return the parts of a day."""
        return tuple(part for part in self.parts if part.day == day)

    def overlapping(self, start_us: int, end_us: int) -> tuple[Part, ...]:
        """Return the parts that have fixes in a window, half open."""
        return tuple(part for part in self.parts if part.first_us < end_us and part.last_us >= start_us)

    def with_parts(self, remove: tuple[Part, ...], add: tuple[Part, ...], **changes: Any) -> Self:
        """Return it with parts replaced by others, and with other changes."""
        gone = {part.id for part in remove}
        kept = [part for part in self.parts if part.id not in gone]
        parts = tuple(sorted([*kept, *add], key=lambda part: (part.day, part.id)))
        return replace(self, parts=parts, **changes)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a folder; an empty one when there is none.

        Raises
        ------
        InvalidFile
            If it cannot be understood.
        """
        path = folder / NAME
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls()
        try:
            said = json.loads(text)
            if said["format"] not in range(1, FORMAT + 1):
                raise InvalidFile(
                    f"{path} is of format {said['format']}, not 1 to {FORMAT}; use the version that wrote it",
                    field="format",
                    value=said["format"],
                )
            return cls(
                next_part=int(said["next_part"]),
                parts=tuple(_part(part) for part in said["parts"]),
                sealed_tables=tuple(said["sealed_tables"]),
                holds=tuple(Hold(**hold) for hold in said["holds"]),
                deletions=tuple(Deletion(**deletion) for deletion in said["deletions"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidFile(
                f"{path} is damaged ({error!r}); bring it back from a backup",
                field="manifest",
                value=str(path),
            ) from None

    def write(self, folder: Path) -> None:
        """Replace the manifest of a folder; it is on disk when this returns."""
        whole = {
            "format": FORMAT,
            "next_part": self.next_part,
            "parts": [asdict(part) | {"date": date(part.day)} for part in self.parts],
            "sealed_tables": self.sealed_tables,
            "holds": [asdict(hold) for hold in self.holds],
            "deletions": [asdict(deletion) for deletion in self.deletions],
        }
        with private():
            folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{NAME}.new"
        with open(beside, "w", encoding="utf-8", opener=_for_owner) as file:
            json.dump(whole, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / NAME)
        sync_folder(folder)


def date(day: int) -> str:
    """Return a day, counted since 1970, as ``2026-03-01``."""
    return str(np.datetime64(day, "D"))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _part(said: dict[str, Any]) -> Part:
    return Part(
        id=int(said["id"]),
        day=int(said["day"]),
        first_us=int(said["first_us"]),
        last_us=int(said["last_us"]),
        digits=said["digits"],
        has_blocks=bool(said.get("has_blocks", False)),
        has_ways=bool(said.get("has_ways", False)),
        **{kind: SealedFile(**said[kind]) for kind in KINDS},
    )
