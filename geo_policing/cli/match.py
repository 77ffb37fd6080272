"""``geo-policing match``: traces of fixes to paths on the roads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from geo_policing.matching import Piece
    from geo_policing.roads import RoadNetwork

COLUMNS = ("track", "t", "lon", "lat")
OPTIONAL = ("speed_mps", "course_deg", "accuracy_m")


def match(
    roads: Annotated[Path, typer.Argument(help="Road network (.roads).")],
    fixes: Annotated[
        Path, typer.Argument(help="CSV: track,t,lon,lat[,accuracy_m]; t in seconds or RFC 3339.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="CSV to write: track,edges, a row a piece.")],
    geojson: Annotated[Path | None, typer.Option(help="GeoJSON to write: a LineString a piece.")] = None,
) -> None:
    """Match every track of a file; edge ids are those of the source of the roads."""
    import json

    import pandas as pd
    from rich.console import Console
    from rich.progress import track as progress

    from geo_policing.errors import InvalidInput
    from geo_policing.matching import Matcher
    from geo_policing.roads import RoadNetwork

    network = RoadNetwork.load(roads)
    table = _read(fixes)
    matcher = Matcher(network)
    rows: list[tuple[Any, str]] = []
    features: list[dict[str, Any]] = []
    groups = list(table.groupby("track", sort=False))
    for name, trace in progress(groups, "matching", console=Console(stderr=True), transient=True):
        try:
            found = matcher.match(
                *(trace["t"], trace["lon"], trace["lat"]), **{c: trace[c] for c in OPTIONAL if c in trace}
            )
        except InvalidInput as error:
            raise InvalidInput(
                f"{fixes}: track {name}: {error}", field=error.field, value=error.value
            ) from None
        rows.extend((name, " ".join(network.edge_ids[e] for e in path.tolist())) for path in found.paths())
        features.extend(_feature(network, name, piece) for piece in found.pieces)
        if not found.pieces:
            rows.append((name, ""))
    pd.DataFrame(rows, columns=["track", "edges"]).to_csv(out, index=False)
    if geojson is not None:
        geojson.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    from geo_policing.errors import InvalidFile

    try:
        table = pd.read_csv(path, dtype={"track": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path} is no CSV file: {error}") from None
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing:
        raise InvalidFile(
            f"{path}: no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}", field=missing[0]
        )
    if not pd.api.types.is_numeric_dtype(table["t"]):
        try:
            times = pd.to_datetime(table["t"], format="ISO8601", utc=True)
        except ValueError as error:
            raise InvalidFile(f"{path}: t is neither seconds nor RFC 3339: {error}", field="t") from None
        table["t"] = (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return table


def _feature(network: "RoadNetwork", name: Any, piece: "Piece") -> dict[str, Any]:
    import numpy as np

    lonlat = np.column_stack(piece.drawn(network))
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": lonlat.round(7).tolist()},
        "properties": {
            "track": name,
            "inferred": piece.inferred,
            "confidence": round(piece.confidence, 3),
            "edges": [network.edge_ids[e] for e in piece.edges.tolist()],
        },
    }
