"""``geo-policing history …``: what is kept, sealing it, checking it, merging it, and deleting it in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from geo_policing.settings import ServiceSettings
    from geo_policing.store.history.keeper import Keeper

history = typer.Typer(
    help="Keep the history of fixes: seal, verify, merge, hold and delete.", no_args_is_help=True
)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."),
]


@history.command()
def status(data_dir: DataDir = None) -> None:
    """Print day, parts, sealed fixes, bytes and fixes not sealed of each day, by tabs; then the holds.

    While the service has the history open, the days that it writes are not shown.
    """
    from geo_policing.errors import Unavailable
    from geo_policing.model import format_instant
    from geo_policing.store.fixes import sealed_folder
    from geo_policing.store.history.keeper import status as of_days
    from geo_policing.store.history.manifest import Manifest, date

    settings = _settings(data_dir)
    manifest = Manifest.read(sealed_folder(settings.data_dir / "fixes.duckdb"))
    try:
        with _keeper(settings) as keeper:
            days = keeper.status()
    except Unavailable as error:
        typer.echo(f"only what is sealed: {error}", err=True)
        days = of_days(manifest, {})
    for day in days:
        print(date(day.day), day.parts, day.sealed_rows, day.sealed_bytes, day.hot_rows, sep="\t")
    for hold in manifest.holds:
        window = f"{format_instant(hold.start_us)}/{format_instant(hold.end_us)}"
        print("hold", hold.case, hold.device or "everybody", window, hold.by, sep="\t")


@history.command()
def seal(data_dir: DataDir = None) -> None:
    """Seal the days that have ended (UTC); late fixes of sealed days become parts of their own."""
    from geo_policing.store.history.manifest import DAY_US, date

    with _keeper(_settings(data_dir)) as keeper:
        for part in keeper.seal(_now_us() // DAY_US):
            print(f"sealed {date(part.day)}: {part.rows} fixes, {sum(f.bytes for f in part.files)} bytes")


@history.command()
def verify(data_dir: DataDir = None) -> None:
    """Check files, counts, order, checksums, and visits against fixes; exit code 1 if anything is wrong."""
    from geo_policing.store.fixes import sealed_folder
    from geo_policing.store.history.checks import verify as check
    from geo_policing.store.history.manifest import Manifest

    folder = sealed_folder(_settings(data_dir).data_dir / "fixes.duckdb")
    manifest = Manifest.read(folder)
    wrong = 0
    for line in check(folder, manifest):
        print(line)
        wrong += 1
    if wrong:
        raise typer.Exit(1)
    days = len({part.day for part in manifest.parts})
    print(f"{manifest.rows} fixes of {days} days in {len(manifest.parts)} parts are as they were sealed")


@history.command()
def compact(data_dir: DataDir = None) -> None:
    """Merge the parts of each day that has more than one, and write days of an older format anew."""
    from geo_policing.store.history.manifest import date

    with _keeper(_settings(data_dir)) as keeper:
        for part in keeper.compact(renew=True):
            print(f"merged {date(part.day)}: {part.rows} fixes")


@history.command()
def expire(
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND=DAYS: for so many days after the day has ended, fixes of this kind are kept; "
            "others=DAYS for the kinds that are not named. Without a rule they are kept."
        ),
    ] = None,
    answers: Annotated[
        int | None,
        typer.Option(
            help="For so many days answers of searches and reconstructions are kept, but for those of cases "
            "that hold fixes. Without it they are kept."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Delete fixes of whole days, and answers, that no rule keeps and no case holds; it is recorded."""
    import getpass

    from geo_policing.errors import InvalidInput
    from geo_policing.store import open_records
    from geo_policing.store.history.manifest import date

    if not keep and answers is None:
        raise InvalidInput("no rule; give --keep KIND=DAYS or --answers DAYS", field="keep")
    settings = _settings(data_dir)
    rules = dict(_rule(text) for text in keep or ())
    if answers is not None:
        _expire_answers(settings, answers)
    if not rules:
        return
    with open_records(settings.data_dir, settings.records_url) as records:
        kinds = {device.id: device.kind.value for device in records.devices.list()}
    with _keeper(settings) as keeper:
        for gone in keeper.expire(rules, kinds, _now_us(), getpass.getuser()):
            print(
                f"deleted {date(gone.day)}: {gone.rows} fixes of {gone.devices} devices "
                f"({gone.kind}; {gone.rule})"
            )


