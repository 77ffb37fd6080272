"""What is recorded of a search: who asked what and why, and how much was told; or nothing is told."""

import json
import sqlite3
import time
from dataclasses import replace

import pytest

from geo_policing.store import FixStore, engine, open_records
from tests.service.running import running
from tests.service.searches.asking import (
    A_DAY,
    EVENING,
    POINT,
    TWO_DAYS,
    URL,
    WHOLE,
    WHY,
    areas,
    ask,
    change,
    geojson,
    newest,
    wait_until,
)
from tests.store.test_kept_searches import ANSWER, KEPT, LOOK, T
from tests.tracks.searches.towns import columns


def test_a_search_is_recorded_with_who_when_why_what_and_how_much(detective, admin):
    question = {"area": geojson(areas()[0]), "window": EVENING}
    answer = ask(detective, "presences", **question)
    look = newest(admin)
    assert (look["account"], look["role"], look["client"]) == ("a-detective", "detective", "127.0.0.1")
    assert (look["question"], look["rows"]) == (f"{URL}/presences", answer["found"])
    kept = detective.get(URL, params={"limit": 1}).json()["searches"][0]
    assert kept["id"] == answer["id"]
    assert (kept["search"], kept["reason"], kept["account"]) == ("presences", WHY["reason"], "a-detective")
    assert (kept["role"], kept["found"], kept["told"]) == ("detective", answer["found"], answer["told"])
    assert kept["question"]["area"] == question["area"]
    assert kept["question"]["window"] == EVENING
    assert kept["asked"] == answer["asked"] == look["at"]
    assert kept["problem"] is None


def test_the_answer_is_kept_as_it_was_given_under_its_case_alone(detective, admin):
    answer = ask(detective, "presences", area=geojson(WHOLE), window=EVENING)
    assert detective.get(f"{URL}/{answer['id']}").json() == answer
    assert (newest(admin)["question"], newest(admin)["rows"]) == (f"{URL}/{answer['id']}", answer["told"])
    other = detective.get(f"/api/investigations/B1/searches/{answer['id']}")
    assert other.status_code == 404
    assert "GET /api/investigations/CASE/searches" in other.json()["detail"]


def test_a_search_that_is_refused_is_recorded_with_why(detective, admin):
    question = {"device": "d0", "window": "2016-01-01T00:00:00Z/2026-01-01T00:00:00Z"}
    answer = detective.post(f"{URL}/footholds", json=WHY | question)
    assert answer.status_code == 422
    assert newest(admin)["rows"] == 0
    kept = detective.get(URL, params={"limit": 1}).json()["searches"][0]
    assert (kept["search"], kept["found"], kept["told"]) == ("footholds", 0, 0)
    assert kept["question"]["window"] == question["window"]
    assert "longer than 92 days" in kept["problem"]
    refused = detective.get(f"{URL}/{kept['id']}")
    assert (refused.status_code, "ask again" in refused.json()["detail"]) == (409, True)


def test_searches_of_a_case_are_paged_without_loss(detective):
    url = "/api/investigations/B-7/searches"
    for n in range(5):
        asked = WHY | {"device": f"d{n}", "window": TWO_DAYS}
        assert detective.post(f"{url}/footholds", json=asked).status_code == 200
    found, after = [], {}
    while after is not None:
        page = detective.get(url, params={"limit": 2} | after).json()
        found += page["searches"]
        after = {"next": page["next"]} if page["next"] else None
    assert [one["question"]["device"] for one in found] == ["d4", "d3", "d2", "d1", "d0"]


@pytest.mark.parametrize("name", ["presences", "collision", "footholds"])
def test_dispatchers_and_strangers_may_not_search(service, name):
    body = WHY | {"area": geojson(WHOLE), "window": EVENING}
    assert service.client("dispatcher").post(f"{URL}/{name}", json=body).status_code == 403
    assert service.client().post(f"{URL}/{name}", json=body).status_code == 401
    assert service.client("dispatcher").get(URL).status_code == 403


def test_no_answer_leaves_without_its_record(tmp_path, town_found):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(town_found))
    body = WHY | {"area": geojson(WHOLE), "window": EVENING}
    with running(tmp_path) as service:
        detective = service.client("detective")
        kept = detective.post(f"{URL}/presences", json=body)
        assert kept.json()["found"] > 0
        for table in ("searches", "looks"):
            change(tmp_path, f"ALTER TABLE {table} RENAME TO away")
            answer = detective.post(f"{URL}/presences", json=body)
            assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
            assert "d1" not in answer.text
            change(tmp_path, f"ALTER TABLE away RENAME TO {table}")
        with sqlite3.connect(tmp_path / "records.sqlite") as db:
            # Neither of the two is there without the other.
            for table in ("searches", "looks"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        db.close()
        again = detective.get(f"{URL}/{kept.json()['id']}")
        assert again.json() == kept.json()


def test_records_that_another_holds_for_long_give_a_problem_and_no_data(tmp_path, town_found, monkeypatch):
    monkeypatch.setattr(engine, "PATIENCE_MS", 500)
    with FixStore(tmp_path / "fixes.duckdb") as store:
        store.append(columns(town_found))
    with running(tmp_path) as service:
        detective = service.client("detective")
        detective.timeout = 60
        db = sqlite3.connect(tmp_path / "records.sqlite", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        try:
            answer = detective.post(
                f"{URL}/presences", json=WHY | {"area": geojson(WHOLE), "window": EVENING}
            )
        finally:
            db.execute("ROLLBACK")
            db.close()
        assert answer.status_code == 503
        assert "features" not in answer.json()


def test_what_no_json_can_say_is_kept_as_something_that_it_can(detective):
    odd = {"type": "Feature", "geometry": POINT, "properties": {"a": float("nan"), "b": "\ud800\u0000"}}
    answer = detective.post(
        f"{URL}/presences",
        content=json.dumps(WHY | {"area": odd, "window": A_DAY}),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 200
    assert answer.json()["question"]["area"]["properties"] == {"a": None, "b": "\ufffd\ufffd"}


def test_answers_are_deleted_in_time_where_a_rule_says_so(tmp_path):
    with open_records(tmp_path) as records:
        for case, asked_us in (("A1", T), ("B2", time.time_ns() // 1_000)):
            kept = replace(KEPT, id=case, case_number=case, asked_us=asked_us)
            records.searches.add(kept, {**ANSWER, "told": 1}, LOOK)
    with running(tmp_path, answer_days=30) as service:
        detective = service.client("detective")

        def gone():
            return detective.get("/api/investigations/A1/searches/A1").status_code == 409

        wait_until(gone)
        answer = detective.get("/api/investigations/A1/searches/A1").json()
        assert "was deleted at" in answer["detail"]
        assert detective.get("/maps/searches/A1").status_code == 409
        (one,) = detective.get("/api/investigations/A1/searches").json()["searches"]
        assert one["deleted"] is not None
        assert (one["account"], one["reason"], one["found"]) == (KEPT.account, KEPT.reason, KEPT.found)
        assert service.rooms.records.searches.answer("B2")["told"] == 1
    with open_records(tmp_path) as records:
        assert [(d.case_number, d.rule, d.by) for d in records.answers.deletions()] == [
            ("A1", "answers=30", "service")
        ]
