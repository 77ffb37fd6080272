"""Answers go in time, on SQLite and PostgreSQL: by rule, not those of held cases, with a record of it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from geo_policing.errors import Conflict, InvalidInput
from geo_policing.store import Records
from geo_policing.store.answers import DAY_US, AnswersDeleted
from geo_policing.store.reconstructions import KeptReconstruction, WorkState
from tests.store.test_kept_searches import ANSWER, KEPT, LOOK, T

NOW = T + 200 * DAY_US


@pytest.fixture
def records(url):
    """Of each of two cases three searches, asked on the days 0, 10 and 150; one was refused."""
    with Records(url) as records:
        for case in ("A1", "B2"):
            for day in (0, 10, 150):
                kept = replace(KEPT, id=f"{case}-{day}", case_number=case, asked_us=T + day * DAY_US)
                records.searches.add(kept, ANSWER, LOOK)
        records.searches.add(replace(KEPT, id="refused", problem="too long"), None, LOOK)
        yield records


def there(records):
    found = set()
    for case in ("A1", "B2"):
        for one in records.searches.of_case(case):
            try:
                records.searches.answer(one.id)
                found.add(one.id)
            except Conflict:
                pass
    return found


def test_answers_that_no_rule_keeps_go_and_who_asked_what_stays(records):
    before = {one.id: one for case in ("A1", "B2") for one in records.searches.of_case(case)}
    looks = records.looks.list()
    made = records.answers.expire(180, (), NOW, "admin")
    assert there(records) == {"A1-150", "B2-150"}
    assert made == [
        AnswersDeleted(NOW, "searches", case, "answers=180", 2, T, T + 10 * DAY_US, "admin")
        for case in ("A1", "B2")
    ]
    after = {one.id: one for case in ("A1", "B2") for one in records.searches.of_case(case)}
    gone = {"A1-0", "A1-10", "B2-0", "B2-10"}
    assert after == {key: replace(one, deleted_us=NOW) if key in gone else one for key, one in before.items()}
    assert records.looks.list() == looks
    with pytest.raises(Conflict, match=r"deleted at .* no rule kept it .* ask again"):
        records.searches.answer("A1-0")
    with pytest.raises(Conflict, match="too long"):
        records.searches.answer("refused")


def test_those_of_a_held_case_stay_until_it_is_released(records):
    records.answers.expire(1, {"A1"}, NOW, "admin")
    assert there(records) == {"A1-0", "A1-10", "A1-150"}
    records.answers.expire(1, (), NOW, "admin")
    assert there(records) == set()


def test_what_was_deleted_is_recorded_once_and_for_good(records, url):
    first = records.answers.expire(180, {"B2"}, NOW, "admin")
    assert records.answers.expire(180, {"B2"}, NOW, "admin") == []
    second = records.answers.expire(180, (), NOW + 1, "service")
    assert [one.case_number for one in second] == ["B2"]
    with Records(url) as again:
        assert again.answers.deletions() == [*first, *second]


def test_what_several_delete_at_once_is_recorded_once(records, url):
    together = threading.Barrier(6)

    def expire(_):
        with Records(url) as mine:
            together.wait(30)
            return mine.answers.expire(1, (), NOW, "admin")

    with ThreadPoolExecutor(6) as pool:
        made = [one for some in pool.map(expire, range(6)) for one in some]
    assert sorted((one.case_number, one.answers) for one in made) == [("A1", 3), ("B2", 3)]
    assert sorted(map(str, records.answers.deletions())) == sorted(map(str, made))


def test_a_day_counts_from_the_moment_it_was_asked(records):
    records.answers.expire(190, (), T + 200 * DAY_US, "admin")
    assert "A1-10" in there(records)
    records.answers.expire(190, (), T + 200 * DAY_US + 1, "admin")
    assert "A1-10" not in there(records)


def test_reconstructions_lose_their_answers_in_the_same_way(records):
    kept = KeptReconstruction("r1", "A1", "why", "wang.li", T, WorkState.WAITING, {})
    records.reconstructions.add(kept)
    records.reconstructions.move("r1", WorkState.DONE, answer={"features": []}, ended_us=T + 1)
    made = records.answers.expire(180, (), NOW, "admin")
    assert [(one.what, one.case_number, one.answers) for one in made] == [
        ("searches", "A1", 2),
        ("searches", "B2", 2),
        ("reconstructions", "A1", 1),
    ]
    now = records.reconstructions.get("r1")
    assert (now.state, now.deleted_us) == (WorkState.DONE, NOW)
    with pytest.raises(Conflict, match="the answer of the reconstruction was deleted"):
        records.reconstructions.answer("r1")


def test_a_rule_of_less_than_a_day_is_refused(records):
    with pytest.raises(InvalidInput, match="0 is less than a day"):
        records.answers.expire(0, (), NOW, "admin")
    assert len(there(records)) == 6


def test_what_is_deleted_is_no_longer_in_the_file(tmp_path):
    path = tmp_path / "records.sqlite"
    secret = {"results": [{"device": f"taxi-{n}", "trail": [n * 0.37 % 1]} for n in range(3000)]}
    with Records(f"sqlite:///{path}") as records:
        records.searches.add(KEPT, secret, LOOK)
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as db:
            packed = db.execute(sa.text("SELECT answer FROM searches")).scalar_one()
        engine.dispose()
        part = packed[len(packed) // 2 :][:64]
        assert json.loads(json.dumps(records.searches.answer("k1"))) == secret
        records.answers.expire(1, (), NOW, "admin")
    # Closed, the log is in the file, and gone.
    assert part not in path.read_bytes()
    assert not path.with_name("records.sqlite-wal").exists()
