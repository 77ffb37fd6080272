"""The table of ways between near nodes, kept in a file beside that of the network and shared by processes."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo_policing.errors import InvalidFile
from geo_policing.kernels import edge_search, node_tables
from geo_policing.kernels.node_tables import Table
from geo_policing.kernels.way_search import Ways
from geo_policing.roads import Access
from geo_policing.roads.mapped import read_arrays, write_arrays

log = logging.getLogger(__name__)

_MAGIC = b"GPWAYS_1"
#: Columns of records, which a file has as bytes.
_RECORDS = {"node": node_tables.NODE, "edge": node_tables.EDGE}


def key_of(ways: Ways, rank: NDArray[np.int32], most: int) -> str:
    """Digest of all that `node_tables.build` makes a table of, and of the code that makes it."""
    digest = hashlib.blake2b(f"{np.little_endian} {most}".encode(), digest_size=16)
    for module in (node_tables, edge_search):
        digest.update(Path(str(module.__file__)).read_bytes())
    for array in (*ways, rank):
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class KeptTable:
    """Where a table is kept.

    Parameters
    ----------
    path : Path
        Its file: one for each kind of traveller, so that the next table replaces the one before.
    key : str
        `key_of` the table wanted; a file with another one is not used.
    """

    path: Path
    key: str

    @classmethod
    def beside(cls, roads: Path, access: Access | None, key: str) -> Self:
        """Name the file for these travellers beside that of their roads."""
        bits = [one for one in Access if access is not None and one in access and one.bit_count() == 1]
        who = "any" if access is None else "-".join(str(one.name).lower() for one in bits) or "none"
        return cls(roads.with_name(f"{roads.name}.{who}.ways"), key)

    def read(self) -> Table | None:
        """Map the table, read-only; None where there is none, or a stale or damaged one."""
        try:
            columns, extra = read_arrays(self.path, _MAGIC)
            if extra["key"] != self.key:
                return None
            for name, dtype in _RECORDS.items():
                columns[name] = columns[name].view(dtype)
            return Table(**columns)
        except FileNotFoundError:
            return None
        except (OSError, InvalidFile, KeyError, TypeError, ValueError) as error:
            log.info("%s cannot be used, the table is made anew: %s", self.path, error)
            return None

    def write(self, table: Table) -> Table | None:
        """Write a table, whole or not at all, and map it; None where that is not possible."""
        columns = table._asdict()
        for name, dtype in _RECORDS.items():
            columns[name] = columns[name].view(f"V{dtype.itemsize}")
        try:
            write_arrays(self.path, columns, {"key": self.key}, _MAGIC)
        except OSError as error:
            log.info("%s cannot be written, the table stays in memory: %s", self.path, error)
            return None
        return self.read()
