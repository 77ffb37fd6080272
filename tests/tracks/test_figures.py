"""The pictures of a report: what is drawn where, and that it can be drawn again."""

import copy
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import BytesIO

import numpy as np
import pyogrio
import pytest
import shapely
from h3.api import basic_str as h3
from reportlab.graphics import renderPDF
from reportlab.pdfgen.canvas import Canvas

from geo_policing.errors import InvalidInput
from geo_policing.model import TimeWindow
from geo_policing.roads import Access
from geo_policing.roads.network import EdgeFlag
from geo_policing.tracks import MovementModel, drawn_roads, figures, moments, reconstruct
from geo_policing.tracks.answer import Wanted, features_of
from geo_policing.tracks.drawing import Disc, Drawing, Fill, Stroke, Words
from tests.matching.city import LAT, LON, STEP, grid
from tests.tracks.test_reconstruct import at, seen

TOWN = grid(8)


def answer(*sightings, until=None, every_s=30):
    window = None if until is None else TimeWindow(at(0), at(until))
    found = reconstruct(TOWN, list(sightings), window=window)
    features = features_of(found, MovementModel.of(), Wanted(every_s=every_s))
    return {
        "window": [found.window.start.isoformat(), found.window.end.isoformat()],
        "ground": drawn_roads.roads_around(TOWN, features, Access.CAR),
        "features": features,
    }


@pytest.fixture(scope="module")
def driven():
    """East along the southern road for 3 minutes, seen at its begin, its middle and its end."""
    return answer(seen(0.5, 0, 0), seen(3.5, 0, 70), seen(6.5, 0, 180))


@pytest.fixture(scope="module")
def fled():
    return answer(seen(3.3, 3, 0), seen(4.2, 3, 20), until=140)


def words(drawing):
    return [item.text for item in drawing.items if isinstance(item, Words)]


def test_each_sighting_has_its_number_where_it_was(driven):
    paths = figures.figures(driven)[0].drawing
    marks = {item.text: item for item in paths.items if isinstance(item, Words)}
    x = [marks[number].x for number in "123"]
    assert x[2] - x[1] == pytest.approx(x[1] - x[0], abs=1.0)
    assert len({round(marks[number].y) for number in "123"}) == 1


def test_the_scale_bar_is_as_long_as_it_says(driven):
    """Sightings 1 and 3 are six crossings apart."""
    paths = figures.figures(driven)[0].drawing
    (east_m, _), (west_m, _) = TOWN.vertices(TOWN.edge_ids.index("0>1"))[::-1]
    marks = {item.text: item for item in paths.items if isinstance(item, Words)}
    m_a_unit = 6 * (east_m - west_m) / (marks["3"].x - marks["1"].x)
    text = next(text for text in marks if text.endswith(" m"))
    bar = next(item for item in paths.items if isinstance(item, Stroke) and item.width == 1.5)
    assert np.ptp(bar.lines[0][:, 0]) * m_a_unit == pytest.approx(float(text.split()[0]), rel=0.01)


def test_north_is_up_and_east_to_the_right(fled):
    east = answer(seen(1, 1, 0), seen(2, 3, 60))
    drawing = figures.figures(east)[0].drawing
    first, last = (next(w for w in drawing.items if isinstance(w, Words) and w.text == n) for n in "12")
    assert last.x > first.x
    assert last.y < first.y


def test_times_stand_where_the_path_was_then(driven):
    """A minute after the first sighting the car was between the first and the second."""
    drawing = figures.figures(driven)[0].drawing
    marks = {item.text: item for item in drawing.items if isinstance(item, Words)}
    minute = (at(60)).strftime("%H:%M")
    assert marks["1"].x < marks[minute].x < marks["2"].x
    assert abs(marks[minute].y - marks["1"].y) < 25


def test_words_and_marks_do_not_cover_each_other(driven, fled):
    for document in (driven, fled):
        for figure in figures.figures(document):
            boxes = [shapely.box(*w.box) for w in figure.drawing.items if isinstance(w, Words) and w.ground]
            for k, one in enumerate(boxes):
                assert not any(one.intersects(other) for other in boxes[:k])