def _expire_answers(settings: "ServiceSettings", days: int) -> None:
    """Delete answers in the records; a service that runs beside does not mind."""
    import getpass

    from geo_policing.store import open_records
    from geo_policing.store.fixes import sealed_folder
    from geo_policing.store.history.manifest import Manifest

    holds = Manifest.read(sealed_folder(settings.data_dir / "fixes.duckdb")).holds
    with open_records(settings.data_dir, settings.records_url) as records:
        made = records.answers.expire(days, {hold.case for hold in holds}, _now_us(), getpass.getuser())
    for gone in made:
        print(f"deleted of case {gone.case_number}: {gone.answers} answers of {gone.what} ({gone.rule})")


@history.command()
def deletions(data_dir: DataDir = None) -> None:
    """Print when, day, kind, rule, devices, fixes and who asked of each deletion, separated by tabs.

    Then, of answers, when, case, whose, rule, answers, asked from and to, and who asked for it.
    """
    from geo_policing.model import format_instant
    from geo_policing.store import open_records
    from geo_policing.store.fixes import sealed_folder
    from geo_policing.store.history.manifest import Manifest, date

    settings = _settings(data_dir)
    for gone in Manifest.read(sealed_folder(settings.data_dir / "fixes.duckdb")).deletions:
        at = format_instant(gone.at_us)
        print(at, date(gone.day), gone.kind, gone.rule, gone.devices, gone.rows, gone.by, sep="\t")
    with open_records(settings.data_dir, settings.records_url) as records:
        for of in records.answers.deletions():
            at, asked = (
                format_instant(of.at_us),
                f"{format_instant(of.first_us)}/{format_instant(of.last_us)}",
            )
            print(at, of.case_number, of.what, of.rule, of.answers, asked, of.by, sep="\t")


@history.command()
def hold(
    case: Annotated[str, typer.Argument(help="Number of the case.")],
    datetime: Annotated[str, typer.Option(help="Window: start/end, both RFC 3339 with an offset.")],
    device: Annotated[str, typer.Option(help="Whose fixes; everybody's when not given.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Hold fixes that a case needs: no retention deletes them until they are released."""
    import getpass

    from geo_policing.model import TimeWindow
    from geo_policing.store.history.manifest import Hold

    window = TimeWindow.parse(datetime, field="--datetime")
    with _keeper(_settings(data_dir)) as keeper:
        keeper.hold(Hold(case, device, window.start_us, window.end_us, _now_us(), getpass.getuser()))


@history.command()
def release(
    case: Annotated[str, typer.Argument(help="Number of the case.")], data_dir: DataDir = None
) -> None:
    """Release all holds of a case; the next expiry may delete what they held."""
    with _keeper(_settings(data_dir)) as keeper:
        print(f"released {keeper.release(case)} holds of case {case}")


def _settings(data_dir: Path | None) -> "ServiceSettings":
    from geo_policing.cli.options import given
    from geo_policing.settings import ServiceSettings

    return given(ServiceSettings, data_dir=data_dir)


@contextmanager
def _keeper(settings: "ServiceSettings") -> Iterator["Keeper"]:
    from geo_policing.errors import Unavailable
    from geo_policing.store import FixStore
    from geo_policing.store.history.keeper import Keeper

    path = settings.data_dir / "fixes.duckdb"
    if not path.is_file():
        raise Unavailable(f"there is no history at {path}; name its folder with --data-dir")
    with FixStore(path) as store:
        yield Keeper(store)


def _rule(text: str) -> tuple[str, int]:
    from geo_policing.errors import InvalidInput

    kind, separator, days = text.partition("=")
    if not separator or not days.isascii() or not days.isdigit():
        raise InvalidInput(
            f"--keep {text!r} is no rule; write KIND=DAYS, like officer=90", field="keep", value=text
        )
    return kind, int(days)


def _now_us() -> int:
    import time

    return time.time_ns() // 1000
