"""From fixes to disk, and then to those who watch."""

import asyncio
import sys
from dataclasses import replace

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import Unavailable
from geo_policing.ingest.pipeline import Pipeline
from geo_policing.ingest.plausibility import Plausibility
from geo_policing.model import FixColumns
from tests.ingest.lines import NOW, SECOND, MemorySink, clock, fix, until


@pytest.fixture
def sink():
    return MemorySink()


def pipeline(sink, **options):
    return Pipeline(sink, **{"batch_seconds": 0.01, "clock": clock, **options})


async def test_a_submission_returns_when_its_fixes_are_on_disk(sink):
    async with pipeline(sink) as pipe:
        await pipe.submit([fix(-2), fix(-1)])
        assert sink.seconds() == [-2, -1]
        assert (pipe.accepted, pipe.stored, pipe.waiting) == (2, 2, 0)


async def test_the_cell_of_a_fix_is_computed_on_the_way(sink):
    async with pipeline(sink) as pipe:
        await pipe.submit([fix()])
    assert sink.columns[0].cell.tolist() == [h3.str_to_int(h3.latlng_to_cell(27.83, 113.13, 10))]


async def test_a_batch_is_written_when_it_is_full_without_waiting_for_its_time(sink):
    async with pipeline(sink, batch_rows=3, batch_seconds=3600) as pipe, asyncio.timeout(20):
        await pipe.submit([fix(-3), fix(-2), fix(-1)])
    assert len(sink.columns) == 1


async def test_submissions_of_the_same_moment_share_a_batch(sink):
    async with pipeline(sink, batch_seconds=0.05) as pipe:
        await asyncio.gather(*(pipe.submit([fix(device=f"car-{n}")]) for n in range(50)))
    assert [len(columns) for columns in sink.columns] == [50]


async def test_refusals_are_counted_by_reason_and_device_and_not_stored(sink):
    async with pipeline(sink) as pipe:
        await pipe.submit(
            [
                fix(-9),
                fix(-8, 0.0, 0.0),
                fix(-7, 114.13),
                fix(61),
                fix(-9),
                fix(-NOW / SECOND),
                fix(-6, float("nan")),
                fix(-5),
            ]
        )
        assert pipe.refusals == {
            ("null_island", "car"): 1,
            ("jump", "car"): 1,
            ("future", "car"): 1,
            ("duplicate", "car"): 1,
            ("before_2000", "car"): 1,
            ("malformed", "car"): 1,
        }
    assert sink.seconds() == [-9, -5]


async def test_refusals_can_be_read_in_a_thread_while_devices_are_refused(sink):
    often = sys.getswitchinterval()

    def read():
        for _ in range(100):
            assert set(pipe.refusals.values()) == {1}

    sys.setswitchinterval(1e-6)
    try:
        async with pipeline(sink) as pipe, asyncio.timeout(60):
            await pipe.submit(fix(0, 0.0, 0.0, f"car-{n}") for n in range(2_000))
            reading = asyncio.create_task(asyncio.to_thread(read))
            for n in range(17_000):
                await pipe.submit([fix(0, 0.0, 0.0, f"taxi-{n}")])
                await asyncio.sleep(0)
                if reading.done():
                    break
            await reading
    finally:
        sys.setswitchinterval(often)


async def test_a_submission_of_which_nothing_is_accepted_returns_at_once(sink):
    async with pipeline(sink, batch_seconds=3600) as pipe, asyncio.timeout(20):
        await pipe.submit([fix(0, 0.0, 0.0)])
        await pipe.submit([])


async def test_a_duplicate_is_acknowledged_no_earlier_than_its_original(sink):
    sink.open.clear()
    async with pipeline(sink) as pipe:
        first = asyncio.create_task(pipe.submit([fix()]))
        await until(sink.asked.is_set)
        again = asyncio.create_task(pipe.submit([fix()]))
        await asyncio.sleep(0)
        assert not again.done()
        sink.open.set()
        await asyncio.gather(first, again)
    assert len(sink.fixes) == 1


