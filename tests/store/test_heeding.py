"""Questions to the history that end when they must, whatever DuckDB works on."""

import threading
import time

import duckdb
import pytest

from geo_policing.errors import Cancelled, InvalidInput, TookTooLong
from geo_policing.model import Fix, FixColumns, Halt
from geo_policing.store import FixStore
from geo_policing.store.history import questions
from geo_policing.store.history.evidence import evidence
from geo_policing.store.history.heeding import heeding
from geo_policing.store.history.keeper import Keeper
from geo_policing.store.history.questions import Questions

T = 1_772_323_200_000_000
DAY = 86_400_000_000
#: A question that takes hours.
ENDLESS = "SELECT count(*) FROM range(100000000000) a(x), range(1000) b(y) WHERE hash(x + y) % 7 = 3"


@pytest.fixture
def store(tmp_path):
    with FixStore(tmp_path / "fixes.duckdb") as store:
        fixes = [Fix("d1", T + n * 1_000_000 + d * DAY, 113.13, 27.83) for d in range(3) for n in range(50)]
        store.append(FixColumns.from_fixes(fixes))
        Keeper(store).seal(T // DAY + 2)
        yield store


def test_what_duckdb_works_on_ends_at_the_limit_and_the_history_answers_on(store):
    halt = Halt(0.3)
    with halt, pytest.raises(TookTooLong, match=r"longer than 0\.3 s"), heeding(store, halt) as now:
        now.cursor.execute(ENDLESS).fetchall()
    assert store.count() == 150


def test_what_duckdb_works_on_ends_when_somebody_says_so(store):
    halt = Halt()
    threading.Timer(0.3, halt.end, ["wang has cancelled it"]).start()
    with halt, pytest.raises(Cancelled, match="wang has cancelled it"), heeding(store, halt) as now:
        now.cursor.sql(ENDLESS).to_arrow_table()
    assert store.count() == 150


def test_an_interruption_just_before_a_question_begins_is_not_lost(store):
    """DuckDB forgets one that comes between two questions; so it comes again."""
    halt = Halt()
    with halt, heeding(store, halt) as now:
        halt.end("now")
        time.sleep(0.2)
        with pytest.raises(duckdb.InterruptException):
            now.cursor.execute(ENDLESS).fetchall()


def test_nothing_is_begun_that_must_end(store):
    halt = Halt()
    halt.end("wang has cancelled it")
    asked = Questions(store, halt)
    for ask in (
        lambda: asked.moves(T, T + DAY, ["d1"]),
        lambda: asked.fixes(T, T + DAY, ["d1"]),
        lambda: asked.visits(store.latest().cell, T, T + DAY),
        lambda: evidence(store, [], 10, halt),
    ):
        with pytest.raises(Cancelled):
            ask()


def test_a_question_tells_how_far_it_is(store):
    halt = Halt()
    Questions(store, halt).visits(store.latest().cell, T, T + 3 * DAY)
    assert halt.done == "who was there, 1 of 2 files of days"


def test_more_rows_than_fit_are_refused_with_what_to_do(store, monkeypatch):
    monkeypatch.setattr(questions, "MOST_ROWS", 1)
    asked = Questions(store)
    assert len(asked.visits(store.latest().cell, T, T + DAY).cell) == 1
    with pytest.raises(
        InvalidInput, match=r"more than 1 .*visits lie there.* ask for a shorter window"
    ) as refused:
        asked.visits(store.latest().cell, T, T + 2 * DAY)
    assert refused.value.field == "window"
