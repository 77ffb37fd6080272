"""Who drove along a path: the pieces that plain loops find."""

import numpy as np
import pytest

from geo_policing.errors import InvalidGeometry, InvalidInput, InvalidTimeWindow
from geo_policing.geodesy import LocalPlane
from geo_policing.model import TimeWindow, from_us
from geo_policing.tracks.searches import DrawnPath, overlap
from tests.roads.town import grid
from tests.tracks.searches import naive
from tests.tracks.searches.towns import DAY_US, EVER, MIDNIGHT, MINUTE, SOUTH, STEP, WEST, MemoryHistory, town


def place(x, y):
    return WEST + x * STEP, SOUTH + y * STEP


def walk(places, start_us=MIDNIGHT, every_s=30):
    return [(start_us + n * every_s * 1_000_000, *place(*at)) for n, at in enumerate(places)]


def path_of(places, times=None):
    return DrawnPath([np.array([place(*at) for at in places])], None if times is None else [np.array(times)])


def random_path(rng, track):
    """One or two parts along where somebody went at about that time, there or back, or other streets."""
    parts, times = [], []
    t = track[0][0]
    for _ in range(int(rng.integers(1, 3))):
        first = int(rng.integers(0, len(track) - 6))
        corners = [np.array(at) for _, *at in track[first : first + 6]]
        if rng.random() < 0.3:
            corners = corners[::-1]
        if rng.random() < 0.3:
            corners.insert(2, np.array(place(*rng.integers(0, 10, 2))))
        corners = [c for n, c in enumerate(corners) if n == 0 or (c != corners[n - 1]).any()]
        if len(corners) < 2:
            corners = [np.array(place(4, 4)), np.array(place(5, 4))]
        t = max(t, track[first][0] + int(rng.integers(-5, 6)) * MINUTE)
        parts.append(np.array(corners))
        times.append(t + np.arange(len(corners)) * 20_000_000)
        t = int(times[-1][-1])
    return DrawnPath(parts, times)


@pytest.mark.parametrize("seed", range(200))
def test_shares_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    found = town(rng, devices=3, fixes=25)
    path = random_path(rng, found["d1"])
    start = MIDNIGHT + int(rng.integers(-40, 0)) * MINUTE
    window = TimeWindow(from_us(start), from_us(start + int(rng.integers(10, 60)) * MINUTE))
    options = {"within_m": float(rng.uniform(10, 120)), "directed": bool(rng.integers(0, 2))}
    within_s = None if rng.random() < 0.5 else int(rng.integers(30, 900))

    plane = LocalPlane.around(*np.concatenate(path.parts).mean(axis=0).tolist())
    parts = [
        [(*at, t) for at, t in zip(p.tolist(), u.tolist(), strict=True)]
        for p, u in zip(path.parts, path.times_us, strict=True)
    ]
    pieces = naive.pieces(plane, parts)
    expected = {}
    for name, track in found.items():
        within_us = None if within_s is None else within_s * 1_000_000
        span = (window.start_us, window.end_us)
        driven = [
            naive.drives(track, plane, p, options["within_m"], *span, options["directed"], within_us)
            for p in pieces
        ]
        metres = sum(p[2] for p, d in zip(pieces, driven, strict=True) if d)
        if metres:
            expected[name] = metres / sum(p[2] for p in pieces)
    least_share = float(rng.choice([1e-9, 0.2, 0.6]))
    met = overlap(MemoryHistory(found), path, window, least_share=least_share, within_s=within_s, **options)
    assert {o.device: o.share for o in met} == pytest.approx(
        {name: share for name, share in expected.items() if share >= least_share}
    )
    assert [o.share for o in met] == sorted((o.share for o in met), reverse=True)
    for o in met:
        assert sum(s.to_m - s.from_m for s in o.stretches) == pytest.approx(o.driven_m)
        times = {t for t, *_ in found[o.device]}
        assert all({s.first_fix_us, s.last_fix_us} <= times for s in o.stretches)


STREET = [(x, 2) for x in range(6)]


def test_who_drives_back_along_a_street_is_told_by_the_direction():
    history = MemoryHistory({"there": walk(STREET), "back": walk(STREET[::-1])})
    assert [o.device for o in overlap(history, path_of(STREET), EVER)] == ["back", "there"]
    (only,) = overlap(history, path_of(STREET), EVER, directed=True)
    assert (only.device, only.share) == ("there", pytest.approx(1))


def test_the_stretches_say_where_and_by_which_fixes():
    # Half of the street, a way around, and its last fifth.
    car = walk([(0, 2), (1, 2), (2, 2), (3, 3), (4, 2), (5, 2)])
    (one,) = overlap(MemoryHistory({"car": car}), path_of(STREET), EVER)
    (first, second) = one.stretches
    assert first.from_m == 0
    assert first.to_m == pytest.approx(2 * 192.5, abs=50)
    assert (first.first_fix_us, first.last_fix_us) == (car[0][0], car[3][0])
    assert (second.first_fix_us, second.last_fix_us) == (car[3][0], car[5][0])
    assert second.to_m == pytest.approx(one.driven_m / one.share)


