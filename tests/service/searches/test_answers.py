"""What searches over the API answer: a real history, a real client, and the fixes that prove it."""

import json

import h3
import pytest
import shapely

from geo_policing.maps import remote_loads
from geo_policing.model import format_instant, from_us, parse_instant
from geo_policing.tracks import searches
from geo_policing.tracks.searches import Area
from tests.service.searches.asking import (
    EVENING,
    MINUTE,
    POINT,
    TWO_DAYS,
    WHOLE,
    areas,
    ask,
    check_evidence,
    geojson,
    newest,
    proofs,
    span,
    window,
)
from tests.tracks.searches.towns import MIDNIGHT, SOUTH, STEP, WEST


def test_who_was_in_an_area_is_told_with_the_fixes_that_prove_it(detective, permitted, town_found):
    shape = areas()[0]
    answer = ask(detective, "presences", area=geojson(shape), window=EVENING)
    expected = searches.presences(permitted, Area(shape), window(EVENING))
    assert [r["device"] for r in answer["results"]] == sorted({p.device for p in expected})
    assert answer["found"] == answer["told"] == len(answer["results"]) > 0
    told = [
        (f["properties"]["device"], f["properties"]["from"], f["properties"]["until"])
        for f in answer["features"]
        if f["properties"]["what"] == "presence"
    ]
    assert told == [(p.device, format_instant(p.enter_us), format_instant(p.leave_us)) for p in expected]
    check_evidence(answer, town_found)
    (area,) = [f for f in answer["features"] if f["properties"]["what"] == "area"]
    assert shapely.geometry.shape(area["geometry"]).equals(shape)


def test_the_evidence_of_a_presence_begins_and_ends_with_the_fixes_between_which_it_is_known(
    detective, permitted
):
    shape = areas()[0]
    answer = ask(detective, "presences", area=geojson(shape), window=EVENING)
    expected = searches.presences(permitted, Area(shape), window(EVENING))
    told = [f["properties"]["times"] for f in answer["features"] if f["properties"]["what"] == "presence"]
    assert [(times[0], times[-1]) for times in told] == [
        (format_instant(p.first_fix_us), format_instant(p.last_fix_us)) for p in expected
    ]


def test_only_some_devices_are_looked_for_where_they_are_named(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING, devices=["d1", "d2"])
    assert {r["device"] for r in answer["results"]} == {"d1", "d2"}


@pytest.mark.parametrize("at_least", [None, 1, 2])
def test_collision_tells_who_was_in_k_of_the_areas_and_proves_each(
    detective, permitted, town_found, at_least
):
    places = [{"area": geojson(shape), "window": EVENING} for shape in areas()]
    answer = ask(detective, "collision", places=places, at_least=at_least)
    expected = searches.collision(
        permitted, [(Area.from_geojson(p["area"]), window(p["window"])) for p in places], at_least
    )
    assert [r["device"] for r in answer["results"]] == list(expected)
    assert len(expected) > 0
    for result in answer["results"]:
        there = [n for n, mine in enumerate(expected[result["device"]], 1) if mine]
        assert (result["areas"], result["in_areas"]) == (len(there), there)
        assert {f["properties"]["area"] for f in proofs(answer, result["rank"])} == set(there)
    check_evidence(answer, town_found)


def test_companions_are_proven_at_as_many_places_as_they_are_told(detective, permitted, town_found):
    answer = ask(detective, "companions", device="d0", window=TWO_DAYS, within_s=30, places=2)
    expected = searches.companions(permitted, "d0", window(TWO_DAYS), within_s=30, places=2)
    assert [(r["device"], r["places"]) for r in answer["results"]] == [(c.device, c.places) for c in expected]
    first = answer["results"][0]
    assert first["device"] == "follower"
    assert first["evidence"] == first["places"]
    for feature in proofs(answer, 1):
        about = feature["properties"]
        assert about["other"] == "d0"
        way = shapely.LineString((feature["geometry"]["coordinates"] * 2)[: len(about["times"]) + 1])
        near = [way.interpolate(k / 4000, normalized=True) for k in range(4001)]
        assert about["cell"] in {h3.latlng_to_cell(at.y, at.x, 10) for at in near}
    assert [r["evidence"] for r in answer["results"]] == [c.places for c in expected]


