"""A layer of features as GDAL reads it: which one, whether it is whole, and which column says what."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from geo_policing.errors import InvalidFile
from geo_policing.roads.report import Report

#: What a column can say of a road -> columns that say it where none is named.
TARGETS = {
    "id": ("id", "edge_id", "osm_id"),
    "name": ("name",),
    "class": ("class", "road_class", "highway", "fclass"),
    "oneway": ("oneway",),
    "speed_kmh": ("speed_kmh", "maxspeed"),
    "access": ("access",),
    "bridge": ("bridge",),
    "tunnel": ("tunnel",),
    "from": ("from", "from_node"),
    "to": ("to", "to_node"),
    "geometry": (),
}
_WKT_COLUMNS = "wkt,geometry,geom,the_geom,shape,way,WKT,GEOMETRY,GEOM,SHAPE"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Features of a layer.

    Parameters
    ----------
    geometry : (f,) array of shapely geometries
        None where there is none.
    fid : (f,) int64
        Their numbers in the file.
    columns : dict of str to list
        Values (f,) by column.
    crs : str or None
        System of coordinates that the file states.
    """

    geometry: NDArray[np.object_]
    fid: NDArray[np.int64]
    columns: dict[str, list[Any]]
    crs: str | None


def read_table(
    path: Path, layer: str | None, encoding: str | None, wkt_column: str | None, report: Report
) -> Table:
    """Read a layer; what GDAL warns of becomes notes of the report.

    Raises
    ------
    InvalidFile
        If GDAL cannot read it, it is cut short, or it has no such layer, no lines or no features.
    """
    path.stat()  # a missing or unreadable file is an OSError, as everywhere
    _refuse_cut(path)
    is_csv = path.suffix.lower() in (".csv", ".tsv", ".txt")
    options: dict[str, Any] = {"encoding": encoding} if encoding else {}
    if is_csv:
        options |= {"GEOM_POSSIBLE_NAMES": wkt_column or _WKT_COLUMNS, "KEEP_GEOM_COLUMNS": "NO"}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            chosen = _layer(path, pyogrio.list_layers(path).tolist(), layer, is_csv=is_csv)
            meta, fid, wkb, data = pyogrio.raw.read(path, layer=chosen, return_fids=True, **options)
        except (DataSourceError, DataLayerError, ValueError, LookupError) as error:
            reason = " ".join(str(error).split()).split("; It might help")[0][:200]
            raise InvalidFile(
                f"{path} cannot be read ({reason}); give a whole GeoPackage, GeoJSON, shapefile, "
                "CSV with WKT or another file of lines",
                field="source",
                value=str(path),
            ) from None
    report.notes += sorted({" ".join(str(w.message).split()) for w in caught})[:5]
    fields = {name: values.tolist() for name, values in zip(meta["fields"].tolist(), data, strict=True)}
    if wkb is None:
        raise InvalidFile(
            f"{path} has no column of WKT; name it with --map geometry=COLUMN, it has {', '.join(fields)}",
            field="geometry",
        )
    if len(wkb) == 0:
        raise InvalidFile(f"{path} holds no features; give a file with roads", field="source")
    with np.errstate(invalid="ignore"):  # a coordinate that is no number is found where lines are taken apart
        geometry = shapely.force_2d(shapely.from_wkb(wkb, on_invalid="ignore"))
    # GDAL guesses that numbers like degrees in a CSV are WGS 84; a guess is not what the file says.
    return Table(geometry, fid, fields, None if is_csv else meta["crs"])


def _refuse_cut(path: Path) -> None:
    """Refuse shapefiles and GeoPackages shorter than their headers say; GDAL reads what is left of them."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(100)
    size, told = path.stat().st_size, 0
    if head[:4] == b"\x00\x00\x27\x0a" and len(head) >= 28:
        told = 2 * int.from_bytes(head[24:28], "big")
        dbf = path.with_suffix(".dbf")
        if dbf.is_file():
            _refuse_cut(dbf)
    elif head[:16] == b"SQLite format 3\x00" and len(head) == 100:
        page = int.from_bytes(head[16:18], "big")
        told = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    elif path.suffix.lower() == ".dbf" and len(head) >= 12:
        # Rows of a fixed length after the header.
        told = int.from_bytes(head[8:10], "little")
        told += int.from_bytes(head[4:8], "little") * int.from_bytes(head[10:12], "little")
    if size < told:
        raise InvalidFile(
            f"{path} is cut short: {size} of {told} bytes; copy it again", field="source", value=str(path)
        )


def _layer(path: Path, layers: list[list[str | None]], wanted: str | None, *, is_csv: bool) -> str:
    kinds = {str(name): str(kind or "table") for name, kind in layers}
    shown = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
    if wanted is not None:
        if wanted not in kinds:
            raise InvalidFile(f"{path} has no layer {wanted!r}; it has {shown}", field="layer", value=wanted)
        return wanted
    lines = [name for name, kind in kinds.items() if "Line" in kind or "Unknown" in kind or is_csv]
    if len(lines) == 1:
        return lines[0]
    if lines:
        raise InvalidFile(
            f"{path} has several layers of lines: {shown}; name one with --layer", field="layer"
        )
    raise InvalidFile(
        f"{path} has no layer of lines; it has {shown}; give the layer of road centre lines", field="source"
    )


def find_columns(path: Path, table: Table, named: Mapping[str, str]) -> dict[str, str]:
    """Find which column says what: those named, and for the other targets those of the usual names.

    Raises
    ------
    InvalidFile
        If a named column is not there, or only one of from and to is named.
    """
    by_lower = {name.lower(): name for name in reversed(table.columns)}
    found = {}
    for target, usual in TARGETS.items():
        if target in named:
            column = named[target]
            if not column:
                continue
            if column not in table.columns and column.lower() not in by_lower:
                raise InvalidFile(
                    f"{path} has no column {column} for {target}; "
                    f"it has {', '.join(table.columns) or 'none'}",
                    field="map",
                    value=f"{target}={column}",
                )
            found[target] = column if column in table.columns else by_lower[column.lower()]
        else:
            column = next((by_lower[name] for name in usual if name in by_lower), "")
            if column:
                found[target] = column
    if ("from" in found) != ("to" in found):
        missing, there = ("to", "from") if "from" in found else ("from", "to")
        if there in named:
            raise InvalidFile(f"{path}: {there} is mapped, {missing} is not; map both or none", field="map")
        del found[there]
    return found