def test_the_roads_are_drawn_below_all_else_and_inside_the_sheet(driven):
    for figure in figures.figures(driven):
        minor = figure.drawing.items[0]
        assert isinstance(minor, Stroke)
        assert minor.color == figures.ROAD
        points = np.concatenate(minor.lines)
        assert (points >= 0).all()
        assert (points <= [figure.drawing.width, figure.drawing.height]).all()


def test_the_50_percent_region_lies_in_the_90_percent_region_and_both_are_where_the_cells_are(fled):
    _, where = figures.figures(fled)
    wide, narrow = (
        shapely.union_all([shapely.Polygon(ring) for ring in item.rings])
        for item in where.drawing.items
        if isinstance(item, Fill) and item.color in (figures.REGION_90, figures.REGION_50)
    )
    assert narrow.area < wide.area
    assert wide.buffer(0.5).contains(narrow)
    bar = next(item for item in where.drawing.items if isinstance(item, Stroke) and item.width == 1.5)
    text = next(text for text in words(where.drawing) if text.endswith(" m"))
    m_a_unit = float(text.split()[0]) / np.ptp(bar.lines[0][:, 0])
    last = [f["properties"] for f in fled["features"] if f["properties"]["what"] == "region"][-1]
    # Holes are left out here.
    assert wide.area * m_a_unit**2 / 1e6 >= last["area_km2"] * 0.97
    assert wide.area * m_a_unit**2 / 1e6 <= last["area_km2"] * 1.6


def test_the_regions_are_of_the_end_after_the_last_sighting_and_else_of_the_least_known_moment(driven, fled):
    assert at(120).strftime("%H:%M:%S") in figures.figures(fled)[1].title
    areas = {
        f["properties"]["time"]: f["properties"]["area_km2"]
        for f in driven["features"]
        if f["properties"]["what"] == "region" and f["properties"]["share"] == 0.9
    }
    widest = datetime.fromisoformat(max(areas, key=areas.get)).strftime("%H:%M:%S")
    assert widest in figures.figures(driven)[1].title


def test_a_moment_can_be_chosen_and_one_outside_the_window_is_refused(fled):
    assert at(60).strftime("%H:%M:%S") in figures.figures(fled, at(70))[1].title
    with pytest.raises(InvalidInput, match="give a moment of the window"):
        figures.figures(fled, at(141))


def test_a_sighting_that_does_not_fit_is_red(driven):
    document = copy.deepcopy(driven)
    second = [f for f in document["features"] if f["properties"]["what"] == "sighting"][1]
    second["properties"]["fits"] = False
    drawing = figures.figures(document)[0].drawing
    marks = [item for item in drawing.items if isinstance(item, Disc) and item.color != figures.PATH]
    assert [mark.color for mark in marks] == [figures.FITS, figures.MISFIT, figures.FITS]


def test_sightings_at_one_place_share_a_mark():
    document = answer(seen(0, 0, 0), seen(0.1, 0, 5), seen(6, 0, 90), seen(0, 0, 200))
    assert "1-2,4" in words(figures.figures(document)[0].drawing)


def test_an_answer_kept_without_roads_is_drawn_without_and_says_so(driven):
    document = copy.deepcopy(driven)
    del document["ground"]
    for figure in figures.figures(document):
        assert figure.drawing.items[0].lines == []
        assert "kept without the roads" in figure.caption


def test_a_path_of_an_earlier_version_is_drawn_without_times(driven):
    document = copy.deepcopy(driven)
    for feature in document["features"]:
        feature["properties"].pop("length_m", None)
        feature["properties"].pop("begins_m", None)
    paths = figures.figures(document)[0].drawing
    assert not [text for text in words(paths) if ":" in text]
    assert any(isinstance(item, Stroke) and item.color == figures.PATH for item in paths.items)


