"""Walkers, who may leave the roads: the model, the open ground, and what is told of them."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from h3.api import basic_int as h3

from geo_policing.errors import InvalidInput
from geo_policing.geodesy import cells
from geo_policing.kernels import bin_kerb
from geo_policing.model import TimeWindow, Watch
from geo_policing.tracks import MovementModel, leave_one_out, open_ground, reconstruct
from geo_policing.tracks.answer import features_of
from geo_policing.tracks.containment import Gate, containment
from geo_policing.tracks.drawn_roads import roads_around
from geo_policing.tracks.figures import figures
from geo_policing.tracks.lattice import Lattice
from geo_policing.tracks.report import report_html, report_pdf
from geo_policing.tracks.smoothing import Anchor, Smoother
from geo_policing.tracks.turns import Turns
from geo_policing.tracks.yards import Yards
from tests.matching.city import LAT, LON, STEP, grid
from tests.tracks import naive
from tests.tracks.test_kernels import dense, stepped
from tests.tracks.test_reconstruct import at, seen

N = 5
INNER = [i for i in range(N * N) if 0 < i % N < N - 1 and 0 < i // N < N - 1]
#: All roads of the town but those around it: 800 m of park from side to side.
PARK = tuple(f"{a}>{b}" for i in INNER for j in (i - 1, i + 1, i - N, i + N) for a, b in ((i, j), (j, i)))
WALKER = MovementModel.of("foot")
#: One who never leaves the roads.
ON_ROADS = replace(WALKER, off_road=None)


@pytest.fixture(scope="module")
def park():
    return grid(N, closed=PARK)


def here(column, row, resolution=10):
    return cells(LON + STEP * column, LAT + STEP * row, resolution)[0]


@pytest.mark.parametrize("seed", range(10))
def test_who_ends_a_step_at_the_kerb_may_step_over_it(seed):
    rng, classes = np.random.default_rng(seed), 2
    matrix = stepped(seed, np.array([5.0, 60.0]))
    n = (len(matrix[0]) - 1) // classes
    beside = [sorted(rng.choice(n, rng.integers(0, 4), replace=False).tolist()) for _ in range(n)]
    shares = [rng.dirichlet(np.ones(len(some))) if some else np.empty(0) for some in beside]
    stepping = rng.random((n, classes)) * np.array([len(some) > 0 for some in beside])[:, None]
    over = (
        np.concatenate([[0], np.cumsum([len(some) for some in beside])]),
        np.concatenate([np.array(some, np.int32) for some in beside]).astype(np.int32),
        np.concatenate(shares),
    )
    found = bin_kerb.joined(*matrix[:3], classes, *over, stepping)
    rows = dense(*matrix[:3], classes)
    pairs = [list(zip(a, b, strict=True)) for a, b in zip(beside, shares, strict=True)]
    assert dense(*found, classes) == pytest.approx(naive.over_the_kerb(rows, pairs, stepping), abs=1e-6)
    assert dense(*found, classes).sum(axis=2) == pytest.approx(rows.sum(axis=2), abs=1e-5)
    for row in range(n * classes):
        assert (np.diff(found[1][found[0][row] : found[0][row + 1]]) > 0).all()


def test_how_a_walker_moves_does_not_change_what_is_common_in_the_long_run():
    chain = WALKER.chain[0]
    assert chain.sum(axis=1) == pytest.approx(1.0)
    assert WALKER.start @ chain == pytest.approx(WALKER.start)
    walks = WALKER.start[1:] / WALKER.start[1:].sum()
    assert 1.2 < walks @ WALKER.speed_mps[1:] < 1.5


@pytest.mark.parametrize("resolution", [10, 11])
def test_open_ground_is_the_cells_within_reach_and_each_is_crossed_toward_its_neighbours(park, resolution):
    def reached(x, y):
        return np.hypot(x, y) < 400.0

    x, y = park.plane.forward(LON + 2 * STEP, LAT + 2 * STEP)
    yards = Yards.within(
        park.plane,
        (x[0] - 500.0, y[0] - 500.0, x[0] + 500.0, y[0] + 500.0),
        lambda a, b: reached(a - x[0], b - y[0]),
        resolution,
    )
    disk = h3.grid_disk(int(cells(LON + 2 * STEP, LAT + 2 * STEP, resolution)[0]), 20)
    places = {c: park.plane.forward(*reversed(h3.cell_to_latlng(c))) for c in disk}
    inside = {c for c, (a, b) in places.items() if reached(a - x[0], b - y[0])[0]}
    assert set(yards.cell.tolist()) == inside
    goes = [yards.cell[c] for c in yards.crosses]
    onto = dict.fromkeys(range(len(yards)))
    for i, j in zip(yards.source.tolist(), yards.target.tolist(), strict=True):
        onto[i] = goes[j]
    pairs = {(int(goes[i]), int(cell)) for i, cell in onto.items()}
    assert pairs == {(a, b) for a in inside for b in h3.grid_ring(a, 1) if b in inside}
    assert np.bincount(yards.source, yards.share) == pytest.approx(1.0)
    back = yards.reverse[yards.reverse >= 0]
    assert (yards.crosses[yards.reverse >= 0] == yards.crosses[back]).all()
    assert yards.area_m2 == pytest.approx(h3.cell_area(int(yards.cell[0]), "m^2"), rel=0.03)


def test_a_straight_walk_over_cells_is_as_long_as_it_is_in_the_mean_over_directions(park):
    (x0,), (y0,) = park.plane.forward(LON + 2 * STEP, LAT + 2 * STEP)
    box = (x0 - 1200.0, y0 - 1200.0, x0 + 1200.0, y0 + 1200.0)
    yards = Yards.within(park.plane, box, lambda x, y: np.hypot(x - x0, y - y0) < 1150.0, 11)
    lattice = open_ground.joined(
        Lattice.of(park, Turns.of(park), WALKER, np.zeros(park.n_edges, bool)), WALKER, yards
    )
    middle = np.flatnonzero(np.hypot(yards.x - x0, yards.y - y0) < 30.0)[:1]
    way_m = lattice.came_m(np.flatnonzero(np.isin(yards.crosses, middle)))
    apart_m = np.hypot(yards.x - yards.x[middle], yards.y - yards.y[middle])[yards.crosses]
    far = apart_m > 900.0
    assert (way_m[far] / apart_m[far]).mean() == pytest.approx(1.0, abs=0.01)
    assert np.abs(way_m[far] / apart_m[far] - 1.0).max() < 0.11


def test_probability_over_roads_and_ground_is_as_their_metres_say_in_the_long_run(park):
    box_x, box_y = park.plane.forward([LON, LON + 4 * STEP], [LAT, LAT + 4 * STEP])
    box = (box_x[0], box_y[0], box_x[1], box_y[1])

    def reached(x, y):
        return (x > box[0] - 30) & (x < box[2] + 30) & (y > box[1] - 30) & (y < box[3] + 30)

    yards = Yards.within(park.plane, box, reached, 11)
    lattice = open_ground.joined(
        Lattice.of(park, Turns.of(park), WALKER, np.ones(park.n_edges, bool)), WALKER, yards
    )
    kerb = lattice.cut.kerb
    flow = (lattice.measure_m * kerb.per_m)[kerb.leaves] * kerb.share
    total = np.zeros((len(lattice), 2))
    np.add.at(total, (kerb.leaves, 0), flow)
    np.add.at(total, (kerb.bin, 1), flow)
    on_road = np.arange(len(lattice)) < len(lattice) - len(yards)
    assert total[on_road, 0].sum() == pytest.approx(total[~on_road, 0].sum())
    assert total[on_road, 1] == pytest.approx(total[on_road, 0])


def test_smoothing_over_roads_and_ground_equals_the_dense_sums(park):
    model = replace(
        WALKER,
        bin_m=60.0,
        penalty_per_m=np.zeros(1),
        penalty_share=np.ones(1),
        prune=0.0,
        off_road=replace(WALKER.off_road, leaves_per_m=0.02),
    )
    (x,), (y,) = park.plane.forward(LON + STEP, LAT)
    yards = Yards.within(
        park.plane, (x - 150, y - 20, x + 150, y + 150), lambda a, b: (np.abs(a - x) < 150) & (b > y - 20), 11
    )
    wanted = np.isin(park.from_node, range(3)) & np.isin(park.to_node, range(3))
    lattice = open_ground.joined(Lattice.of(park, Turns.of(park), model, wanted), model, yards)
    steps, classes, n = 21, len(model.speed_mps), len(lattice)
    density = []
    for column, row in ((0.5, 0.0), (1.4, 0.3)):
        (x,), (y,) = park.plane.forward(LON + STEP * column, LAT + STEP * row)
        near = lattice.near(x, y, 30.0)
        density.append(near / (near * lattice.measure_m).sum())
    anchors = [Anchor(0, density[0], 1.0), Anchor(20, density[1], 1.0)]
    found = Smoother(lattice, model, anchors, steps, {}, 10**9).run(2000, np.random.default_rng(0))
    move = dense(*lattice.ahead[:3], classes)
    seen_at = {0: density[0], 20: density[1]}
    expected = naive.smooth(move, model.chain, lattice.kind, lattice.measure_m, model.start, steps, seen_at)
    for step in (0, 5, 10, 20):
        mass = np.zeros(n)
        mass[found.bins[step]] = found.mass[step]
        assert mass == pytest.approx(expected[step], abs=1e-3)
        sampled = np.bincount([path[0][1][step] for path in found.paths], minlength=n) / 2000
        assert np.abs(sampled - expected[step]).sum() < 0.4
    off = np.arange(n) >= n - len(yards)
    assert 0.05 < expected[10][off].sum() < 0.95


def crossing(model, town):
    """Who walks straight through the park, seen at both ends: 790 m in ten minutes."""
    return reconstruct(town, [seen(0, 2, 0), seen(4, 2, 600)], model)


def test_who_crosses_a_park_is_lost_on_the_roads_alone_and_found_on_the_ground(park):
    on_roads, anywhere = crossing(ON_ROADS, park), crossing(WALKER, park)
    for share in (0.25, 0.5, 0.75):
        for resolution in (10, 11):
            truth = here(4 * share, 2, resolution)
            assert truth not in on_roads.occupancy(at(600 * share), resolution).region(0.9)
            assert truth in anywhere.occupancy(at(600 * share), resolution).region(0.9)


def test_a_witness_in_the_park_is_believed(park):
    sightings = [seen(0, 2, 0), seen(1.5, 2, 225), seen(4, 2, 600)]
    found = reconstruct(park, sightings, WALKER)
    assert found.occupancy(at(224), 10).cell[0] == here(1.5, 2)
    assert leave_one_out(park, sightings, WALKER)[1] > 0.01
    with pytest.raises(InvalidInput, match="is off the roads"):
        reconstruct(park, sightings, ON_ROADS)
    exact = replace(sightings[1], accuracy_m=1.0)
    assert reconstruct(park, [sightings[0], exact], WALKER).occupancy(at(225), 11).cell[0] == here(1.5, 2, 11)


def test_who_stays_on_the_roads_is_hardly_worse_off(park):
    sightings = [seen(0.5, 0, 0), seen(3.5, 0, 440)]
    on_roads, anywhere = (reconstruct(park, sightings, model) for model in (ON_ROADS, WALKER))
    for share in (0.25, 0.5, 0.75):
        truth = here(0.5 + 3 * share, 0)
        one, other = (
            float(
                found.occupancy(at(440 * share))
                .probability[found.occupancy(at(440 * share)).cell == truth]
                .sum()
            )
            for found in (on_roads, anywhere)
        )
        assert other > 0.9 * one
    assert anywhere.best_path.edges.tolist() == on_roads.best_path.edges.tolist()
    assert not len(anywhere.best_path.cells)


def test_the_same_input_gives_the_same_walk_in_any_number_of_threads(park):
    sightings = [seen(0, 2, 0), seen(2, 2, 300, probability=0.6), seen(4, 2, 600)]
    one, two = (reconstruct(park, sightings, WALKER, workers=n) for n in (1, 2))
    assert one.log_evidence == two.log_evidence
    assert [p.cells.tolist() for p in one.paths(9)] == [p.cells.tolist() for p in two.paths(9)]


def test_a_way_off_the_roads_is_told_as_a_line_through_the_middles_of_its_cells(park):
    found = reconstruct(park, [seen(0, 2, 0), seen(2, 2, 300), seen(4, 2, 600)], WALKER)
    for way in (found.best_path, *found.paths(3)):
        off = way.edges < 0
        assert off.any()
        assert (way.cells > 0).tolist() == off.tolist()
        neighbours = [(int(a), int(b)) for a, b in zip(way.cells, way.cells[1:], strict=False) if a and b]
        assert all(h3.grid_distance(a, b) <= 2 for a, b in neighbours)
        line = way.lonlat(park)
        middles = {tuple(np.round(h3.cell_to_latlng(int(c))[::-1], 6)) for c in way.cells[off]}
        assert middles <= {tuple(np.round(place, 6)) for place in line.tolist()}
        begins = way.begins_m(park)
        assert len(begins) == len(way.edges) + 1
        assert (np.diff(begins) >= 0).all()
        x, y = park.plane.forward(*line.T)
        assert begins[-1] == pytest.approx(np.hypot(np.diff(x), np.diff(y)).sum(), rel=0.02)
        assert list(way.entered) == sorted(way.entered)
    assert sum(way.probability for way in found.paths(1000)) == pytest.approx(1.0)


def printed(found, features):
    """What a report is made of."""
    return {
        "features": features,
        "window": [found.window.start.isoformat(), found.window.end.isoformat()],
        "mode": "foot",
        "step_s": found.step_s,
        "bin_m": found.model.bin_m,
        "resolution": 10,
        "seed": 0,
        "watches": 0,
        "roads": "park",
        "inputs": {},
        "versions": {},
    }


def test_all_of_it_is_read_out_and_printed(park):
    window = TimeWindow(at(0), at(900))
    found = reconstruct(park, [seen(0, 2, 0), seen(2, 2, 300), seen(4, 2, 600)], WALKER, window)
    features = features_of(found, WALKER)
    best = next(f for f in features if f["properties"].get("kind") == "best")["properties"]
    assert best["off_road"] is True
    told = zip(best["edges"], best["cells"], strict=True)
    assert all((edge is None) != (cell is None) for edge, cell in told)
    assert len(best["edges"]) == len(best["entered"]) == len(best["begins_m"])
    assert {f["properties"]["edge"] for f in features if f["properties"]["what"] == "camera"} <= {
        *park.edge_ids
    }
    page = report_html(printed(found, features))
    assert f"off road {next(c for c in best['cells'] if c)}@" in page


@pytest.mark.parametrize("stays", [[seen(1.5, 2.5, 30)], [seen(1.5, 2.5, s) for s in (0, 60)]])
def test_who_stays_in_the_open_is_drawn_and_printed(park, stays):
    sightings = [replace(one, accuracy_m=5.0) for one in stays]
    found = reconstruct(park, sightings, WALKER, TimeWindow(at(0), at(60)))
    features = features_of(found, WALKER)
    for feature in (f for f in features if f["properties"]["what"] == "path"):
        line = shapely.geometry.shape(feature["geometry"])
        assert line.distance(shapely.Point(sightings[0].lon, sightings[0].lat)) < 0.5 * STEP
        assert set(feature["properties"]["edges"]) == {None}
    ground = roads_around(park, features, WALKER.access)
    assert any(ground.values())
    document = printed(found, features) | {"ground": ground}
    assert [figure.title.split()[0] for figure in figures(document)] == ["路径图", "可信区域图"]
    assert report_pdf(document).startswith(b"%PDF")


def test_a_false_sighting_does_not_narrow_the_ground_that_is_looked_at():
    town, window = grid(20), TimeWindow(at(0), at(180))
    true = seen(12.5, 12.5, 0)
    misled = reconstruct(town, [true, seen(1, 1, 90, probability=0.5)], WALKER, window)
    alone = reconstruct(town, [true], WALKER, window)
    assert misled.truth == pytest.approx([1.0, 0.0], abs=1e-6)
    assert set(alone.lattice.yards.cell) <= set(misled.lattice.yards.cell)
    for second in (60, 120, 180):
        inside = [set(found.occupancy(at(second), 11).region(0.9)) for found in (misled, alone)]
        assert inside[0] == inside[1]


def test_where_nobody_was_seen_in_the_park_it_is_less_probable(park):
    over = shapely.box(*(LON + STEP * 1.2, LAT + STEP * 0.2, LON + STEP * 2.8, LAT + STEP * 3.8))
    watch = Watch(at(0), at(600), 0.0, 0.0, area=over, detection=0.9)
    sightings = [seen(0, 2, 0), seen(4, 2, 600)]
    middle = [reconstruct(park, sightings, WALKER, watches=w).occupancy(at(300)) for w in ((), (watch,))]
    without, within = (
        sum(
            p
            for c, p in zip(o.cell.tolist(), o.probability, strict=True)
            if over.contains(shapely.Point(h3.cell_to_latlng(c)[::-1]))
        )
        for o in middle
    )
    assert within < 0.5 * without


def test_after_the_last_sighting_a_walker_spreads_over_ground_and_passes_gates(park):
    window = TimeWindow(at(0), at(600))
    found = reconstruct(park, [seen(0.5, 0, 0)], WALKER, window)
    sizes = [len(found.occupancy(at(s), 11).region(0.9)) for s in (0, 120, 600)]
    assert sizes[0] < sizes[1] < sizes[2]
    (passing,) = containment(found, [Gate.given(park, [park.edge_ids.index("1>2")])], [at(300), at(600)])
    assert 0.0 < passing.passed[0] < passing.passed[1] < 1.0


def test_nobody_walks_across_what_is_closed_but_on_a_road(park):
    river = shapely.box(LON + STEP * 1.95, LAT - STEP, LON + STEP * 2.0, LAT + 5 * STEP)
    sightings = [seen(1, 2, 0), seen(3, 2, 900)]
    dry, wet = (reconstruct(park, sightings, model) for model in (WALKER, WALKER.closing([river])))
    for found, crosses in ((dry, True), (wet, False)):
        lines = [shapely.LineString(way.lonlat(park)) for way in found.paths(1000)]
        assert any(line.intersects(river) for line in lines)
        # On the bridges of the roads around the park it is crossed all the same.
        inside = [line.intersection(river.buffer(-1e-5)) for line in lines]
        off_road = [
            not part.is_empty and LAT + 1e-4 < part.centroid.y < LAT + 4 * STEP - 1e-4 for part in inside
        ]
        assert any(off_road) is crosses
    assert ON_ROADS.closing([river]) is ON_ROADS
    assert MovementModel.of("car").closing([river]).off_road is None


def test_sure_sightings_too_far_apart_to_run_are_refused_by_their_straight_distance(park):
    with pytest.raises(
        InvalidInput, match=r"cannot both be true: 1\d{3} m apart in a straight line, \d+ s at"
    ):
        reconstruct(park, [seen(0, 0, 0), seen(4, 4, 120)], WALKER)


@pytest.mark.parametrize("finest", [9, 10])
def test_cells_are_no_finer_than_the_model_says(park, finest):
    model = replace(WALKER, off_road=replace(WALKER.off_road, finest=finest))
    found = reconstruct(park, [seen(0, 2, 0), seen(4, 2, 600)], model)
    assert {h3.get_resolution(cell) for cell in found.lattice.yards.cell.tolist()} == {finest}


def test_who_drives_has_no_ground_beside_the_roads(park):
    for mode in ("car", "e-bike", "any"):
        assert MovementModel.of(mode).off_road is None
        found = reconstruct(park, [seen(0, 0, 0), seen(2, 0, 60)], MovementModel.of(mode))
        assert len(found.lattice.yards) == 0
        assert found.lattice.measure_m is found.lattice.bin_m
        assert found.lattice.cut.kerb is None
        ground = reconstruct(park, [seen(0, 2, 0), seen(1, 2, 120)], WALKER).lattice.yards
        assert len(ground)
        assert open_ground.joined(found.lattice, found.model, ground) is found.lattice
