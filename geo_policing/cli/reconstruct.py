"""``geo-policing reconstruct``: sightings of a suspect to paths, and to where the suspect was when."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from geo_policing.model import Sighting, SightingKind, Watch
    from geo_policing.roads import RoadNetwork
    from geo_policing.tracks import Path as Way
    from geo_policing.tracks import Reconstruction


class Travels(StrEnum):
    """What the suspect travels with."""

    CAR = "car"
    E_BIKE = "e-bike"
    FOOT = "foot"
    ANY = "any"


REQUIRED = ("time", "lon", "lat")
NUMBERS = ("lon", "lat", "accuracy_m", "probability", "radius_m", "detection")
TEXTS = ("observer", "edge", "kind")


def reconstruct(
    roads: Annotated[Path, typer.Argument(help="Road network (.roads).")],
    sightings: Annotated[
        Path,
        typer.Argument(
            help="CSV, or GeoJSON of points with the same names: "
            "time,lon,lat[,accuracy_m,probability,observer,edge,kind]. With seen=no it is a watch in vain: "
            "until, and radius_m and detection if known."
        ),
    ],
    out: Annotated[Path, typer.Option(help="GeoJSON to write: paths, sightings, and cells at each moment.")],
    mode: Annotated[Travels, typer.Option(help="What the suspect travels with.")] = Travels.CAR,
    window: Annotated[
        str | None, typer.Option(help="start/end, RFC 3339; from the first to the last sighting without it.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Seconds between the moments written.")] = 60,
    paths: Annotated[int, typer.Option(min=1, help="How many of the most frequent paths to write.")] = 5,
    resolution: Annotated[int, typer.Option(min=9, max=11, help="Of the H3 cells.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the samples; the same input gives the same file.")] = 0,
) -> None:
    """Reconstruct a suspect's track: probabilities of places, not of guilt."""
    import json

    from geo_policing.errors import InvalidInput
    from geo_policing.model import TimeWindow
    from geo_policing.roads import RoadNetwork
    from geo_policing.tracks import MovementModel, leave_one_out
    from geo_policing.tracks import reconstruct as run
    from geo_policing.tracks.turns import Turns

    if not out.parent.is_dir():
        raise InvalidInput(f"{out.parent} is no folder; make it first", field="out", value=str(out))
    seen, watched = read_sightings(sightings)
    network = RoadNetwork.load(roads)
    model = MovementModel.of(mode.value)
    turns = Turns.of(network, model.access)
    covered = None if window is None else TimeWindow.parse(window, field="window")
    found = run(network, seen, model, covered, watches=watched, turns=turns, seed=seed)
    features = [_path(network, found.best_path, "best")]
    features += [_path(network, way, "sampled") for way in found.paths(paths)]
    alone = leave_one_out(network, found.sightings, model, turns=turns)
    features += [
        _sighting(s, float(truth), float(fit))
        for s, truth, fit in zip(found.sightings, found.truth, alone, strict=True)
    ]
    features += _occupancies(found, every, resolution)
    collection = {
        "type": "FeatureCollection",
        "window": [found.window.start.isoformat(), found.window.end.isoformat()],
        "mode": mode.value,
        "step_s": found.step_s,
        "roads": network.source,
        "seed": seed,
        "features": features,
    }
    out.write_text(json.dumps(collection, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def read_sightings(path: Path) -> "tuple[list[Sighting], list[Watch]]":
    """Read sightings and watches of a CSV or GeoJSON file.

    Raises
    ------
    InvalidFile
        If it is neither, a column is missing, or a row cannot be read: its number and why.
    """
    from geo_policing.errors import InvalidFile, InvalidInput
    from geo_policing.model import Sighting, Watch, parse_instant

    seen: list[Sighting] = []
    watched: list[Watch] = []
    for number, row in enumerate(_rows(path), 1):
        missing = [name for name in REQUIRED if not row.get(name)]
        if missing:
            raise InvalidFile(f"{path}: sighting {number} has no {', '.join(missing)}", field=missing[0])
        try:
            values: dict[str, Any] = {}
            for name in NUMBERS:
                if row.get(name):
                    values[name] = _number(name, row[name])
            values |= {name: row[name] for name in TEXTS if row.get(name)}
            time = parse_instant(row["time"], field="time")
            if row.get("seen", "").lower() in ("no", "false", "0"):
                kept = ("lon", "lat", "radius_m", "detection", "observer", "edge")
                end = parse_instant(row.get("until", ""), field="until")
                watched.append(Watch(time, end, **{k: v for k, v in values.items() if k in kept}))
                continue
            if "kind" in values:
                values["kind"] = _kind(values["kind"])
            known = ("lon", "lat", "accuracy_m", "probability", "observer", "edge", "kind")
            seen.append(Sighting(time, **{k: v for k, v in values.items() if k in known}))
        except InvalidInput as error:
            raise InvalidFile(
                f"{path}: sighting {number}: {error}", field=error.field, value=error.value
            ) from None
    return seen, watched


def _kind(text: str) -> "SightingKind":
    from geo_policing.errors import InvalidInput
    from geo_policing.model import SightingKind

    if text not in list(SightingKind):
        raise InvalidInput(
            f"kind {text!r} is unknown; write one of {', '.join(SightingKind)}", field="kind", value=text
        )
    return SightingKind(text)


def _number(name: str, text: str) -> float:
    import math

    from geo_policing.errors import InvalidInput

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"{name} {text!r} is no number", field=name, value=text)
    return value


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of a file as texts; what is not given is absent or empty."""
    import csv
    import json

    from geo_policing.errors import InvalidFile

    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.lstrip().startswith("{"):
            return [dict(row) for row in csv.DictReader(text.splitlines())]
        rows: list[dict[str, str]] = []
        for feature in json.loads(text)["features"]:
            lon, lat = feature["geometry"]["coordinates"][:2]
            given = {k: "" if v is None else str(v) for k, v in (feature.get("properties") or {}).items()}
            rows.append(given | {"lon": str(lon), "lat": str(lat)})
    except (UnicodeDecodeError, csv.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidFile(
            f"{path} is neither CSV nor GeoJSON of points ({type(error).__name__}: {error}); correct it",
            field="sightings",
            value=str(path),
        ) from None
    return rows


def _path(network: "RoadNetwork", way: "Way", kind: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": way.lonlat(network).round(7).tolist()},
        "properties": {
            "what": "path",
            "kind": kind,
            "probability": round(way.probability, 4) if kind == "sampled" else None,
            "edges": [network.edge_ids[e] for e in way.edges.tolist()],
            "entered": [time.isoformat() for time in way.entered],
        },
    }


def _sighting(sighting: "Sighting", truth: float, fit: float) -> dict[str, Any]:
    import math

    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [sighting.lon, sighting.lat]},
        "properties": {
            "what": "sighting",
            "time": sighting.time.isoformat(),
            "observer": sighting.observer,
            "given_probability": sighting.probability,
            "probability": round(truth, 6),
            "leave_one_out": None if math.isnan(fit) else round(fit, 6),
        },
    }


def _occupancies(found: "Reconstruction", every: int, resolution: int) -> list[dict[str, Any]]:
    """Cells that hold 90 % of the probability, at each moment."""
    from datetime import timedelta

    from h3.api import basic_int as h3

    features = []
    moment = found.window.start
    while moment <= found.window.end:
        there = found.occupancy(moment, resolution)
        kept = len(there.region(0.9))
        for cell, probability in zip(
            there.cell[:kept].tolist(), there.probability[:kept].tolist(), strict=True
        ):
            ring = [[round(lon, 7), round(lat, 7)] for lat, lon in h3.cell_to_boundary(cell)]
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                    "properties": {
                        "what": "cell",
                        "time": moment.isoformat(),
                        "cell": h3.int_to_str(cell),
                        "probability": round(probability, 6),
                    },
                }
            )
        moment += timedelta(seconds=every)
    return features
