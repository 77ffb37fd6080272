"""Fixes of many devices in a table to the edges that they drove, a row each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_policing.errors import InvalidInput
from geo_policing.matching.match import Match
from geo_policing.matching.matcher import Matcher

#: An edge that a device drove.
DRIVEN = pa.schema(
    [
        pa.field("device", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        pa.field("edge", pa.string(), nullable=False),
        pa.field("enter_us", pa.int64(), nullable=False),
        pa.field("inferred", pa.bool_(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
#: Columns of the fixes; others are not looked at.
NEEDED = ("device", "time", "lon", "lat", "speed_mps", "course_deg", "accuracy_m")


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """What the devices of a table drove.

    Parameters
    ----------
    edges : Table
        With the columns of `DRIVEN`, by device and time: ``piece`` counts the pieces of the path of a device
        from 0, ``edge`` is the id of the source, ``enter_us`` when it was entered, ``confidence`` how likely
        it was driven there (`Piece.confidence_of_edges`).
    refused : dict of str to str
        Devices that cannot be matched, and why.
    unmatched : tuple of str
        Devices with no fix near a road.
    """

    edges: pa.Table
    refused: dict[str, str]
    unmatched: tuple[str, ...]


def match_table(matcher: Matcher, fixes: pa.Table) -> Driven:
    """Match each device of a table; one that cannot be matched does not stop the others.

    Parameters
    ----------
    matcher : Matcher
        With the roads, and who may use them.
    fixes : Table
        With the columns `NEEDED`, as in `FIX_SCHEMA`, by device and time.

    Returns
    -------
    Driven
    """
    refused: dict[str, str] = {}
    unmatched = []
    tables = [DRIVEN.empty_table()]
    ids = pa.array(matcher.network.edge_ids, pa.string())
    for device, columns in _devices(fixes):
        time = columns.pop("time")
        try:
            match = matcher.match((time - time[0]) / 1e6, weigh_edges=True, **columns)
        except InvalidInput as error:
            refused[device] = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A fault of ours that the data of one device meets must not cost those of all others.
            refused[device] = f"{type(error).__name__}: {error}"
        else:
            tables.append(_rows(device, match, int(time[0]), ids))
            if not match.pieces:
                unmatched.append(device)
    return Driven(pa.concat_tables(tables).combine_chunks(), refused, tuple(unmatched))


def _devices(fixes: pa.Table) -> Iterator[tuple[str, dict[str, NDArray[Any]]]]:
    """Yield the columns of each device."""
    if not len(fixes):
        return
    coded = fixes.column("device").combine_chunks().dictionary_encode()
    names, code = coded.dictionary.to_pylist(), coded.indices.to_numpy()
    columns = {name: fixes.column(name).to_numpy() for name in NEEDED if name != "device"}
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(code)], strict=True):
        yield names[code[start]], {name: column[start:end] for name, column in columns.items()}


def _rows(device: str, match: Match, epoch_us: int, ids: pa.Array) -> pa.Table:
    pieces = match.pieces
    edges = np.concatenate([np.empty(0, np.int32), *(piece.edges for piece in pieces)])
    enter_s = np.concatenate([np.empty(0), *(piece.enter_s for piece in pieces)])
    sure = np.concatenate([np.empty(0), *(piece.confidence_of_edges for piece in pieces)])
    lengths = [len(piece.edges) for piece in pieces]
    return pa.table(
        [
            pa.array([device] * len(edges), pa.string()),
            pa.array(np.repeat(np.arange(len(pieces), dtype=np.int32), lengths)),
            ids.take(pa.array(edges)),
            pa.array(epoch_us + np.rint(enter_s * 1e6).astype(np.int64)),
            pa.array(np.repeat([piece.inferred for piece in pieces], lengths).astype(np.bool_)),
            pa.array(sure.astype(np.float32)),
        ],
        schema=DRIVEN,
    )
