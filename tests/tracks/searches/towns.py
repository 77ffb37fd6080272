"""Small random towns on a grid, so that borders are touched and roads run along them."""

import numpy as np
import pyarrow as pa
import shapely

from geo_policing.geodesy import cells as cells_of
from geo_policing.kernels import block_ways, cell_visits
from geo_policing.kernels.block_ways import HOUR_US
from geo_policing.model import Fix, FixColumns, Halt, TimeWindow, from_us
from geo_policing.model.fix import NAN
from geo_policing.model.moves import Moves, Visits
from geo_policing.roads import RoadNetwork
from geo_policing.store.history.piecing import Source, pieced

#: About 200 m; coordinates are whole multiples of it, exact in binary.
STEP = 1 / 512
WEST, SOUTH = 113.125, 27.8125
MIDNIGHT = 20_514 * 86_400_000_000
SIZE = 10
MINUTE = 60_000_000
DAY_US = 86_400_000_000


def window(start_us, end_us):
    return TimeWindow(from_us(start_us), from_us(end_us))


def random_window(rng):
    """Return up to an hour, about midnight and often over it."""
    start = MIDNIGHT + int(rng.integers(-40, 10)) * MINUTE
    return window(start, start + int(rng.integers(1, 60)) * MINUTE)


#: All that happens in a town.
EVER = window(MIDNIGHT - DAY_US, MIDNIGHT + DAY_US)


def town(rng, devices=6, fixes=40):
    """Return device -> [(time, lon, lat)]: walks on a grid of streets, with gaps, over midnight.

    Of four or more the last stands still, and the one before goes to and fro between two crossings.
    """
    found = {}
    ways = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (2, -1)]
    for n in range(devices):
        x, y = rng.integers(0, SIZE, 2)
        way = ways[rng.integers(0, 6)]
        moving = 0.0 if n == devices - 1 and n > 2 else 0.8
        t = MIDNIGHT + int(rng.integers(-2400, 200)) * 1_000_000
        track = []
        for _ in range(fixes):
            track.append((t, WEST + int(x) * STEP, SOUTH + int(y) * STEP))
            if rng.random() < moving:
                way = (-way[0], -way[1]) if n == devices - 2 and n > 1 else ways[rng.integers(0, 6)]
                x, y = np.clip([x + way[0], y + way[1]], 0, SIZE)
            t += int(rng.choice([10, 20, 40, 120, 121, 900], p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.05])) * 1_000_000
        found[f"d{n}"] = track
    return found


def over_days(rng, found, days):
    """Return a town whose devices did the same on some of the days before as well."""
    return {
        name: [
            (t - day * DAY_US, *at)
            for day in range(days, -1, -1)
            if day == 0 or rng.random() < 0.4
            for t, *at in track
        ]
        for name, track in found.items()
    }


def polygon(rng):
    """Return a polygon on the same grid: a box, a triangle, an L or a box with a hole; or two of them."""
    while True:
        x, y = (int(v) for v in rng.integers(0, SIZE - 3, 2))
        w, h = (int(v) for v in rng.integers(1, 5, 2))
        kind = rng.integers(0, 5)
        if kind == 0:
            shape = shapely.box(x, y, x + w, y + h)
        elif kind == 1:
            shape = shapely.Polygon([(x, y), (x + w, y), (x, y + h)])
        elif kind == 2:
            shape = shapely.Polygon(
                [(x, y), (x + 3, y), (x + 3, y + 1), (x + 1, y + 1), (x + 1, y + 3), (x, y + 3)]
            )
        elif kind == 3:
            shape = shapely.box(x, y, x + 3, y + 3) - shapely.box(x + 1, y + 1, x + 2, y + 2)
        else:
            shape = shapely.MultiPolygon(
                [shapely.box(x, y, x + 1, y + 1), shapely.box(x + 2, y + 2, x + 3, y + 3)]
            )
        at = shapely.transform(
            shape, lambda xy: np.column_stack([WEST + xy[:, 0] * STEP, SOUTH + xy[:, 1] * STEP])
        )
        if at.is_valid:
            return at


