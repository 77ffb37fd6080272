"""The searches as a reader can trust them by eye: plain loops over plain lists, fractions instead of floats.

A track is a list of (time in us, lon, lat) sorted by time; a city is a dict of device to track.
"""

import math
from fractions import Fraction
from functools import cache
from itertools import pairwise

import h3

GAP_US = 120_000_000


def metres(a, b):
    north = (b[2] - a[2]) * 111_320
    east = (b[1] - a[1]) * 111_320 * math.cos(math.radians((a[2] + b[2]) / 2))
    return math.hypot(north, east)


def joined(a, b):
    return b[0] - a[0] <= GAP_US and metres(a, b) <= 100 * (b[0] - a[0]) / 1e6 + 200


@cache
def exact(at):
    """Fractions that are the floats, to the last bit."""
    return tuple(Fraction(x) for x in at)


def inside(x, y, edges):
    odd = False
    for x0, y0, x1, y1 in edges:
        cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        if cross == 0 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


def shares(a, b, edges):
    """Where the way from a to b may enter or leave: its ends and where it meets edges."""
    dx, dy = b[1] - a[1], b[2] - a[2]
    found = {Fraction(0), Fraction(1)}
    for x0, y0, x1, y1 in edges:
        ex, ey = x1 - x0, y1 - y0
        across = dx * ey - dy * ex
        if across:
            u = ((x0 - a[1]) * ey - (y0 - a[2]) * ex) / across
            v = ((x0 - a[1]) * dy - (y0 - a[2]) * dx) / across
            if 0 <= u <= 1 and 0 <= v <= 1:
                found.add(u)
        elif dx or dy:
            for x, y in ((x0, y0), (x1, y1)):
                if dx * (y - a[2]) == dy * (x - a[1]):
                    found.add(((x - a[1]) * dx + (y - a[2]) * dy) / (dx * dx + dy * dy))
    return sorted(u for u in found if 0 <= u <= 1)


def presences(track, edges, start, end):
    """Maximal times in the area within [start, end)."""
    edges = [exact(tuple(edge)) for edge in edges]
    west, east = (far(e[k] for e in edges for k in (0, 2)) for far in (min, max))
    south, north = (far(e[k] for e in edges for k in (1, 3)) for far in (min, max))
    spans = []
    for i in range(len(track)):
        here = exact(track[i])
        ways = [(here, here)]
        if i + 1 < len(track) and joined(track[i], track[i + 1]):
            ways.append((here, exact(track[i + 1])))
        for p, q in ways:
            # What is all on one side of the area is not in it.
            if (
                max(p[1], q[1]) < west
                or min(p[1], q[1]) > east
                or max(p[2], q[2]) < south
                or min(p[2], q[2]) > north
            ):
                continue
            if q[0] < start or p[0] >= end:
                continue
            elapsed = q[0] - p[0]
            cuts = set(shares(p, q, edges))
            if elapsed:
                cuts |= {(Fraction(t) - p[0]) / elapsed for t in (start, end)}
            cuts = sorted(u for u in cuts if 0 <= u <= 1)
            for u, v in [*zip(cuts, cuts, strict=True), *pairwise(cuts)]:
                m = (u + v) / 2
                t, s = p[0] + u * elapsed, p[0] + v * elapsed
                if (
                    t >= start
                    and s <= end
                    and t < end
                    and inside(p[1] + m * (q[1] - p[1]), p[2] + m * (q[2] - p[2]), edges)
                ):
                    spans.append((t, s, i))
    merged = []
    for t, s, i in sorted(spans):
        if merged and t <= merged[-1][1] and (i <= merged[-1][2] or joined_through(track, merged[-1][2], i)):
            merged[-1] = (merged[-1][0], max(merged[-1][1], s), max(merged[-1][2], i))
        else:
            merged.append((t, s, i))
    return [(t, s) for t, s, _ in merged]


def joined_through(track, i, j):
    return all(joined(track[k], track[k + 1]) for k in range(i, j))