def test_footholds_are_places_with_their_stays(detective, permitted, town_found):
    answer = ask(detective, "footholds", device="d2", window=TWO_DAYS, stay_s=300, radius_m=250)
    zone = from_us(0).astimezone().tzinfo
    expected = searches.footholds(permitted, "d2", window(TWO_DAYS), zone, stay_s=300, radius_m=250)
    assert [(r["stays"], r["total_s"]) for r in answer["results"]] == [
        (len(f.stays), f.total_s) for f in expected
    ]
    places = [f["geometry"]["coordinates"] for f in answer["features"] if f["properties"]["what"] == "place"]
    assert places == [[round(f.lon, 7), round(f.lat, 7)] for f in expected]
    assert len(places) == 2
    check_evidence(answer, town_found)


def test_first_entry_frequent_and_vanished_say_what_the_searches_say(detective, permitted, town_found):
    shape = areas()[1]
    area = Area(shape)
    late = span(MIDNIGHT - 20 * MINUTE, MIDNIGHT + 50 * MINUTE)
    new = ask(detective, "first-entry", area=geojson(shape), window=late, days=1)
    assert [r["device"] for r in new["results"]] == [
        p.device for p in searches.first_entry(permitted, area, window(late), 1)
    ]
    often = ask(detective, "frequent", area=geojson(WHOLE), window=TWO_DAYS, times=1)
    assert [(r["device"], r["presences"]) for r in often["results"]] == [
        (n, len(p)) for n, p in searches.frequent(permitted, Area(WHOLE), window(TWO_DAYS), 1).items()
    ]
    gone = ask(
        detective,
        "vanished",
        area=geojson(shape),
        moment=format_instant(MIDNIGHT + 5 * MINUTE),
        days=1,
        before=1,
    )
    expected = searches.vanished(permitted, area, from_us(MIDNIGHT + 5 * MINUTE), days=1, before=1, after=0)
    assert [r["device"] for r in gone["results"]] == [p.device for p in expected]
    assert len(expected) > 0
    for answer in (new, often, gone):
        check_evidence(answer, town_found)


def test_night_activity_is_proven_by_presences(detective, town_found):
    # Midnight of UTC is 8 o'clock in Shanghai.
    answer = ask(
        detective,
        "night-activity",
        area=geojson(WHOLE),
        window=TWO_DAYS,
        night_from=7,
        night_until=9,
        at_night=1,
        by_day=0,
    )
    assert answer["found"] > 0
    assert all(r["night_hours"] >= 1 and r["day_hours"] == 0 for r in answer["results"])
    check_evidence(answer, town_found)


def test_passages_are_proven_by_the_fixes_before_and_after(detective, permitted):
    line = [[WEST + 4.5 * STEP, SOUTH - STEP], [WEST + 4.5 * STEP, SOUTH + 11 * STEP]]
    question = {"line": {"type": "LineString", "coordinates": line}, "window": EVENING}
    answer = ask(detective, "passages", **question)
    expected = searches.passages(permitted, line, window(EVENING))
    told = [f["properties"] for f in answer["features"] if f["properties"]["what"] == "passage"]
    assert [(t["device"], t["from"], t["rightwards"]) for t in told] == [
        (p.device, format_instant(p.at_us), p.rightwards)
        for p in sorted(expected, key=lambda p: (p.at_us, p.device))
    ]
    assert len(told) > 0
    for about in told:
        before, after = map(parse_instant, about["times"])
        assert before <= parse_instant(about["from"]) <= after
    one_way = ask(detective, "passages", rightwards=True, **question)
    assert one_way["found"] == sum(p.rightwards for p in expected)


def test_circles_cells_and_features_are_areas_too(detective):
    lon, lat = WEST + 5 * STEP, SOUTH + 5 * STEP
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(lat, lon, 9), 1))
    point = {"type": "Point", "coordinates": [lon, lat]}
    for area in (
        point | {"radius_m": 600},
        {"type": "Feature", "geometry": point, "properties": {"radius_m": 600}},
        {"type": "Feature", "geometry": geojson(WHOLE), "properties": None},
        {"cells": disk},
    ):
        assert ask(detective, "presences", area=area, window=EVENING)["found"] > 0


def test_nobody_under_community_corrections_is_found(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING, devices=["ankle", "d0"])
    assert [r["device"] for r in answer["results"]] == ["d0"]
    assert ask(detective, "footholds", device="ankle", window=TWO_DAYS)["found"] == 0
    everybody = ask(detective, "companions", device="d0", window=TWO_DAYS, places=1)
    assert "ankle" not in json.dumps(everybody)
    track = detective.get("/api/tracks/ankle", params={"datetime": TWO_DAYS})
    assert (track.status_code, "corrections" in track.json()["detail"]) == (403, True)