def streets(rng):
    """Return roads on the grid: two-way, one-way and antiparallel ones, some missing, of many speeds."""
    at = np.arange((SIZE + 1) ** 2)
    x, y = at % (SIZE + 1), at // (SIZE + 1)
    pairs = [(a, b) for a in at.tolist() for b in (a + 1, a + SIZE + 1) if b < len(at) and x[b] >= x[a]]
    pairs = [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs if rng.random() < 0.8]
    pairs += [(b, a) for a, b in pairs if rng.random() < 0.7]
    place = np.column_stack([WEST + x * STEP, SOUTH + y * STEP])
    lines = [place[list(pair)] for pair in pairs]
    for n in np.flatnonzero(rng.random(len(pairs)) < 0.2).tolist():  # a carriageway of its own, 10 m aside
        (ax, ay), (bx, by) = lines[n]
        aside = ((ax + bx) / 2 + (by - ay) / 20, (ay + by) / 2 - (bx - ax) / 20)
        lines[n] = np.array([lines[n][0], aside, lines[n][1]])
    return RoadNetwork.build(
        node_lon=place[:, 0],
        node_lat=place[:, 1],
        edge_id=[str(n) for n in range(len(pairs))],
        from_node=np.array([a for a, _ in pairs]),
        to_node=np.array([b for _, b in pairs]),
        geometry_lonlat=lines,
        speed_mps=rng.uniform(5.0, 25.0, len(pairs)).astype(np.float32),
    )


class MemoryHistory:
    """The history of a town, in memory."""

    def __init__(self, found):
        self.town = found
        self.halt = Halt()

    def moves(self, start_us, end_us, devices):
        names = sorted(set(devices) & self.town.keys())
        rows = [
            (code, *fix[:3])
            for code, name in enumerate(names)
            for fix in self.town[name]
            if start_us - 120_000_000 <= fix[0] <= end_us + 120_000_000
        ]
        columns = list(zip(*rows, strict=True)) or [[], [], [], []]
        kinds = (np.int32, np.int64, np.float64, np.float64)
        return Moves(tuple(names), *(np.array(c, k) for c, k in zip(columns, kinds, strict=True)))

    def ways(self, place, start_us, end_us):
        """The rows of blocks that a file by cell has, those of all time."""
        everything = self.moves(start_us, end_us, self.town)
        columns = (everything.device, everything.time, everything.lon, everything.lat)
        of_fix = cells_of(everything.lon, everything.lat, 8)
        fix, block, hour, flags = block_ways.rows(*columns, of_fix, 8)
        wanted = (
            np.isin(block, place.blocks) & (hour >= start_us // HOUR_US) & (hour <= (end_us - 1) // HOUR_US)
        )
        at = np.flatnonzero(wanted)
        at = at[np.lexsort((flags[at], fix[at], block[at], hour[at]))]
        rows, told = block_ways.near(
            *(column[fix[at]] for column in columns[1:]), flags[at], np.array(place.bounds)
        )
        device = pa.array(list(everything.names), pa.string()).take(pa.array(columns[0][fix[at]][rows]))
        numbers = (column[fix[at]][rows] for column in columns[1:])
        names = ("device", "time", "lon", "lat", "flags")
        return pieced([Source(0, 0, rows=[pa.table([device, *numbers, told], names=names)])])

    def fixes(self, start_us, end_us, devices):
        mine = {name: self.town[name] for name in set(devices) & self.town.keys()}
        fixes = columns({n: [f for f in track if start_us <= f[0] < end_us] for n, track in mine.items()})
        return fixes.take(np.lexsort((fixes.time, fixes.device.astype(str))))

    def visits(self, wanted, start_us, end_us):
        everything = self.moves(start_us, end_us, self.town)
        code, cell, first, last = cell_visits.visits(
            everything.device,
            everything.time,
            everything.lon,
            everything.lat,
            cells_of(everything.lon, everything.lat),
            np.ones(len(everything), bool),
            10,
        )
        first, last = first // 1_000_000, -(-last // 1_000_000)
        near = np.isin(cell, wanted) & (first < end_us / 1e6) & (last >= start_us // 1_000_000)
        return Visits(everything.names, code[near], cell[near], first[near], last[near])


def columns(found):
    """Return the fixes of a town as a store takes them, in order of time.

    Each is (time, lon, lat), or has its source and its accuracy beside that.
    """
    rows = sorted((t, name, x, y, *rest) for name, track in found.items() for t, x, y, *rest in track)
    return FixColumns.from_fixes(
        Fix(
            name,
            t,
            x,
            y,
            quality=1,
            source=rest[0] if rest else "nmea0183",
            accuracy_m=rest[1] if rest[1:] else NAN,
            received=t,
        )
        for t, name, x, y, *rest in rows
    )
