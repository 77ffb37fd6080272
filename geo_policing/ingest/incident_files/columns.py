"""Which of a file's columns say what: the mapping from our fields to their columns."""

from collections.abc import Mapping, Sequence

import pandas as pd

from geo_policing.errors import InvalidFile, InvalidInput
from geo_policing.ingest.incident_files.table import Table, as_text

#: What an incident can be given; ``date`` and ``time`` are ``occurred`` in two columns.
FIELDS = ("id", "occurred", "date", "time", "kind", "severity", "lon", "lat", "address", "summary", "state")
_IDS_JOINED_BY = "-"


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read ``field=Column`` or ``field=Column+Column`` as the command line takes them.

    Raises
    ------
    InvalidInput
        If one is not of that form, names no field of ours, or one that was given before.
    """
    mapping: dict[str, str] = {}
    for text in texts:
        name, equals, column = (part.strip() for part in text.partition("="))
        if not equals or not column:
            raise InvalidInput(
                f"--map {text!r} is not FIELD=COLUMN, like occurred=Date", field="map", value=text
            )
        if name in mapping:
            raise InvalidInput(
                f"--map {name} is given twice; join columns with +, like {name}={mapping[name]}+{column}",
                field="map",
                value=text,
            )
        mapping[name] = column
    _check_fields(mapping)
    return mapping


def resolve(table: Table, mapping: Mapping[str, str]) -> dict[str, list[str]]:
    """Columns of each field that is mapped, or whose own name is a column.

    Raises
    ------
    InvalidInput
        If a field is not ours, or the time is given both in one field and in two.
    InvalidFile
        If a column is not there, or is there twice; the message lists the columns there are.
    """
    _check_fields(mapping)
    there = list(table.frame.columns)
    found = {name: [name] for name in FIELDS if name in there}
    mapped = {name: _columns_of(there, name, spec) for name, spec in mapping.items()}
    if {"occurred"} & mapped.keys() and {"date", "time"} & mapped.keys():
        raise InvalidInput("map either occurred or date and time, not both", field="map")
    if "occurred" in mapped:
        found.pop("date", None)
        found.pop("time", None)
    elif "date" in mapped:
        found.pop("occurred", None)
    found |= mapped
    if "occurred" not in found and "date" in found:
        found["occurred"] = found["date"] + found.get("time", [])
    needed = ["occurred"] if table.xy is not None else ["occurred", "lon", "lat"]
    missing = [name for name in needed if name not in found]
    if missing:
        raise InvalidFile(
            f"nothing says which column is {' and '.join(missing)}; {_offer(there, missing[0])}",
            field=missing[0],
        )
    return found


def text_of(table: Table, columns: Sequence[str], field: str) -> pd.Series:
    """Text of a field, (n,): its columns without blanks at the ends, joined by a space, an id's by ``-``."""
    parts = [table.frame[column].map(as_text) for column in columns]
    joined = parts[0]
    between = _IDS_JOINED_BY if field == "id" else " "
    for part in parts[1:]:
        gap = (joined != "") & (part != "")
        joined = joined + gap.map({True: between, False: ""}) + part
    return joined


def _check_fields(mapping: Mapping[str, str]) -> None:
    for name in mapping:
        if name not in FIELDS:
            raise InvalidInput(
                f"an incident has no field {name!r}; it has {', '.join(FIELDS)}", field="map", value=name
            )


def _columns_of(there: list[str], name: str, spec: str) -> list[str]:
    """Columns of ``A+B``; a column that is itself called so wins."""
    wanted = [spec] if spec in there else [part.strip() for part in spec.split("+")]
    for column in wanted:
        if column not in there:
            raise InvalidFile(
                f"no column {column!r} for {name}; {_offer(there, name)}", field=name, value=column
            )
        if f"{column} (2)" in there:
            raise InvalidFile(
                f"column {column!r} is there twice; rename one or map {column + ' (2)'!r}", field=name
            )
    return wanted


def _offer(there: list[str], field: str) -> str:
    return (
        f"there are: {', '.join(there)}; say it like --map {field}=COLUMN"
        " (and --header-row N if the names stand further down)"
    )