def test_each_road_is_kept_once_and_only_those_that_are_open():
    features = [path_of("0>1")]
    town = grid(4, footways=("1>2", "2>1"), one_way=("4>5",))
    lines = drawn_roads.roads_around(town, features, Access.CAR)["minor"]
    middles = {tuple(np.mean(line, axis=0).round(6).tolist()) for line in lines}
    assert len(lines) == len(middles) == 23  # of 24 roads one is a footway
    one, foot = (((LON + STEP * x), (LAT + STEP * y)) for x, y in ((0.5, 1), (1.5, 0)))
    assert min(np.hypot(m[0] - one[0], m[1] - one[1]) for m in middles) < 2e-5
    assert min(np.hypot(m[0] - foot[0], m[1] - foot[1]) for m in middles) > 5e-4


def test_of_very_many_roads_the_main_and_the_longest_are_kept(monkeypatch):
    monkeypatch.setattr(drawn_roads, "MOST_EDGES", 10)
    kept = drawn_roads.roads_around(TOWN, [path_of("0>1")])
    assert len(kept["main"]) + len(kept["minor"]) == 10


def path_of(edge):
    line = TOWN.lonlat(TOWN.edge_ids.index(edge)).tolist()
    return {"geometry": {"type": "LineString", "coordinates": line}, "properties": {"what": "path"}}


def test_a_drawing_is_well_formed_and_no_text_in_it_is_markup():
    drawing = Drawing(100.0, 50.0, [Words(10.0, 10.0, "<b>&", 9, ground=True)], 'says "<this>"')
    root = ET.fromstring(drawing.svg())
    assert root.find("{*}text").text == "<b>&"
    assert root.attrib["aria-label"] == 'says "<this>"'


def test_a_pdf_has_the_drawing_the_right_way_up():
    """y is down on a sheet and up in a PDF."""
    drawing = Drawing(100.0, 50.0, [Stroke([np.array([[10.0, 5.0], [90.0, 45.0]])], "#000000", 1.0)], "")
    written = BytesIO()
    canvas = Canvas(written, pageCompression=0, invariant=1)
    renderPDF.draw(drawing.flowable(200.0, "Helvetica"), canvas, 0, 0)
    canvas.save()
    move, line = re.search(rb"n ([\d.]+ [\d.]+) m ([\d.]+ [\d.]+) l\nS", written.getvalue()).groups()
    assert [float(v) for v in move.split()] == [10.0, 45.0]
    assert [float(v) for v in line.split()] == [90.0, 5.0]
    assert b"2 0 0 2 0 0 cm" in written.getvalue()


def test_times_are_multiples_of_the_day_whatever_the_begin():
    begin = datetime.fromisoformat("2026-03-02T07:58:30+08:00")
    found = figures._round_times(begin, begin + timedelta(minutes=21), 10)
    assert [moment.strftime("%H:%M") for moment in found] == ["08:00", "08:10"]


def test_each_cell_is_written_once_with_its_outline_and_its_moments(driven):
    cells = [feature for feature in driven["features"] if feature["properties"]["what"] == "cell"]
    assert len({feature["properties"]["cell"] for feature in cells}) == len(cells)
    assert max(len(feature["properties"]["moments"]) for feature in cells) > 1
    for feature in cells:
        about = feature["properties"]
        corners = [(lon, lat) for lat, lon in h3.cell_to_boundary(about["cell"])]
        outline = np.array(feature["geometry"]["coordinates"][0])
        assert outline == pytest.approx(np.array([*corners, corners[0]]), abs=1e-6)
        assert about["moments"] == sorted(set(about["moments"]))
        assert about["most"] == max(about["probabilities"])
        most_at = (datetime.fromisoformat(about["most_at"]) - at(0)).total_seconds() / about["every_s"]
        assert about["moments"][about["probabilities"].index(about["most"])] == most_at
        assert about["mean"] == pytest.approx(sum(about["probabilities"]) / 7, abs=1e-6)