def test_who_drives_it_at_another_time_is_left_out_where_times_matter():
    times = [MIDNIGHT + n * 30_000_000 for n in range(6)]
    found = {"with": walk(STREET, MIDNIGHT - 20_000_000), "after": walk(STREET, MIDNIGHT + 10 * MINUTE)}
    history = MemoryHistory(found)
    path = path_of(STREET, times)
    assert {o.device for o in overlap(history, path, EVER)} == {"with", "after"}
    assert [o.device for o in overlap(history, path, EVER, within_s=60)] == ["with"]


def test_the_way_of_one_device_is_a_path_for_others():
    me = walk(STREET) + walk([(9, y) for y in range(4)], MIDNIGHT + 30 * MINUTE)
    found = {"me": me, "friend": [(t + 15_000_000, x, y) for t, x, y in me], "other": walk([(0, 9), (9, 9)])}
    history = MemoryHistory(found)
    path = DrawnPath.of_device(history, "me", EVER)
    assert len(path.parts) == 2
    met = overlap(history, path, EVER, within_s=30, without=["me"])
    assert [(o.device, len(o.stretches)) for o in met] == [("friend", 2)]
    assert met[0].share == pytest.approx(1)


def test_edges_are_a_path_in_parts_where_they_do_not_meet():
    network = grid(4)
    edges = [network.edge_ids.index(name) for name in ("0>1", "1>2", "2>6", "12>13")]
    path = DrawnPath.of_edges(network, edges)
    assert [len(part) for part in path.parts] == [4, 2]
    assert path.pieces().length_m.sum() == pytest.approx(network.length_m[edges].sum(), rel=1e-6)
    track = [(MIDNIGHT + n * 20_000_000, *network.lonlat(e)[-1]) for n, e in enumerate(edges[:3])]
    (one,) = overlap(MemoryHistory({"car": track}), path, EVER, within_m=20)
    assert one.share == pytest.approx(0.5, abs=0.05)  # from the end of the first edge to that of the third


def test_a_path_from_geojson():
    geometry = {
        "type": "MultiLineString",
        "coordinates": [[place(0, 0), place(1, 0)], [place(0, 1), place(1, 1)]],
    }
    assert [part.tolist() for part in DrawnPath.from_geojson(geometry).parts] == [
        [list(at) for at in line] for line in geometry["coordinates"]
    ]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DrawnPath([]), "at least one part"),
        (lambda: DrawnPath([np.array([place(0, 0)])]), "two or more places"),
        (lambda: path_of([(0, 0), (0, 0)]).pieces(), "no length"),
        (lambda: DrawnPath([np.array([[113, 27], [113, np.nan]])]), "off the earth"),
        (lambda: DrawnPath([np.array([[113.0, 27], [116, 27]])]).pieces(), "longer than 200 km"),
        (lambda: path_of(STREET, range(5, -1, -1)), "run backward"),
        (lambda: path_of(STREET, [1, 2]), "one for each place"),
        (lambda: DrawnPath.from_geojson({"type": "Point", "coordinates": [113, 27]}), "not Point"),
        (lambda: DrawnPath.from_geojson({"type": "LineString"}), "no GeoJSON geometry"),
        (lambda: DrawnPath.from_geojson({"type": "LineString", "coordinates": []}), "at least one part"),
        (
            lambda: DrawnPath.of_device(MemoryHistory({}), "ghost", EVER),
            "nothing is known of a way of 'ghost'",
        ),
    ],
)
def test_a_path_that_is_none_is_refused(make, says):
    with pytest.raises(InvalidGeometry, match=says):
        make()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"within_m": 0}, "within_m 0 is not at least 5"),
        ({"least_share": 0}, "least_share 0 is not above 0"),
        ({"least_share": 1.1}, "least_share 1.1"),
        ({"within_s": 60}, "needs a path with times"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(options, says):
    with pytest.raises(InvalidInput, match=says) as caught:
        overlap(MemoryHistory({}), path_of(STREET), EVER, **options)
    assert "\n" not in str(caught.value)


def test_nobody_drove_where_nobody_was():
    far = DrawnPath([np.array([[100.0, 20.0], [100.1, 20.0]])])
    assert overlap(MemoryHistory({"car": walk(STREET)}), far, EVER) == []
    ten_years = TimeWindow(from_us(0), from_us(3650 * DAY_US))
    with pytest.raises(InvalidTimeWindow, match="longer than 31 days"):
        overlap(MemoryHistory({}), far, ten_years)
    with pytest.raises(InvalidInput, match="edge 999 is not in the network"):
        DrawnPath.of_edges(grid(2), [999])