async def test_fixes_are_published_only_once_they_are_on_disk(sink):
    sink.open.clear()
    async with pipeline(sink) as pipe:
        with pipe.subscribe() as news:
            submission = asyncio.create_task(pipe.submit([fix()]))
            await until(sink.asked.is_set)
            stored = asyncio.create_task(anext(aiter(news)))
            await asyncio.sleep(0)
            assert not stored.done()
            sink.open.set()
            assert (await stored).fixes == (fix(),)
            await submission


async def test_a_late_fix_is_stored_and_is_not_live(sink):
    async with pipeline(sink) as pipe:
        with pipe.subscribe() as news:
            await pipe.submit([fix(-1), fix(-5), fix(0)])
            stored = await anext(aiter(news))
        assert stored.fixes == (fix(-1), fix(-5), fix(0))
        assert stored.live == (fix(-1), fix(0))
        assert pipe.latest == {"car": fix(0)}
        assert pipe.late == 1


async def test_a_primed_pipeline_knows_what_is_late_and_what_it_has_stored(sink):
    async with pipeline(sink) as pipe:
        pipe.prime([fix(-1)])
        with pipe.subscribe() as news:
            await pipe.submit([fix(-1), fix(-2)])
            stored = await anext(aiter(news))
        assert (stored.fixes, stored.live) == ((fix(-2),), ())
        assert pipe.refusals == {("duplicate", "car"): 1}


async def test_a_log_that_is_sent_again_is_stored_once_however_long_it_is(sink):
    track = [fix(second) for second in range(-1_000, 0)]
    async with pipeline(sink) as pipe:
        for _ in range(3):
            await pipe.submit(track)
        assert pipe.refusals == {("duplicate", "car"): 2_000}
        assert (pipe.accepted, pipe.stored, pipe.late) == (1_000, 1_000, 0)
    assert sink.seconds() == list(range(-1_000, 0))


async def test_after_a_restart_a_backlog_that_is_sent_again_is_stored_once(sink):
    track = [fix(second) for second in range(-20, 0)]
    async with pipeline(sink) as pipe:
        await pipe.submit(track[::2])
    async with pipeline(sink) as pipe:
        pipe.prime([track[-2]])
        with pipe.subscribe() as news:
            await pipe.submit(track)
            stored = await anext(aiter(news))
        assert stored.fixes == tuple(track[1::2])
        assert stored.live == (track[-1],)
        assert pipe.refusals == {("duplicate", "car"): 10}
        assert (pipe.accepted, pipe.late) == (10, 9)
    assert sorted(sink.seconds()) == list(range(-20, 0))


async def test_a_device_that_was_forgotten_is_looked_up_in_the_history(sink):
    async with pipeline(sink, plausibility=Plausibility(devices=1)) as pipe:
        for device in ("a", "b", "a"):
            await pipe.submit([fix(-5, device=device), fix(-1, device=device)])
    assert [f.device for f in sink.fixes] == ["a", "a", "b", "b"]


async def test_what_was_stored_while_the_clock_was_ahead_does_not_freeze_its_device(sink):
    async with pipeline(sink) as pipe:
        pipe.prime([fix(86_400), fix(-9)])
        await pipe.submit([fix(-8)])
        assert pipe.latest == {"car": fix(-8)}