def test_the_cells_at_each_moment_are_those_of_the_90_percent_region():
    found = reconstruct(TOWN, [seen(0.5, 0, 0), seen(3.5, 0, 70), seen(6.5, 0, 180)])
    features = moments.moment_features(found, 30, 10)
    for moment in moments.moments_of(found, 30):
        there, read = found.occupancy(moment), moments.cells_at(features, moment.isoformat())
        region = dict(zip(there.cell.tolist(), there.probability.tolist(), strict=True))
        assert set(read.cell.tolist()) == set(there.region(0.9).tolist())
        assert read.probability == pytest.approx([region[c] for c in read.cell.tolist()], abs=1e-6)
        # Answers of earlier versions tell each cell at each moment apart.
        before = [f for f in moments.cell_features(there) if int(f["properties"]["cell"], 16) in read.cell]
        assert moments.cells_at(before, moment.isoformat()).cell.tolist() == read.cell.tolist()


def test_of_many_moments_some_have_outlines_and_a_picture_is_drawn_of_any(fled, monkeypatch):
    monkeypatch.setattr(moments, "OUTLINED", 2)
    few = answer(seen(3.3, 3, 0), seen(4.2, 3, 20), until=140)
    regions = [f for f in few["features"] if f["properties"]["what"] == "region"]
    outlined = [f["properties"]["time"] for f in regions if f["geometry"] is not None]
    assert outlined == [time for k in (0, 90, 120) for time in [at(k).isoformat()] * 2]
    assert few["ground"] == fled["ground"]
    for k in range(0, 121, 30):
        one, other = (figures.figures(document, at(k))[1] for document in (few, fled))
        assert one.caption == other.caption
        fills = [[item for item in figure.drawing.items if isinstance(item, Fill)] for figure in (one, other)]
        assert len(fills[0]) == len(fills[1]) > 0
        for mine, theirs in zip(*fills, strict=True):
            areas = [sum(shapely.Polygon(r).area for r in item.rings) for item in (mine, theirs)]
            assert areas[0] == pytest.approx(areas[1], rel=1e-3)


def test_any_gis_reads_the_features_with_their_moments_as_lists(driven, tmp_path):
    path = tmp_path / "out.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": driven["features"]}), "utf-8")
    about, _, shapes, fields = pyogrio.raw.read(path)
    table = dict(zip(about["fields"], fields, strict=True))
    cells = table["what"] == "cell"
    assert about["crs"] == "EPSG:4326"
    assert set(shapely.get_type_id(shapely.from_wkb(shapes[cells]))) == {3}
    assert (table["most"][cells].astype(float) > 0.0).all()
    read = dict(zip(table["cell"][cells], table["moments"][cells], strict=True))
    for feature in driven["features"]:
        if feature["properties"]["what"] == "cell":
            assert list(read[feature["properties"]["cell"]]) == feature["properties"]["moments"]


def test_what_is_told_of_gates_has_the_zone_of_the_window_and_begins_when_nobody_may_be_seen_any_more():
    """The first sighting is in another zone and may be the last one."""
    bridges = TOWN.flags.copy()
    for name in ("3>4", "4>3"):
        bridges[TOWN.edge_ids.index(name)] |= EdgeFlag.BRIDGE
    one, other = seen(0.5, 0, 0), seen(1.5, 0, 40)
    first = replace(one, time=one.time.astimezone(timezone(timedelta(hours=-3))), until=at(70))
    found = reconstruct(replace(TOWN, flags=bridges), [first, other], window=TimeWindow(at(0), at(300)))
    gates = [
        feature["properties"]
        for feature in features_of(found, MovementModel.of(), Wanted(every_s=300))
        if feature["properties"]["what"] == "gate"
    ]
    assert gates
    for gate in gates:
        told = [*gate["times"], gate["earliest"], *filter(None, [gate["likely"]])]
        assert {datetime.fromisoformat(time).utcoffset() for time in told} == {at(0).utcoffset()}
        assert datetime.fromisoformat(gate["times"][0]) == at(120)
