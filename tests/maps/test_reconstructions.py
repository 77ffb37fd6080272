"""The map of a reconstruction, as a page and in a real browser."""

from collections.abc import Iterator

import pytest
from h3.api import basic_str as h3
from playwright.sync_api import expect

from geo_policing.errors import InvalidInput
from geo_policing.maps import reconstruction_map, remote_loads, render
from tests.browser import NARROW, WIDE, Site, Visit, visit

EVIL = "<img src=x onerror=alert(1)>"


def moment(k: int) -> str:
    return f"2026-03-02T08:0{k}:00+08:00"


def feature(geometry, **about):
    return {"type": "Feature", "geometry": geometry, "properties": about}


def point(lon, lat):
    return {"type": "Point", "coordinates": [lon, lat]}


def cell(k, column, probability):
    index = h3.latlng_to_cell(27.83, 113.13 + column * 0.002, 10)
    ring = [[lon, lat] for lat, lon in h3.cell_to_boundary(index)]
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return feature(shape, what="cell", time=moment(k), cell=index, probability=probability)


def cells_once(features):
    """The same cells as they are written now: each once, with its moments."""
    once, others = {}, [f for f in features if f["properties"]["what"] != "cell"]
    for one in features:
        about = one["properties"]
        if about["what"] == "cell":
            more = {"begin": moment(0), "every_s": 60, "moments": [], "probabilities": []}
            cell = once.setdefault(
                about["cell"], feature(one["geometry"], what="cell", cell=about["cell"], **more)
            )
            cell["properties"]["moments"].append(int(about["time"][15]))
            cell["properties"]["probabilities"].append(about["probability"])
    return [*others, *once.values()]


def a_document():
    line = {"type": "LineString", "coordinates": [[113.13 + k * 0.002, 27.83] for k in range(5)]}
    seen = {"until": None, "kind": "camera", "edge": "", "accuracy_m": 20.0, "given_probability": 1.0}
    features = [
        feature(line, what="path", kind="best", probability=None, edges=["a", "b", "c"],
                entered=[moment(0), moment(1), moment(3)], begins_m=[0.0, 78.6, 707.0], length_m=786.0),
        feature(line, what="path", kind="sampled", probability=0.6, mode=EVIL, edges=["a"],
                entered=[moment(0)]),
        feature(point(113.13, 27.83), what="sighting", time=moment(0), observer=EVIL, probability=1.0,
                leave_one_out=0.9, fits=True, **seen),
        feature(point(113.134, 27.832), what="sighting", time=moment(4), observer="C2", probability=0.1,
                leave_one_out=0.001, fits=False, **seen),
        feature(point(113.138, 27.83), what="gate", name="芦淞大桥", kind="bridge", earliest=moment(3),
                times=[moment(3), moment(4)], passed=[0.2, 0.55]),
    ]  # fmt: skip
    for k in range(5):
        features += [cell(k, k, 0.7), cell(k, k + 1, 0.25), cell(k, k + 2, 0.00001)]
        features.append(
            feature(point(0, 0), what="region", time=moment(k), share=0.9, area_km2=0.03 + k / 100)
        )
    return {"type": "FeatureCollection", "case": "A1", "mode": "car", "features": features}


def test_where_it_is_not_known_who_travels_how_the_heading_tells_the_likely_modes():
    modes = [
        {"mode": mode, "probability": p} for mode, p in (("car", 0.169), ("e-bike", 0.001), ("foot", 0.83))
    ]
    page = render(reconstruction_map(a_document() | {"mode": "unknown", "modes": modes}), None)
    assert '"mode":"unknown: foot 83%, car 17%"' in page
    assert '"mode":"car"' in render(reconstruction_map(a_document()), None)


def test_the_page_loads_nothing_and_takes_no_text_for_markup():
    page = render(reconstruction_map(a_document()), None)
    assert remote_loads(page) == []
    assert EVIL not in page


def test_cells_written_once_with_their_moments_make_the_same_frames():
    document = a_document()
    page = render(reconstruction_map(document), None)
    frames = page[page.index('"rings"') : page.index('"paths"')]
    document["features"] = cells_once(document["features"])
    again = render(reconstruction_map(document), None)
    assert again[again.index('"rings"') : again.index('"paths"')] == frames
    assert '"area":0.07' in frames


