"""What is done with the history beside writing and asking: sealing, merging, holding, deleting."""

# ruff: noqa: S608 - queries are put together of our own names, numbers and paths

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from geo_policing.errors import GeoPolicingError, InvalidInput, NotFound
from geo_policing.kernels.cell_visits import MAX_GAP_US
from geo_policing.model.device import DeviceKind, check_device_id
from geo_policing.store.fixes import FixStore
from geo_policing.store.history import layout
from geo_policing.store.history.manifest import DAY_US, Deletion, Hold, Manifest, Part
from geo_policing.store.history.matched import remove_outdated
from geo_policing.store.history.piling import ENDED, RUNNING, piled_up
from geo_policing.store.history.sealing import COLUMNS, make_part
from geo_policing.store.history.snapshot import Snapshot, newest

#: So many fixes that are not sealed are sealed by a service: a question for everybody reads all of them, in
#: some 0.1 s, and sealing them takes a second of one core.
SEAL_ROWS = 250_000
#: Stands for every kind of device that has no rule of its own.
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class DayStatus:
    """What is kept of a day: fixes and bytes that are sealed, in how many parts, and fixes that are not."""

    day: int
    parts: int
    sealed_rows: int
    sealed_bytes: int
    hot_rows: int


class Keeper:
    """Seals, merges, holds and deletes; one thing at a time, while others write and ask.

    Whatever it does, it is done when the manifest is replaced, and not before: a process that is killed in
    the middle leaves the history as it was.

    Parameters
    ----------
    store : FixStore
        The history.
    """

    def __init__(self, store: FixStore) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._today: int | None = None

    def status(self) -> list[DayStatus]:
        """Return what is kept of each day, by day."""
        with self._store.snapshot() as now:
            hot: Counter[int] = Counter()
            for table, day in now.hot.items():
                hot[day] += now.cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        return status(now.manifest, hot)

    def seal(self, before: int) -> list[Part]:
        """Seal what was appended for the days before a day; days of UTC since 1970.

        Late fixes of days that were sealed become parts of their own.

        Raises
        ------
        Unavailable
            If a day cannot be sealed, as on a disk that is full; the others are all the same.
        """
        made: list[Part] = []
        failed: list[Exception] = []
        with self._turn:
            # First what an attempt that failed has left, then what has come since.
            for _ in range(2 if self._store.is_behind else 1):
                for day, tables in sorted(self._store.close_days(before).items()):
                    try:
                        part = self._seal_day(day, tables)
                    except (GeoPolicingError, duckdb.Error) as error:
                        # Late fixes beside a damaged file must not keep the running day from being sealed.
                        failed.append(error)
                    else:
                        made += [] if part is None else [part]
        if failed:
            raise failed[0]
        return made

    def _seal_day(self, day: int, tables: list[str]) -> Part | None:
        mine = " UNION ALL ".join(f"SELECT * FROM {table}" for table in tables)
        with self._store.snapshot() as now:
            part = self._make(now, day, mine, (), tables)
        self._replace((), part, sealed_tables=(*self._store.manifest.sealed_tables, *tables))
        return part

    def compact(self, at_least: int = 2, before: int | None = None, renew: bool = False) -> list[Part]:
        """Merge the parts of each day that has so many, of those before a day when one is given.

        To renew is to write days anew as well that have a part of an older format.
        """
        made = []
        with self._turn:
            every = [part for part in self._store.manifest.parts if before is None or part.day < before]
            days = Counter(part.day for part in every)
            old = {part.day for part in every if renew and not part.has_ways}
            for day in sorted(day for day, parts in days.items() if parts >= at_least or day in old):
                made += self._merge(day, self._store.manifest.of_day(day))
        return made

    def keep_up(self, today: int, at_least: int = SEAL_ROWS) -> list[Part]:
        """Seal what has come if it is so many fixes, and merge parts that pile up: the work of a service.

        Questions read all of what is not sealed, and in each part, so little may be left of the one and few
        of the other. When a day has ended, all of it is sealed and its parts become one.

        Parameters
        ----------
        today : int
            The day that runs, days of UTC since 1970.
        at_least : int, optional
            So many fixes that are not sealed are sealed, and fewer are not as long as the day runs.

        Returns
        -------
        list of Part
            What was made, but for what was merged at once.
        """
        made = []
        ended = range(today if self._today is None else self._today, today)
        # What lies ahead, stored while a clock was wrong, is not sealed before its day.
        if ended or sum(day.hot_rows for day in self.status() if day.day <= today) >= at_least:
            made = self.seal(today + 1)
        with self._turn:
            for day in sorted({part.day for part in self._store.manifest.parts}):
                parts = self._store.manifest.of_day(day)
                if day not in ended:
                    parts = piled_up(parts, RUNNING if day >= today else ENDED)
                if len(parts) > 1:
                    gone = {part.id for part in parts}
                    made = [part for part in made if part.id not in gone] + self._merge(day, parts)
        self._today = today
        return made

    def hold(self, hold: Hold) -> None:
        """Place a hold; placed twice, it is one.

        Raises
        ------
        InvalidInput
            If it names no case or its window is empty.
        """
        if not hold.case.strip() or hold.start_us >= hold.end_us:
            raise InvalidInput(
                "a hold needs the number of a case and a window that is not empty", field="case"
            )
        if hold.device:
            check_device_id(hold.device)
        # As searches name their case: who holds one by it must not miss its answers for a space.
        hold = replace(hold, case=hold.case.strip())
        with self._turn:
            now = self._store.manifest
            alike = {replace(other, placed_us=0, by="") for other in now.holds}
            if replace(hold, placed_us=0, by="") not in alike:
                self._store.commit(replace(now, holds=(*now.holds, hold)))

    def release(self, case: str) -> int:
        """Release all holds of a case and return how many; NotFound if it has none."""
        with self._turn:
            now = self._store.manifest
            kept = tuple(hold for hold in now.holds if hold.case.strip() != case.strip())
            if len(kept) == len(now.holds):
                raise NotFound("hold of case", case)
            self._store.commit(replace(now, holds=kept))
            return len(now.holds) - len(kept)

    def expire(
        self, keep_days: Mapping[str, int], kinds: Mapping[str, str], now_us: int, by: str
    ) -> Sequence[Deletion]:
        """Delete the fixes of whole days that no rule keeps any longer and no case holds.

        What they were matched to goes with them: the matched day as a whole, also where only some go.

        Parameters
        ----------
        keep_days : mapping of str to int
            For each kind of device, or `OTHERS`, for how many days its fixes are kept after the day that they
            are of has ended; kinds that are not named are kept.
        kinds : mapping of str to str
            Kind of each device; `DeviceKind.UNKNOWN` when it is not there.
        now_us : int
            What time it is, microseconds of UTC.
        by : str
            Who asks for it.

        Returns
        -------
        sequence of Deletion
            What was deleted, as it is kept in the manifest.

        Raises
        ------
        InvalidInput
            If a rule is of no kind, or of less than a day.
        """
        for kind, days in keep_days.items():
            if kind != OTHERS and kind not in {known.value for known in DeviceKind}:
                raise InvalidInput(
                    f"retention of {kind!r}: no kind of device; one of "
                    f"{', '.join([*(known.value for known in DeviceKind), OTHERS])}",
                    field="keep",
                    value=kind,
                )
            if days < 1:
                raise InvalidInput(
                    f"retention of {kind}: {days} is less than a day", field="keep", value=days
                )
        rules = _Rules(dict(keep_days), kinds, now_us)
        self.seal(now_us // DAY_US)
        made: list[Deletion] = []
        with self._turn:
            for day in sorted({part.day for part in self._store.manifest.parts}):
                if rules.any_over(day):
                    made += self._expire_day(day, rules, by)
            self._forget(rules)
            remove_outdated(self._store.matched, self._store.manifest)
        return made

    def _expire_day(self, day: int, rules: "_Rules", by: str) -> list[Deletion]:
        with self._store.snapshot() as now:
            parts = now.manifest.of_day(day)
            held = _held(now.manifest.holds)
            rows = now.cursor.execute(
                f"SELECT device, count(*) FROM ({_all(now, parts)}) WHERE NOT ({held}) GROUP BY device"
            ).fetchall()
            gone = {device: count for device, count in rows if rules.is_over(device, day)}
            if not gone:
                return []
            now.cursor.register("gone", pa.table({"device": pa.array(sorted(gone), pa.string())}))
            stays = f"({held}) OR device NOT IN (SELECT device FROM gone)"
            left = f"SELECT * FROM ({_all(now, parts)}) WHERE {stays}"
            part = self._make(now, day, left, parts, ())
        deletions = []
        for kind in sorted({rules.kind(device) for device in gone}):
            of_kind = [device for device in gone if rules.kind(device) == kind]
            total = sum(gone[device] for device in of_kind)
            deletions.append(Deletion(rules.now_us, day, kind, rules.rule(kind), len(of_kind), total, by))
        self._replace(parts, part, deletions=(*self._store.manifest.deletions, *deletions))
        return deletions

    def _forget(self, rules: "_Rules") -> None:
        """Delete the newest positions that are over; the newest that a case holds takes its place."""
        held = _held(self._store.manifest.holds)
        with self._store.snapshot() as now:
            found = now.cursor.execute(f"SELECT device, time FROM newest WHERE NOT ({held})").fetchall()
            over = [device for device, time in found if rules.is_over(device, time // DAY_US)]
            if not over:
                return
            now.cursor.register("overdue", pa.table({"device": pa.array(over, pa.string())}))
            whose = f"AND ({held}) AND device IN (SELECT device FROM overdue)"
            left = newest(replace(now, hot={}).select(COLUMNS, where=whose))
            remaining = now.cursor.sql(left).to_arrow_table()
        self._store.forget(over, remaining)

    def _make(
        self, now: Snapshot, day: int, mine: str, parts: tuple[Part, ...], tables: Sequence[str]
    ) -> Part | None:
        """Write a part whose fixes are in parts and tables that it will replace."""
        rest = Snapshot(
            now.cursor,
            now.folder,
            now.sealed,
            now.manifest.with_parts(parts, ()),
            {table: day for table, day in now.hot.items() if table not in tables},
        )
        # Only from and to fixes of a device so near in time to its own can it have moved. A few late ones
        # must not bring in the whole day of everybody, which does not fit into memory.
        spans = now.cursor.sql(
            "SELECT device, min(time) AS first, max(time) AS last "
            f"FROM ({mine}) GROUP BY device ORDER BY device"
        ).to_arrow_table()
        if not len(spans):
            return None
        now.cursor.register("spans", spans)
        others = rest.select(
            layout.MOVED,
            pc.min(spans.column("first")).as_py() - MAX_GAP_US,
            pc.max(spans.column("last")).as_py() + MAX_GAP_US + 1,
            kind="by_cell",
        )
        near = (
            f"SELECT others.* FROM ({others}) others JOIN spans ON others.device = spans.device "
            f"AND others.time BETWEEN spans.first - {MAX_GAP_US} AND spans.last + {MAX_GAP_US}"
        )
        devices = spans.column("device").combine_chunks()
        return make_part(now.cursor, now.folder, self._store.manifest.next_part, day, mine, near, devices)

    def _merge(self, day: int, parts: tuple[Part, ...]) -> list[Part]:
        """Make one part of some of a day; none is left where they had no fixes."""
        with self._store.snapshot() as now:
            part = self._make(now, day, _all(now, parts), parts, ())
        self._replace(parts, part)
        return [] if part is None else [part]

    def _replace(self, parts: tuple[Part, ...], part: Part | None, **changes: Any) -> None:
        now = self._store.manifest
        new = () if part is None else (part,)
        self._store.commit(now.with_parts(parts, new, next_part=now.next_part + 1, **changes))


class _Rules:
    """For how long fixes of which kind of device are kept."""

    def __init__(self, keep_days: dict[str, int], kinds: Mapping[str, str], now_us: int) -> None:
        self.now_us = now_us
        self._keep_days = keep_days
        self._kinds = kinds

    def kind(self, device: str) -> str:
        return self._kinds.get(device, DeviceKind.UNKNOWN.value)

    def rule(self, kind: str) -> str:
        named = kind if kind in self._keep_days else OTHERS
        return f"{named}={self._keep_days[named]}"

    def any_over(self, day: int) -> bool:
        return any(self._over(day, days) for days in self._keep_days.values())

    def is_over(self, device: str, day: int) -> bool:
        days = self._keep_days.get(self.kind(device), self._keep_days.get(OTHERS))
        return days is not None and self._over(day, days)

    def _over(self, day: int, days: int) -> bool:
        return (day + 1 + days) * DAY_US <= self.now_us


def status(manifest: Manifest, hot: Mapping[int, int]) -> list[DayStatus]:
    """Return what is kept of each day, given the fixes of each day that are not sealed."""
    found = []
    for day in sorted({*hot, *(part.day for part in manifest.parts)}):
        parts = manifest.of_day(day)
        size = sum(file.bytes for part in parts for file in part.files)
        found.append(DayStatus(day, len(parts), sum(part.rows for part in parts), size, hot.get(day, 0)))
    return found


def _all(now: Snapshot, parts: tuple[Part, ...]) -> str:
    return " UNION ALL ".join(layout.scan_parts(now.folder, parts, "by_device", COLUMNS))


def _held(holds: Sequence[Hold]) -> str:
    """Return the condition under which a fix is held; a device's id has no quotes in it."""
    conditions = ["false"]
    for hold in holds:
        whose = f"device = '{hold.device}' AND " if hold.device else ""
        conditions.append(f"({whose}time >= {hold.start_us} AND time < {hold.end_us})")
    return " OR ".join(conditions)