def on_edge(a, b, edge):
    """Shares (from, to) of the way from a to b that lie on an edge, or None; all exact."""
    (x0, y0), (x1, y1) = edge
    dx, dy, ex, ey = b[0] - a[0], b[1] - a[1], x1 - x0, y1 - y0
    across = dx * ey - dy * ex
    if across:
        u = ((x0 - a[0]) * ey - (y0 - a[1]) * ex) / across
        v = ((x0 - a[0]) * dy - (y0 - a[1]) * dx) / across
        return (u, u) if 0 <= u <= 1 and 0 <= v <= 1 else None
    if dx * (y0 - a[1]) != dy * (x0 - a[0]):
        return None
    ends = sorted(((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy) for x, y in edge)
    low, high = max(Fraction(0), ends[0]), min(Fraction(1), ends[1])
    return (low, high) if low <= high else None


def side(line, at, seen_from):
    """1 if who comes to a place on a line comes from its left, -1 from its right, 0 along it; by angles."""

    def bearing(x, y):
        return math.atan2(float(y - at[1]), float(x - at[0]))

    ahead = back = None
    for k in range(len(line) - 1):
        a, b = line[k], line[k + 1]
        met = on_edge(a, b, (at, at))
        if met and met[0] < 1:
            ahead = bearing(*b)
        if met and met[0] > 0:
            back = bearing(*a)
    ahead = back + math.pi if ahead is None else ahead
    back = ahead + math.pi if back is None else back
    left = (back - ahead) % (2 * math.pi)
    turned = (bearing(*seen_from) - ahead) % (2 * math.pi)
    if min(turned, 2 * math.pi - turned, abs(turned - left)) < 1e-9:
        return 0
    return 1 if turned < left else -1


def passages(track, line, start, end):
    """(time reached, rightwards, fix before, fix after) of each way over a line from side to side."""
    line = [exact(at) for at in line]
    track = [exact(f[:3]) for f in track if start - GAP_US <= f[0] <= end + GAP_US]
    chains = []
    for i, fix in enumerate(track):
        if i == 0 or not joined(track[i - 1], fix):
            chains.append([])
        if chains[-1] and chains[-1][-1][2:] == fix[1:]:
            chains[-1][-1] = (chains[-1][-1][0], *fix)  # it stands: from when, until when
        else:
            chains[-1].append((fix[0], *fix))
    found = []
    for chain in chains:
        on_it = []
        for i, (a, b) in enumerate(pairwise(chain)):
            for edge in pairwise(line):
                met = on_edge(a[2:], b[2:], edge)
                if met:
                    on_it.append((i + met[0], i + met[1]))
        merged = []
        for low, high in sorted(on_it):
            if merged and low <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], high)
            else:
                merged.append([low, high])

        def where(s, chain=chain):
            i = min(int(s), len(chain) - 2)
            return [p + (s - i) * (q - p) for p, q in zip(chain[i][2:], chain[i + 1][2:], strict=True)]

        for low, high in merged:
            if low == 0 or high == len(chain) - 1:
                continue
            before, after = chain[math.ceil(low) - 1], chain[math.floor(high) + 1]
            came = side(line, where(low), before[2:])
            gone = side(line, where(high), after[2:])
            arrives = chain[math.ceil(low)][0]
            at = before[1] + (1 - (math.ceil(low) - low)) * (arrives - before[1])
            if came * gone < 0 and start <= at < end:
                found.append((at, came > 0, int(before[1]), int(after[0])))
    return sorted(found)


def stays(track, radius_m, stay_s):
    """[(first, last)] rows of stays."""
    found, i = [], 0
    while i < len(track):
        j = i
        while j + 1 < len(track) and metres(track[i], track[j + 1]) <= radius_m:
            j += 1
        if track[j][0] - track[i][0] >= stay_s * 1_000_000:
            found.append((i, j))
            i = j + 1
        else:
            i += 1
    return found


