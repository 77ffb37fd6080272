"""``geo-policing match-day``: the fixes of a sealed day to the edges that each device drove."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geo_policing.cli.match import Traveller

if TYPE_CHECKING:
    from geo_policing.cli.day_work import Work
    from geo_policing.store.history.manifest import Manifest

#: Fixes of a range: a few seconds of work, which is what is lost when it is stopped.
RANGE_FIXES = 500_000


def match_day(
    day: Annotated[str, typer.Argument(help="Day of UTC, like 2026-03-01; sealed, and over.")],
    reason: Annotated[str, typer.Option(help="What it is for; it is recorded.")],
    case: Annotated[str, typer.Option(help="Number of the case, where it is for one.")] = "",
    roads: Annotated[
        Path | None, typer.Option(help="Road network (.roads); DATA_DIR/city.roads when it is there.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."
        ),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            metavar="N|ADDRESS",
            help="Processes of this machine, or a Dask scheduler (tcp://host:port) whose workers see the "
            "same folders under the same paths.",
        ),
    ] = "1",
    access: Annotated[
        Traveller, typer.Option(help="Only roads that this traveller may use.")
    ] = Traveller.ANY,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the matched days; DATA_DIR/matched by default. Elsewhere, `history expire` does "
            "not find them: who asked deletes them."
        ),
    ] = None,
) -> None:
    """Match a sealed day device by device; started again, only what is missing is done.

    Who asked for it and why is recorded. Devices of community corrections are left out.
    """
    from geo_policing.cli.options import given, one_line
    from geo_policing.cli.recording import recorded
    from geo_policing.roads import Access
    from geo_policing.service.sight import EXCLUDED
    from geo_policing.settings import ServiceSettings
    from geo_policing.store import open_records
    from geo_policing.store.history.manifest import DAY_US

    settings = given(ServiceSettings, data_dir=data_dir, roads=roads)
    fixes = settings.data_dir / "fixes.duckdb"
    network = settings.roads or settings.data_dir / "city.roads"
    who = None if access is Traveller.ANY else Access[access.name]
    number = _day(day)
    reason = one_line("reason", reason, 4, 500)
    case = one_line("case", case, 1, 64) if case else ""
    question = {
        "day": day,
        "access": access.value,
        "roads": str(network),
        "out": None if out is None else str(out),
    }
    with open_records(settings.data_dir, settings.records_url) as records:
        without = [device.id for device in records.devices.list() if device.kind in EXCLUDED]
        window_us = (number * DAY_US, (number + 1) * DAY_US)
        with recorded(
            *(records,),
            command="match-day",
            case=case,
            reason=reason,
            question=question,
            window_us=window_us,
        ) as outcome:
            outcome.devices = match_history_day(
                *(number, fixes, network), access=who, workers=workers, out=out, without=without
            )


def match_history_day(
    day: int,
    history: Path,
    roads: Path,
    *,
    access: Any = None,
    workers: str = "1",
    out: Path | None = None,
    range_fixes: int = RANGE_FIXES,
    without: Collection[str] = (),
) -> int:
    """Match a day of a history and print what was found; see `match_day`.

    Who calls it records that it was asked for.

    Parameters
    ----------
    day : int
        Days of UTC since 1970.
    history : Path
        Its DuckDB file, beside which the sealed days are; it is not opened.
    roads : Path
        File of the road network.
    access : Access, optional
        Who travels.
    workers : str
        As `day_work.spread` takes it.
    out : Path, optional
        Folder of the matched days.
    range_fixes : int
        Fixes of a range, about.
    without : collection of str
        Devices that are not matched: their positions may not serve this.

    Returns
    -------
    int
        Of how many devices edges were found.

    Raises
    ------
    InvalidInput
        If the day is not sealed, or no device of it can be matched.
    Conflict
        If it changed meanwhile, or another process matches it.
    Unavailable
        If workers or folders cannot be reached.
    """
    from geo_policing.cli.day_work import check_workers
    from geo_policing.errors import Conflict, GeoPolicingError, InvalidInput
    from geo_policing.store.fixes import sealed_folder
    from geo_policing.store.history import matched
    from geo_policing.store.history.manifest import Manifest, date

    check_workers(workers)
    sealed = sealed_folder(history)
    manifest = Manifest.read(sealed)
    if not manifest.of_day(day):
        raise InvalidInput(
            f"{date(day)} is not sealed in {sealed}; `geo-policing history status` says which days are, "
            "`geo-policing history seal` seals those that are over",
            field="day",
            value=date(day),
        )
    folder = matched.day_folder((out or matched.matched_folder(history)).absolute(), day)
    work = _planned(day, manifest, sealed.absolute(), folder, roads, access, range_fixes, without)
    with matched.alone(folder):
        matched.begin(folder, work.plan)
        try:
            before = _match_missing(date(day), work, workers)
        except GeoPolicingError:
            if _changed(manifest, Manifest.read(sealed), day):
                matched.remove(folder)
                raise Conflict(f"{date(day)} was sealed, merged or deleted meanwhile; start again") from None
            raise
        # What was deleted while it was matched must not be kept here.
        if _changed(manifest, Manifest.read(sealed), day):
            matched.remove(folder)
            raise Conflict(f"{date(day)} was sealed, merged or deleted meanwhile; start again")
        return _report(date(day), work, before)


def _changed(before: "Manifest", after: "Manifest", day: int) -> bool:
    from geo_policing.store.history.manifest import date
    from geo_policing.store.history.matched import deletions

    return before.of_day(day) != after.of_day(day) or deletions(before, date(day)) != deletions(
        after, date(day)
    )


def _day(text: str) -> int:
    from datetime import UTC, date, datetime

    from geo_policing.errors import InvalidInput

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no day; write it like 2026-03-01", field="day", value=text) from None
    if day >= datetime.now(UTC).date():
        raise InvalidInput(f"{text} is not over yet (UTC); match a day that is", field="day", value=text)
    return (day - date(1970, 1, 1)).days


def _planned(
    day: int,
    manifest: "Manifest",
    sealed: Path,
    folder: Path,
    roads: Path,
    access: Any,
    range_fixes: int,
    without: Collection[str],
) -> "Work":
    """Share out a day: whose fixes are in which file, on which roads; the table of the roads is made."""
    import hashlib
    import json
    from dataclasses import asdict

    import geo_policing
    from geo_policing.cli.day_work import Roads, Work, matcher_of
    from geo_policing.errors import InvalidInput
    from geo_policing.matching import MatcherParameters
    from geo_policing.store.history import matched, ranges
    from geo_policing.store.history.layout import digest
    from geo_policing.store.history.manifest import date

    roads = roads.absolute()
    if not roads.is_file():
        raise InvalidInput(
            f"there are no roads at {roads}; name them with --roads", field="roads", value=str(roads)
        )
    model = Roads(roads, digest(roads), access, MatcherParameters())
    # Here first: a file that is no network is told at once, and the table is made once for all processes.
    matcher_of(model)
    parts = manifest.of_day(day)
    made_of = {
        "day": date(day),
        "fixes": {part.by_device.name: part.by_device.sha256 for part in parts},
        "range_fixes": range_fixes,
        "roads": model.sha256,
        "access": None if access is None else int(access),
        "parameters": asdict(model.parameters),
        "version": geo_policing.__version__,
    }
    left_out = tuple(sorted(without))
    if left_out:
        made_of["without"] = hashlib.sha256("\n".join(left_out).encode()).hexdigest()
    paths = tuple(sealed / part.by_device.name for part in parts)
    plan = matched.Plan(
        hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest(),
        matched.deletions(manifest, date(day)),
        made_of,
        tuple(ranges.split(paths, range_fixes)),
    )
    return Work(folder, plan, paths, model, left_out)


def _match_missing(day: str, work: "Work", workers: str) -> int:
    """Match what is not there and return how many ranges were."""
    from rich.console import Console
    from rich.progress import track as progress

    from geo_policing.cli.day_work import spread
    from geo_policing.errors import Unavailable
    from geo_policing.store.history import matched

    there = matched.done(work.folder, work.plan)
    wanted = [index for index in range(len(work.plan.ranges)) if index not in there]
    console = Console(stderr=True)
    for _ in progress(
        spread(work, wanted, workers),
        f"matching {day}",
        len(wanted),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        pass
    if len(matched.done(work.folder, work.plan)) < len(work.plan.ranges):
        raise Unavailable(f"{work.folder}: files that were written are gone again; start again")
    return len(there)


def _report(day: str, work: "Work", before: int) -> int:
    """Say what was found, and of whom nothing; return of how many devices something was."""
    from geo_policing.errors import InvalidInput
    from geo_policing.store.history import matched

    found = matched.done(work.folder, work.plan).values()
    refused = {device: why for said in found for device, why in said["refused"].items()}
    lost = [device for said in found for device in said["unmatched"]]
    devices = sum(said["devices"] for said in found)
    for device, why in refused.items():
        print(f"{day}: device {device}: {why}; it has no edges", file=sys.stderr)
    if len(refused) == devices:
        raise InvalidInput(f"{day}: no device can be matched; see why above", field="day", value=day)
    if lost:
        named = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        print(f"{day}: no road near any fix of {len(lost)} of {devices} devices: {named}", file=sys.stderr)
    if len(lost) + len(refused) == devices:
        raise InvalidInput(
            f"{day}: no fix is near a road of {work.roads.path}; check the roads", field="roads"
        )
    edges = sum(said["edges"] for said in found)
    fixes = sum(said["fixes"] for said in found)
    again = f", of which {before} were there" if before else ""
    print(
        f"{day}: {edges} edges of {devices} devices, {fixes} fixes, in {len(found)} files{again}; "
        f"refused: {len(refused)}"
    )
    planned = sum(one.devices for one in work.plan.ranges)
    if planned > devices:
        print(f"{day}: left out: {planned - devices} devices of community corrections", file=sys.stderr)
    return int(devices - len(refused) - len(lost))
