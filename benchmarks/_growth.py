"""How answers get slower as a history gets longer: the same questions of it and of one n times as long."""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.days import DAY_US
from geo_policing.store import FixStore
from geo_policing.store.fixes import sealed_folder
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import KINDS, Manifest, Part, SealedFile, date

_UNITS_A_DAY = {"time": DAY_US, "received": DAY_US, "hour": 24, "first_s": 86_400, "last_s": 86_400}


def grown(path: Path, folder: Path, times: int) -> Path:
    """Make a history so many times as long: what is sealed, and before it copies of its days.

    What is not sealed is copied as it is. Copied days hold the same fixes at other times.
    """
    new = folder / path.name
    folder.mkdir()
    shutil.copy(path, new)
    manifest = Manifest.read(sealed_folder(path))
    days = {part.day for part in manifest.parts}
    span = max(days) - min(days) + 1
    parts, part_id = list(manifest.parts), manifest.next_part
    for name in manifest.names:
        linked = sealed_folder(new) / name
        linked.parent.mkdir(parents=True, exist_ok=True)
        os.link(sealed_folder(path) / name, linked)
    for copy in range(1, times):
        for part in manifest.parts:
            parts.append(_moved(sealed_folder(path), part, -copy * span, sealed_folder(new), part_id))
            part_id += 1
    replace(manifest, parts=tuple(sorted(parts, key=lambda part: part.day)), next_part=part_id).write(
        sealed_folder(new)
    )
    return new


def _moved(source: Path, part: Part, days: int, folder: Path, part_id: int) -> Part:
    """Write the fixes and visits of a part as they would be some days later."""
    files = {}
    for kind in KINDS:
        name = f"day={date(part.day + days)}/{kind}/{part_id:08d}.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        files[kind] = _file(source / getattr(part, kind).name, days, folder / name, name)
    return replace(
        part,
        id=part_id,
        day=part.day + days,
        first_us=part.first_us + days * DAY_US,
        last_us=part.last_us + days * DAY_US,
        by_device=files["by_device"],
        by_cell=files["by_cell"],
        visits=files["visits"],
    )


def _file(source: Path, days: int, path: Path, name: str) -> SealedFile:
    with pq.ParquetFile(source) as read:
        group = read.metadata.row_group(0)
        columns = [group.column(at) for at in range(group.num_columns)]
        few = tuple(
            c.path_in_schema for c in columns if c.path_in_schema in _UNITS_A_DAY and c.has_dictionary_page
        )
        with layout.SortedFile(path, read.schema_arrow, few) as file:
            for batch in read.iter_batches(layout.GROUP_ROWS):
                table = pa.Table.from_batches([batch])
                for at, column in enumerate(table.column_names):
                    if column in _UNITS_A_DAY:
                        field = table.schema.field(at)
                        shift = pa.scalar(days * _UNITS_A_DAY[column], field.type)
                        table = table.set_column(at, field, pc.add(table.column(column), shift))
                file.write(table)
    return layout.sealed(path, name, file.rows)


def in_turns(
    shorter: Path, longer: Path, queries: Mapping[str, Callable[[FixStore, int], int]], numbers: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Ask two histories in turns; return medians of the longer one, and what they are of the shorter one's.

    Each question of a number has been asked of both before.
    """
    found: dict[str, dict[str, float]] = {}
    with FixStore(shorter) as one, FixStore(longer) as other:
        for name, query in queries.items():
            wall: tuple[list[float], list[float]] = ([], [])
            cpu: tuple[list[float], list[float]] = ([], [])
            for count, n in enumerate([*numbers, *numbers]):
                for which, store in enumerate((one, other)):
                    began, used = time.perf_counter(), time.process_time()
                    query(store, n)
                    if count >= len(numbers):
                        wall[which].append(time.perf_counter() - began)
                        cpu[which].append(time.process_time() - used)
            before, after = (statistics.median(some) for some in wall)
            cpu_before, cpu_after = (statistics.median(some) for some in cpu)
            found[name] = {
                "warm_median_ms": round(after * 1000, 2),
                "times": round(after / before, 2),
                "cpu_median_ms": round(cpu_after * 1000, 2),
                "cpu_times": round(cpu_after / cpu_before, 2),
            }
    return found