def footholds(track, radius_m, stay_s, offset_s):
    """[(lon, lat, stays, total, night, work seconds)], the longest first; a clock so far from UTC."""
    places = []
    longest = sorted(stays(track, radius_m, stay_s), key=lambda rows: track[rows[0]][0] - track[rows[1]][0])
    for i, j in longest:
        lon, lat = (sum(fix[k] for fix in track[i : j + 1]) / (j - i + 1) for k in (1, 2))
        for place in places:
            if metres((0, *place[0]), (0, lon, lat)) <= radius_m:
                place[1].append((track[i][0], track[j][0]))
                break
        else:
            places.append(((lon, lat), [(track[i][0], track[j][0])]))
    found = []
    for (lon, lat), of_place in places:
        clock = [s + offset_s for a, b in of_place for s in range(a // 1_000_000, b // 1_000_000)]
        hours = [((s // 86_400 + 3) % 7, s // 3600 % 24) for s in clock]  # 1970 began on a Thursday
        night = sum(hour >= 22 or hour < 6 for _, hour in hours)
        work = sum(day < 5 and 9 <= hour < 18 for day, hour in hours)
        found.append((lon, lat, tuple(sorted(of_place)), len(clock), night, work))
    return sorted(found, key=lambda place: (-place[3], place[2]))


def hours(spans, end):
    """Hours of UTC in which somebody was there, of [(from, until)] cut to a window that ends then."""
    hour_us = 3_600_000_000
    found = set()
    for a, b in spans:
        hour = int(a // hour_us)
        while hour * hour_us <= b and hour * hour_us < end:
            found.add(hour)
            hour += 1
    return found


def places_shared(own, other, within_s, shift_s=0):
    """Cells where two were within some seconds of each other, of lists of (cell, first, last)."""
    stays_in = {}
    for c, a, b in own:
        stays_in.setdefault(c, []).append((a, b))
    return {
        c
        for c, d, e in other
        for a, b in stays_in.get(c, ())
        if d + shift_s - b <= within_s and a - (e + shift_s) <= within_s
    }


def cell(lon, lat):
    return h3.str_to_int(h3.latlng_to_cell(lat, lon, 10))


def great_circle_m(a, b):
    """On the sphere, by the haversine formula; places are (lon, lat)."""
    (lon_a, lat_a), (lon_b, lat_b) = ([math.radians(v) for v in at] for at in (a, b))
    h = math.sin((lat_b - lat_a) / 2) ** 2
    h += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(h))


def needed_s(a, b, by_road_s, top_mps, haste):
    """Least time from one (time, lon, lat, radius) to another, by road where a way is known."""
    straight_s = (great_circle_m(a[1:3], b[1:3]) - a[3] - b[3]) / top_mps
    return max(straight_s, 0.0 if by_road_s == math.inf else by_road_s) / haste


def strands(track, by_road_s, top_mps, apart_m, tolerance_s, haste):
    """(strand of each fix, rows that are not possible after the one before), of (time, lon, lat, radius).

    by_road_s(i, j) is the least time by road, infinite where there is none.
    """

    def possible(i, j):
        a, b = track[i], track[j]
        if great_circle_m(a[1:3], b[1:3]) - a[3] - b[3] <= apart_m:
            return True
        elapsed_s = abs(b[0] - a[0]) / 1e6
        return needed_s(a, b, by_road_s(i, j), top_mps, haste) <= elapsed_s + tolerance_s

    found, strand = [], []
    for j in range(len(track)):
        fitting = [
            (math.floor(great_circle_m(track[s[-1]][1:3], track[j][1:3])), n)
            for n, s in enumerate(found)
            if possible(s[-1], j)
        ]
        if fitting:
            number = min(fitting)[1]
            found[number].append(j)
        else:
            number = len(found)
            found.append([j])
        strand.append(number)
    return strand, [j for j in range(1, len(track)) if not possible(j - 1, j)]


@cache
def in_plane(plane, lon, lat):
    return tuple(float(v[0]) for v in plane.forward(lon, lat))


def pieces(plane, parts, longest_m=10.0):
    """[(x, y, length, heading, time)] of equal pieces of each part, a list of (lon, lat, time); metres."""
    found = []
    for part in parts:
        at = [in_plane(plane, lon, lat) for lon, lat, _ in part]
        steps = [math.dist(a, b) for a, b in pairwise(at)]
        count = math.ceil(sum(steps) / longest_m)
        for n in range(count):
            left = (n + 0.5) / count * sum(steps)
            for k, step in enumerate(steps):
                if left < step or k + 1 == len(steps):
                    break
                left -= step
            share = left / steps[k]
            (ax, ay), (bx, by) = at[k], at[k + 1]
            heading = ((bx - ax) / steps[k], (by - ay) / steps[k])
            when = part[k][2] + share * (part[k + 1][2] - part[k][2])
            middle = (ax + share * (bx - ax), ay + share * (by - ay))
            found.append((*middle, sum(steps) / count, heading, when))
    return found


def drives(track, plane, piece, within_m, start, end, directed=False, within_us=None):
    """Whether a track is near the middle of a piece at an instant of [start, end) that counts."""
    px, py, _, heading, when = piece
    lowest, highest = start, end
    if within_us is not None:
        lowest, highest = max(start, when - within_us), min(end, when + within_us)
    for i, a in enumerate(track):
        ways = [(a, a)]
        if i + 1 < len(track) and joined(a, track[i + 1]):
            ways.append((a, track[i + 1]))
        for p, q in ways:
            low, high = max(lowest, p[0]), min(highest, q[0])
            if low > high or low >= end:
                continue
            (ax, ay), (bx, by) = (in_plane(plane, *f[1:3]) for f in (p, q))
            if q[0] > p[0]:  # only what is driven in time
                u, v = ((t - p[0]) / (q[0] - p[0]) for t in (low, high))
                (cx, cy), (dx, dy) = ((ax + s * (bx - ax), ay + s * (by - ay)) for s in (u, v))
            else:
                (cx, cy), (dx, dy) = (ax, ay), (bx, by)
            length = math.dist((ax, ay), (bx, by))
            if directed and (length == 0 or ((bx - ax) * heading[0] + (by - ay) * heading[1]) / length < 0.5):
                continue
            square = (dx - cx) ** 2 + (dy - cy) ** 2
            s = ((px - cx) * (dx - cx) + (py - cy) * (dy - cy)) / square if square else 0.0
            s = min(1.0, max(0.0, s))
            if math.dist((px, py), (cx + s * (dx - cx), cy + s * (dy - cy))) <= within_m:
                return True
    return False


def leaps(track):
    """Rows that are too fast from before and to after, of neighbours that are not; never two in a row."""

    def too_fast(a, b):
        return metres(a, b) > 100 * (b[0] - a[0]) / 1e6 + 200

    found = []
    for i in range(1, len(track) - 1):
        before, at, after = track[i - 1 : i + 2]
        if (
            i - 1 not in found
            and too_fast(before, at)
            and too_fast(at, after)
            and not too_fast(before, after)
        ):
            found.append(i)
    return found


def long_stays(track, radius_m, stay_s):
    """[(first, last)] rows of stays, those made one that follow each other in one place."""

    def middle(i, j):
        return tuple(sum(fix[k] for fix in track[i : j + 1]) / (j - i + 1) for k in (0, 1, 2))

    found = []
    for i, j in stays(track, radius_m, stay_s):
        if found and found[-1][1] + 1 == i and metres(middle(*found[-1]), middle(i, j)) <= radius_m:
            found[-1] = (found[-1][0], j)
        else:
            found.append((i, j))
    return found


def legs(track, radius_m, stay_s, gap_s):
    """[(kind, first row, last row)]: each step has a kind, and steps of one stay or one trip are one leg."""
    found = []
    of_step = {}
    for number, (i, j) in enumerate(long_stays(track, radius_m, stay_s)):
        of_step |= dict.fromkeys(range(i, j), ("stay", number))
    for i in range(len(track) - 1):
        silence = (track[i + 1][0] - track[i][0]) / 1e6
        kind = of_step.get(i, ("gap", i) if silence > gap_s else ("trip", None))
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1], i + 1)
        else:
            found.append((kind, i, i + 1))
    return [(kind, i, j) for (kind, _), i, j in found]