def test_that_they_were_left_out_is_said_and_not_whether_they_were_there(detective):
    nowhere = {"type": "Point", "coordinates": [2.35, 48.85], "radius_m": 500}
    for name, question in (
        ("footholds", {"device": "ankle", "window": TWO_DAYS}),
        ("presences", {"area": geojson(WHOLE), "window": EVENING, "devices": ["ankle", "d0"]}),
        ("presences", {"area": nowhere, "window": EVENING, "devices": ["d0", "ankle"]}),
    ):
        (note,) = ask(detective, name, **question)["notes"]
        assert note == (
            "not searched: ankle; positions of community corrections serve corrections alone (Community "
            "Corrections Law, article 29); ask the corrections office"
        )
    there, elsewhere = (
        ask(detective, "presences", area=area, window=EVENING)["notes"] for area in (geojson(WHOLE), nowhere)
    )
    assert there == elsewhere
    assert "devices of community corrections are in no search" in there[0]
    # A question for others alone was answered whole.
    assert ask(detective, "footholds", device="d0", window=TWO_DAYS)["notes"] == []


def test_results_say_what_people_call_the_device(detective):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING)
    by_device = {r["device"]: r for r in answer["results"]}
    assert (by_device["d0"]["name"], by_device["d0"]["kind"]) == ("湘B·T0001", "taxi")
    assert (by_device["d1"]["name"], by_device["d1"]["kind"]) == ("d1", "unknown")


def test_pages_tell_every_result_once(detective):
    question = {"area": geojson(WHOLE), "window": EVENING}
    whole = ask(detective, "presences", **question)
    found, skip = [], 0
    while skip is not None:
        page = ask(detective, "presences", limit=2, skip=skip, **question)
        assert page["told"] <= 2
        assert page["found"] == whole["found"]
        found += page["results"]
        skip = page["next"]
    assert found == whole["results"]
    assert len(found) > 4


def test_places_without_data_and_devices_never_seen_give_nothing(detective):
    far = {"type": "Point", "coordinates": [2.35, 48.85], "radius_m": 500}
    for name, question in {
        "presences": {"area": far, "window": TWO_DAYS},
        "collision": {"places": [{"area": far, "window": EVENING}] * 2},
        "frequent": {"area": far, "window": TWO_DAYS},
        "first-entry": {"area": far, "window": TWO_DAYS},
        "vanished": {"area": far, "moment": format_instant(MIDNIGHT)},
        "night-activity": {"area": far, "window": TWO_DAYS},
        "companions": {"device": "ghost", "window": TWO_DAYS},
        "footholds": {"device": "ghost", "window": TWO_DAYS},
        "passages": {
            "line": {"type": "LineString", "coordinates": [[2.3, 48.8], [2.3, 48.9]]},
            "window": TWO_DAYS,
        },
    }.items():
        answer = ask(detective, name, **question)
        assert (answer["found"], answer["results"], answer["next"]) == (0, [], None)
    old = ask(detective, "presences", area=POINT, window="0001-01-01T00:00:00Z/0001-01-02T00:00:00Z")
    assert old["found"] == 0
    late = ask(detective, "presences", area=POINT, window="9999-12-30T00:00:00Z/9999-12-31T00:00:00Z")
    assert late["found"] == 0


def test_each_search_is_described_with_its_exact_definition(detective):
    paths = detective.get("/api/openapi.json").json()["paths"]
    posted = {path: way["post"] for path, way in paths.items() if "/searches/" in path and "post" in way}
    assert len(posted) >= 9
    for operation in posted.values():
        assert "recorded before it is given" in operation["description"]
        assert len(operation["description"]) > 150
    assert "shifted by each" in posted["/api/investigations/{case}/searches/companions"]["description"]


def test_the_map_of_an_answer_loads_nothing_from_elsewhere_and_is_recorded(detective, admin):
    for answer in (
        ask(
            detective,
            "collision",
            places=[{"area": geojson(a), "window": EVENING} for a in areas()],
            at_least=2,
        ),
        ask(detective, "companions", device="ghost", window=TWO_DAYS),
    ):
        page = detective.get(f"/maps/searches/{answer['id']}")
        assert page.status_code == 200
        assert "geoPolicing.searchMap(" in page.text
        assert remote_loads(page.text) == []
        assert newest(admin)["question"] == f"/maps/searches/{answer['id']}"
        assert newest(admin)["rows"] == answer["told"]
    assert detective.get("/maps/searches/nothing").status_code == 404
