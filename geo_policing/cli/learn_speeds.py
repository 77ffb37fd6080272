"""``geo-policing learn-speeds``: how fast each class of road is at each hour, out of tracks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geo_policing.matching import Matcher
    from geo_policing.model import TimeWindow
    from geo_policing.settings import ServiceSettings
    from geo_policing.tracks.learning import Driven

#: A track of a file whose seconds are fewer than these, nine years since 1970, has no date.
DATED_S = 3e8
#: Devices whose tracks tell how cars drive. Buses stop where others do not.
CARS = ("patrol_car", "taxi", "private_car")


def learn_speeds(
    roads: Annotated[Path, typer.Argument(help="Road network (.roads).")],
    out: Annotated[Path, typer.Argument(help="File of speeds to write (.json).")],
    fixes: Annotated[
        Path | None,
        typer.Option(help="CSV of car tracks, as `match` takes it; without it, the history of the service."),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="start/end, RFC 3339: what to take of the history.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the databases; as the service has it by default (GEO_POLICING_DATA_DIR)."
        ),
    ] = None,
    crs: Annotated[str, typer.Option(help="System of lon and lat: EPSG code, gcj02 or bd09.")] = "EPSG:4326",
    time_zone: Annotated[
        str | None,
        typer.Option(help="Of the hours; as the service shows by default (GEO_POLICING_TIME_ZONE)."),
    ] = None,
) -> None:
    """Learn speeds by road class and hour from matched tracks of cars; only sums over all are written.

    That the tracks of the history are read for it is recorded.
    """
    from geo_policing.cli.options import given
    from geo_policing.errors import InvalidInput
    from geo_policing.matching import Matcher
    from geo_policing.model import TimeWindow
    from geo_policing.roads import Access, RoadNetwork
    from geo_policing.settings import ServiceSettings
    from geo_policing.tracks import MovementModel
    from geo_policing.tracks.learning import learn

    if not out.parent.is_dir():
        raise InvalidInput(f"{out.parent} is no folder; make it first", field="out", value=str(out))
    if (fixes is None) == (window is None):
        raise InvalidInput(
            "give --fixes FILE, or --window start/end for the history of the service, one of them",
            field="fixes" if fixes is None else "window",
        )
    covered = None if window is None else TimeWindow.parse(window, field="window")
    settings = given(ServiceSettings, data_dir=data_dir, time_zone=time_zone)
    network = RoadNetwork.load(roads)
    matcher = Matcher(network, access=Access.CAR)
    model = MovementModel.of("car")
    if fixes is not None:
        speeds = learn(network, _of_file(matcher, fixes, crs), model, settings.time_zone)
    else:
        assert covered is not None
        speeds = learn(network, _of_history(matcher, settings, covered), model, settings.time_zone)
    if not speeds.share:
        raise InvalidInput(
            "no track tells a speed: no fixes of cars, none near a road, or more than 12 s apart",
            field="fixes" if window is None else "window",
        )
    speeds.write(out)
    for (road_class, hour), share in speeds.share.items():
        if hour is None:
            hours = speeds.seconds[road_class, None] / 3600.0
            print(road_class.name, f"{hours:.2f} h", f"{share @ speeds.speed_mps:.1f} m/s", sep="\t")


def _of_file(matcher: "Matcher", path: Path, crs: str) -> "Iterator[Driven]":
    """Yield the tracks of a file."""
    from geo_policing.cli.match import _read
    from geo_policing.tracks.learning import Driven

    for _, trace in _read(path, crs).groupby("track", sort=False):
        t, lon, lat = (trace[name].to_numpy(float) for name in ("t", "lon", "lat"))
        accuracy = trace["accuracy_m"].to_numpy(float) if "accuracy_m" in trace else None
        match = matcher.match(t, lon, lat, accuracy_m=accuracy)
        yield Driven(t, lon, lat, match, dated=bool(t[0] >= DATED_S))


def _of_history(matcher: "Matcher", settings: "ServiceSettings", window: "TimeWindow") -> "Iterator[Driven]":
    """Yield the tracks that cars drove in a window; that they are read is recorded."""
    from geo_policing.cli.recording import recorded
    from geo_policing.errors import Unavailable
    from geo_policing.store import FixStore, open_records
    from geo_policing.tracks.learning import Driven

    path = settings.data_dir / "fixes.duckdb"
    if not path.is_file():
        raise Unavailable(f"there is no history at {path}; name its folder with --data-dir")
    span = (window.start_us, window.end_us)
    with (
        open_records(settings.data_dir, settings.records_url) as records,
        FixStore(path) as store,
        recorded(
            *(records,),
            command="learn-speeds",
            case="",
            reason="speeds by road class and hour; only sums are written",
            question={"window": f"{window.start.isoformat()}/{window.end.isoformat()}"},
            window_us=span,
        ) as outcome,
    ):
        cars = [device.id for device in records.devices.list() if device.kind.value in CARS]
        for device in cars:
            told = False
            # A device that says its position every second has a day in a page, and is matched page by page.
            for found in store.pages(device, window):
                if len(found) < 2:
                    continue
                told = True
                t = found.time / 1e6
                match = matcher.match(t, found.lon, found.lat, accuracy_m=found.accuracy_m)
                yield Driven(t, found.lon, found.lat, match)
            outcome.devices += told