@given(
    st.lists(st.lists(st.integers(-20, 70), max_size=6), max_size=6),
    st.sets(st.integers(-30, 0)),
    st.integers(1, 8),
)
def test_in_any_order_each_fix_is_stored_once_and_the_live_position_never_goes_back(
    batches, before, remembered
):
    async def watched():
        sink, live = MemorySink(), []
        sink.append(FixColumns.from_fixes(fix(second) for second in before))
        checks = Plausibility(remembered=remembered)
        async with pipeline(sink, plausibility=checks, batch_seconds=0.001) as pipe:
            pipe.prime(fix(second) for second in sorted(before)[-1:])
            with pipe.subscribe() as news:
                for batch in batches:
                    await pipe.submit([fix(second) for second in batch])
                news.close()
                async for came in news:
                    live += [(f.time - NOW) // SECOND for f in came.live]
        assert len(sink.fixes) - len(before) == pipe.stored == pipe.accepted
        return sink.seconds(), live

    kept, live = asyncio.run(watched())
    said = {second for batch in batches for second in batch if second <= 60}
    assert sorted(kept) == sorted(said | before)
    new = kept[len(before) :]
    assert live == [n for i, n in enumerate(new) if n > max([*new[:i], *before], default=-99)]


async def test_a_slow_watcher_loses_the_oldest_and_holds_up_nobody(sink):
    async with pipeline(sink) as pipe:
        with pipe.subscribe(size=2) as slow:
            for second in range(-5, 0):
                await pipe.submit([fix(second)])
            await until(lambda: slow.lost == 3)
            slow.close()
            assert [stored.fixes for stored in [s async for s in slow]] == [(fix(-2),), (fix(-1),)]


async def test_a_sink_that_fails_is_tried_again_and_nothing_is_lost(sink):
    sink.failures = 2
    async with pipeline(sink) as pipe:
        await pipe.submit([fix(-2)])
        await pipe.submit([fix(-1)])
        assert pipe.sink_failures == 2
        assert not pipe.is_failing
    assert sink.seconds() == [-2, -1]


async def test_it_says_that_the_sink_fails_until_it_takes_the_batch(sink):
    sink.failures = 10**9
    async with pipeline(sink) as pipe:
        submission = asyncio.create_task(pipe.submit([fix(-2)]))
        await until(lambda: pipe.is_failing)
        assert not pipe.has_stopped
        sink.failures = 0
        await submission
        assert not pipe.is_failing
    assert pipe.has_stopped


async def test_the_latest_of_a_device_is_on_disk(sink):
    async with pipeline(sink) as pipe:
        await pipe.submit([fix(-2)])
        sink.asked.clear()
        sink.open.clear()
        submission = asyncio.create_task(pipe.submit([fix(-1)]))
        await until(sink.asked.is_set)
        assert pipe.latest == {"car": fix(-2)}
        sink.open.set()
        await submission
        assert pipe.latest == {"car": fix(-1)}


async def test_while_the_sink_is_slow_there_is_no_room(sink):
    sink.open.clear()
    async with pipeline(sink, max_waiting=2) as pipe:
        pipe.take([fix(-3), fix(-2)])
        blocked = asyncio.create_task(pipe.submit([fix(-1)]))
        await until(sink.asked.is_set)
        assert pipe.waiting == 2
        sink.open.set()
        await blocked
    assert sink.seconds() == [-3, -2, -1]


async def test_stopping_writes_what_was_accepted(sink):
    async with pipeline(sink, batch_seconds=3600) as pipe:
        pipe.take([fix(-2), fix(-1)])
    assert sink.seconds() == [-2, -1]
    with pytest.raises(Unavailable, match="has stopped"):
        pipe.take([fix()])


async def test_stopping_gives_the_sink_another_chance(sink):
    sink.failures = 1
    async with pipeline(sink, batch_seconds=3600) as pipe:
        pipe.take([fix()])
    assert sink.seconds() == [0]


async def test_stopping_with_a_sink_that_keeps_failing_says_how_much_is_not_on_disk(sink):
    sink.failures = 10**9
    pipe = pipeline(sink, drain_seconds=0)
    await pipe.__aenter__()
    submission = asyncio.create_task(pipe.submit([fix(-2), fix(-1)]))
    await until(lambda: pipe.sink_failures > 0)
    with pytest.raises(Unavailable, match="2 fixes are not on disk"):
        await pipe.__aexit__(None, None, None)
    with pytest.raises(Unavailable):
        await submission


async def test_when_the_writer_dies_whoever_waits_is_told(sink):
    pipe = pipeline(sink)
    await pipe.__aenter__()
    with pytest.raises(ValueError, match="fast"):
        await pipe.submit([replace(fix(-2), speed_mps="fast")])
    with pytest.raises(Unavailable, match="has stopped"):
        await pipe.submit([fix(-1)])
    with pytest.raises(ValueError, match="fast"):
        await pipe.__aexit__(None, None, None)


async def test_the_limits_are_those_of_the_checks_it_is_given(sink):
    async with pipeline(sink, plausibility=Plausibility(max_future_s=600)) as pipe:
        await pipe.submit([fix(500)])
    assert sink.seconds() == [500]
