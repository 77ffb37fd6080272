"""The movement of everybody by place: the rows of the files ``by_cell``.

An area and an hour are answered from the rows of the blocks that the area touches, without any other: they
have each way through it, with both of its fixes, and say that the one follows the other.
"""

import numpy as np
import pyarrow as pa

from geo_policing.geodesy.cells import BLOCK_RESOLUTION, cells
from geo_policing.kernels import block_ways


def block_rows(fixes: pa.Table) -> pa.Table:
    """Return the rows of fixes.

    Parameters
    ----------
    fixes : Table
        Sorted by device and time: device (a text, a dictionary or a number), time, lon, lat.

    Returns
    -------
    Table
        hour, block, device as it was given, time, lon, lat and flags, as in `kernels.block_ways.rows`.
    """
    at = fixes.schema.get_field_index("device")
    device = fixes.column(at).combine_chunks()
    codes = device if pa.types.is_integer(device.type) else device.dictionary_encode().indices
    time, lon, lat = (np.ascontiguousarray(fixes.column(name).to_numpy()) for name in ("time", "lon", "lat"))
    fix, block, hour, flags = block_ways.rows(
        codes.to_numpy().astype(np.int32),
        *(time, lon, lat, cells(lon, lat, BLOCK_RESOLUTION), BLOCK_RESOLUTION),
    )
    columns = {
        "hour": pa.array(hour.astype(np.int32)),
        "block": pa.array(block),
        "device": device.take(pa.array(fix)),
        "time": pa.array(time[fix]),
        "lon": pa.array(lon[fix]),
        "lat": pa.array(lat[fix]),
        "flags": pa.array(flags),
    }
    return pa.table(columns)
