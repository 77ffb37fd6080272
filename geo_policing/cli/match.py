"""``geo-policing match``: traces of fixes to paths on the roads."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from geo_policing.matching import Piece
    from geo_policing.roads import RoadNetwork

REQUIRED = ("track", "t", "lon", "lat")
OPTIONAL = ("speed_mps", "course_deg", "accuracy_m")


class Traveller(StrEnum):
    """Who travels."""

    ANY = "any"
    CAR = "car"
    BICYCLE = "bicycle"
    FOOT = "foot"


def match(
    roads: Annotated[Path, typer.Argument(help="Road network (.roads).")],
    fixes: Annotated[
        Path,
        typer.Argument(
            help="CSV: track,t,lon,lat[,speed_mps,course_deg,accuracy_m]; t in seconds, or RFC 3339 with an "
            "offset, ascending within a track."
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="CSV to write: track,edges, a row a connected path.")
    ],
    geojson: Annotated[
        Path | None, typer.Option(help="GeoJSON to write: a LineString a piece, observed or inferred.")
    ] = None,
    access: Annotated[
        Traveller, typer.Option(help="Only roads that this traveller may use.")
    ] = Traveller.ANY,
    crs: Annotated[str, typer.Option(help="System of lon and lat: EPSG code, gcj02 or bd09.")] = "EPSG:4326",
    workers: Annotated[int, typer.Option(min=1, help="Threads that match.")] = 1,
) -> None:
    """Match every track of a file; edge ids are those of the source of the roads."""
    import json
    import sys

    import pandas as pd
    from rich.console import Console
    from rich.progress import track as progress

    from geo_policing.cli.writing import write_private
    from geo_policing.errors import InvalidInput
    from geo_policing.matching import Matcher, match_many
    from geo_policing.roads import Access, RoadNetwork

    for path in (out, geojson):
        if path is not None and not path.parent.is_dir():
            raise InvalidInput(f"{path.parent} is no folder; make it first", field="out", value=str(path))
    network = RoadNetwork.load(roads)
    table = _read(fixes, crs)
    matcher = Matcher(network, access=None if access is Traveller.ANY else Access[access.name])
    rows: list[tuple[str, str]] = []
    features: list[dict[str, Any]] = []
    lost: list[str] = []
    refused: list[InvalidInput] = []
    groups = list(table.groupby("track", sort=False))
    all_found = match_many(matcher, (_columns(trace) for _, trace in groups), workers=workers)
    console = Console(stderr=True)
    for (name, _), found in progress(
        zip(groups, all_found, strict=True), "matching", len(groups), console=console, transient=True
    ):
        if isinstance(found, InvalidInput):
            says = f"{fixes}: track {name}: {found}"
            refused.append(InvalidInput(says, field=found.field, value=found.value))
            rows.append((str(name), ""))
            continue
        rows.extend((str(name), " ".join(network.edge_ids[e] for e in p.tolist())) for p in found.paths())
        features.extend(_feature(network, str(name), piece) for piece in found.pieces)
        if not found.pieces:
            rows.append((str(name), ""))
            lost.append(str(name))
    if len(refused) == len(groups):
        raise refused[0]
    for error in refused:
        print(f"{error}; it has no edges", file=sys.stderr)
    if len(lost) + len(refused) == len(groups):
        raise InvalidInput(_off_the_network(network, fixes, table, crs), field="lon,lat")
    write_private(out, pd.DataFrame(rows, columns=["track", "edges"]).to_csv(index=False))
    if geojson is not None:
        collection = {"type": "FeatureCollection", "features": features}
        write_private(geojson, json.dumps(collection, ensure_ascii=False))
    if lost:
        named = ", ".join(lost[:5]) + (" …" if len(lost) > 5 else "")
        print(
            f"{fixes}: no road near any fix of {len(lost)} of {len(groups)} tracks: {named}", file=sys.stderr
        )


def _columns(trace: "pd.DataFrame") -> "dict[str, ArrayLike]":
    """Columns of a track under the names the matcher gives them."""
    names = {"t_s": "t", "lon": "lon", "lat": "lat"} | {name: name for name in OPTIONAL if name in trace}
    return {ours: trace[theirs].to_numpy() for ours, theirs in names.items()}


def _read(path: Path, crs: str) -> "pd.DataFrame":
    """Read the fixes of a file: t in seconds, numbers where known, lon and lat in WGS 84."""
    import numpy as np
    import pandas as pd

    from geo_policing.errors import InvalidCoordinates, InvalidFile
    from geo_policing.geodesy import crs as systems

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path} is no CSV file: {error}", field="fixes", value=str(path)) from None
    missing = [c for c in REQUIRED if c not in table.columns]
    if missing:
        raise InvalidFile(
            f"{path}: no column {', '.join(missing)}; needed are {', '.join(REQUIRED)}", field=missing[0]
        )
    if table.empty:
        raise InvalidFile(f"{path} has a header but no fixes", field="fixes", value=str(path))
    _refuse(path, "track", table["track"], table["track"] == "", "is empty; every fix needs its track")
    given_t = table["t"]
    table["t"] = _seconds(path, given_t)
    for column in ("lon", "lat", *(c for c in OPTIONAL if c in table)):
        text = table[column]
        values = pd.to_numeric(text, errors="coerce")
        unknown = values.isna()
        if column in OPTIONAL:
            unknown &= ~text.str.lower().isin(["", "nan"])
        _refuse(path, column, text, unknown, "is not a number")
        table[column] = values.astype(float)
    backward = table.groupby("track", sort=False)["t"].diff() < 0
    _refuse(path, "t", given_t, backward, "is before the fix above it; sort each track by time")
    lon, lat = systems.transform(table["lon"], table["lat"], crs)
    astray = np.flatnonzero(~systems.plausible(lon, lat, crs))
    if len(astray):
        row = int(astray[0])
        x, y = float(table["lon"].iloc[row]), float(table["lat"].iloc[row])
        raise InvalidCoordinates(
            f"{path}: row {row + 2}: {systems.explain(x, y, crs)}", field="lon,lat", value=(x, y)
        )
    table["lon"], table["lat"] = lon, lat
    return table


def _seconds(path: Path, text: "pd.Series[str]") -> "pd.Series[float]":
    """Return seconds since 1970, or since whenever the file has it, of times in seconds or RFC 3339."""
    import pandas as pd

    seconds = pd.to_numeric(text, errors="coerce").astype(float)
    if seconds.notna().any():
        _refuse(path, "t", text, seconds.isna(), "is no time in seconds as others of the file are")
        return seconds
    _refuse(
        *(path, "t", text, ~text.str.contains(r"(?:[Zz]|[+-]\d\d:?\d\d)$")),
        "is neither seconds nor RFC 3339 with an offset, like 2026-03-01T08:00:00+08:00",
    )
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    _refuse(path, "t", text, times.isna(), "is no RFC 3339 time")
    return (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)


def _refuse(path: Path, column: str, given: "pd.Series[Any]", bad: "pd.Series[bool]", says: str) -> None:
    """Raise for the first bad row, numbered as an editor does: the header is row 1."""
    from geo_policing.errors import InvalidFile

    if bad.any():
        row = int(bad.to_numpy().argmax())
        value = given.iloc[row]
        raise InvalidFile(f"{path}: row {row + 2}: {column} {value!r} {says}", field=column, value=value)


def _off_the_network(network: "RoadNetwork", path: Path, table: "pd.DataFrame", crs: str) -> str:
    """Say why no fix of a file is near a road, and what to do."""
    west, south, east, north = network.bounds
    lon, lat = float(table["lon"].median()), float(table["lat"].median())
    remedy = f"check the roads, or name the system of the fixes with --crs (now {crs})"
    if west <= lat <= east and south <= lon <= north:
        remedy = "lon and lat look swapped; exchange the columns"
    return (
        f"{path}: no fix is near a road: fixes are around {lon:.5f}, {lat:.5f}, "
        f"roads span {west:.5f},{south:.5f},{east:.5f},{north:.5f}; {remedy}"
    )


def _feature(network: "RoadNetwork", name: str, piece: "Piece") -> dict[str, Any]:
    import numpy as np

    return {
        "type": "Feature",
        "geometry": {
            "type": "LineString",
            "coordinates": np.column_stack(piece.drawn(network)).round(7).tolist(),
        },
        "properties": {
            "track": name,
            "inferred": piece.inferred,
            "confidence": round(piece.confidence, 3),
            "edges": [network.edge_ids[e] for e in piece.edges.tolist()],
        },
    }