def test_what_is_no_reconstruction_is_refused():
    with pytest.raises(InvalidInput, match="this is no reconstruction; give what"):
        reconstruction_map({"features": []})


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def opened(request, chromium) -> Iterator[Visit]:
    document = a_document()
    # Wide an answer of an earlier version, narrow one of today.
    if request.param is NARROW:
        document["features"] = cells_once(document["features"])
    site = Site({"/": render(reconstruction_map(document))})
    try:
        with visit(chromium, site.url + "/", request.param) as seen:
            yield seen
            assert seen.strayed == []
            assert seen.failed == []
    finally:
        site.stop()


@pytest.mark.browser
def test_the_slider_goes_through_the_moments_and_their_cells(opened):
    slider = opened.page.get_by_label("时刻 Time")
    shown = "geoPolicing.reconstruction.cells.getLayers().map(l => l.getBounds().getCenter().lng)"
    first = opened.page.evaluate(shown)
    assert len(first) == 2
    slider.focus()
    slider.press("End")
    expect(opened.page.locator(".gp-now")).to_have_text("03/02 08:04:00 · 90 %: 0.07 km²")
    last = opened.page.evaluate(shown)
    assert min(last) > max(first)


@pytest.mark.browser
def test_the_dot_moves_along_each_edge_by_the_time_spent_on_it(opened):
    dot = "geoPolicing.reconstruction.where.getLatLng()"

    def east_of_the_start(k):
        at = opened.page.evaluate(f"geoPolicing.reconstruction.show({k}), {dot}")
        assert at["lat"] == pytest.approx(27.83)
        return (at["lng"] - 113.13) / 0.008

    # The long edge is entered after a minute and takes two; the last ends at the last sighting.
    assert [east_of_the_start(k) for k in range(5)] == pytest.approx([0.0, 0.1, 0.5, 0.9, 1.0], abs=0.01)


@pytest.mark.browser
def test_paths_say_their_share_and_their_mode_where_they_have_one(opened):
    said = "l => l.getTooltip() ? l.getTooltip().getContent().textContent : null"
    lines = opened.page.evaluate(f"geoPolicing.reconstruction.lines.getLayers().map({said})")
    assert lines == [f"抽样路径 Sampled path · 60 % · {EVIL}", None, "代表路径 Representative path"]


@pytest.mark.browser
def test_sightings_are_numbered_and_those_that_do_not_fit_are_marked(opened):
    if not opened.page.locator("details").evaluate("d => d.open"):
        opened.page.get_by_text("说明 Details").click()
    rows = opened.page.locator(".gp-reconstruction ol").first.locator("li")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(f"1 08:00:00 · {EVIL}")
    expect(rows.nth(0).locator(".gp-misfit")).to_have_count(0)
    expect(rows.nth(1)).to_contain_text("不符 misfit 0.1 %")
    expect(rows.nth(1).locator(".gp-misfit")).to_have_count(1)


@pytest.mark.browser
def test_gates_tell_what_has_passed_by_the_moment_shown(opened):
    if not opened.page.locator("details").evaluate("d => d.open"):
        opened.page.get_by_text("说明 Details").click()
    gates = opened.page.locator(".gp-reconstruction ol").last
    expect(gates).to_contain_text("桥 Bridge 芦淞大桥")
    expect(gates).to_contain_text("0.0 % → 55 %")
    opened.page.evaluate("geoPolicing.reconstruction.show(3)")
    expect(gates).to_contain_text("20 % → 55 %")


@pytest.mark.browser
def test_the_box_leaves_the_map_in_sight(opened):
    size = opened.page.viewport_size
    box = opened.page.locator(".gp-reconstruction").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["width"] * box["height"] < 0.5 * size["width"] * size["height"]
    assert opened.page.evaluate(
        "geoPolicing.reconstruction.data.sightings.every("
        "s => geoPolicing.reconstruction.map.getBounds().contains(s.at))"
    )
