import re

import folium
import pytest
from folium.plugins import Draw, Fullscreen, HeatMap, MarkerCluster

from geo_policing.errors import InvalidInput
from geo_policing.maps import offline, remote_loads, render

HERE = [27.83, 113.13]


def bare() -> folium.Map:
    return folium.Map(HERE, tiles=None)


def full() -> folium.Map:
    full = bare()
    folium.Marker(HERE, popup="here").add_to(full)
    folium.Marker(HERE, icon=folium.Icon(angle=45, icon="car", prefix="fa")).add_to(full)
    folium.Marker(HERE, icon=folium.Icon(color="red")).add_to(full)
    MarkerCluster([HERE]).add_to(full)
    HeatMap([HERE]).add_to(full)
    Fullscreen().add_to(full)
    folium.GeoJson({"type": "Point", "coordinates": HERE[::-1]}).add_to(full)
    return full


@pytest.mark.parametrize("make", [bare, full])
def test_linked_assets_are_the_only_urls(make):
    html = render(make(), "/assets/")
    assert "//" not in re.sub(r"(?m)^\s*//.*$", "", html)
    linked = re.findall(r'(?:src|href)="(/assets/[^"]+)"', html)
    assert "/assets/leaflet/leaflet.js" in linked
    assert len(linked) == len(set(linked))


def test_a_url_for_the_assets_may_lack_its_slash():
    assert 'src="/static/leaflet/leaflet.js"' in render(bare(), "/static")


@pytest.mark.parametrize("make", [bare, full])
def test_a_page_of_its_own_loads_nothing(make):
    html = render(make(), None)
    assert remote_loads(html) == []
    assert not re.search(r"<script[^>]*\ssrc=|<link\s[^>]*href=", html)
    sheets = "".join(re.findall(r"<style.*?</style>", html, re.DOTALL))
    assert set(re.findall(r"url\(\s*[\"']?([a-z#]+)", sheets)) <= {"data", "#default#"}


def test_a_map_may_be_shown_both_ways_and_grow_in_between():
    one = bare()
    render(one, "/assets/")
    folium.Marker(HERE, icon=folium.Icon()).add_to(one)
    page = render(one, None)
    assert "AwesomeMarkers" in page
    assert "/assets/" not in page
    assert "/assets/awesome-markers/awesome-markers.js" in render(one, "/assets/")


def test_other_maps_keep_foliums_links():
    offline(bare())
    assert "https://" in bare().get_root().render()


def test_icon_fonts_are_left_out_where_no_icon_is():
    assert "glyphicons" not in render(bare(), None)
    assert "glyphicon-" in render(full(), None)


def test_an_icon_turns_by_its_angle():
    assert ".fa-rotate-45{display:inline-block;transform:rotate(45deg)}" in render(full())


def test_tiles_of_others_are_refused_by_name():
    with pytest.raises(InvalidInput, match=r"TileLayer loads https://tile\.openstreetmap\.org.*tiles=None"):
        render(folium.Map(HERE))


def test_tiles_of_ones_own_network_may_be_allowed():
    own = folium.Map(HERE, tiles="http://10.1.2.3/{z}/{x}/{y}.png", attr="ours")
    assert "http://10.1.2.3/" in render(own, allow=["http://10.1.2.3/"])
    with pytest.raises(InvalidInput, match=r"10\.1\.2\.3"):
        render(own, allow=["http://10.1.2.4/"])


def test_a_plugin_without_local_files_is_refused_by_name():
    drawing = bare()
    Draw().add_to(drawing)
    with pytest.raises(InvalidInput, match="Draw loads https://cdnjs"):
        render(drawing)


@pytest.mark.parametrize(
    "smuggled",
    [
        '<img src="https://example.org/a.png">',
        "<script src='//example.org/a.js'></script>",
        '<link rel="stylesheet" href="https://example.org/a.css">',
        "<style>body { background: url(https://example.org/a.png) }</style>",
        '<style>@import "https://example.org/a.css";</style>',
        "<script>fetch('https://example.org/a')</script>",
        '<script>new WebSocket("wss://example.org/a")</script>',
        '<script>L.tileLayer("https://example.org/{z}/{x}/{y}.png")</script>',
        '<script>L.icon({iconUrl: "https://example.org/a.png"})</script>',
    ],
)
def test_what_comes_in_another_way_is_refused_as_well(smuggled):
    sly = bare()
    sly.get_root().html.add_child(folium.Element(smuggled))
    with pytest.raises(InvalidInput, match=r"example\.org"):
        render(sly)


def test_a_script_that_an_element_links_while_it_renders_is_refused():
    late = bare()
    late.get_root().header.add_child(folium.JavascriptLink("https://example.org/late.js"), name="late")
    with pytest.raises(InvalidInput, match=r"script https://example\.org/late\.js"):
        render(late)


def test_texts_may_name_addresses():
    said = bare()
    folium.Marker(HERE, popup=folium.Popup('see <a href="https://example.org/">there</a>')).add_to(said)
    assert "https://example.org/" in render(said)
