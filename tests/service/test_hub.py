import asyncio

import orjson
import pytest

from geo_policing.service.hub import Hub


@pytest.fixture
def hub():
    return Hub(lambda: {"whole": True}, keep=10, queue=5)


def said(event):
    return orjson.loads(event.data)


async def events(watcher, n):
    return [await asyncio.wait_for(watcher.next(), 5) for _ in range(n)]


async def test_a_newcomer_gets_a_snapshot_and_then_what_changes(hub):
    hub.publish("units", {"n": 1})
    with hub.watch() as watcher:
        hub.publish("units", {"n": 2})
        first, second = await events(watcher, 2)
    assert (first.kind, said(first)) == ("snapshot", {"whole": True})
    assert (second.kind, said(second)) == ("units", {"n": 2})


async def test_who_comes_back_gets_exactly_what_it_missed(hub):
    seen = hub.publish("units", {"n": 1})
    hub.publish("units", {"n": 2})
    hub.publish("incident", {"n": 3})
    with hub.watch(seen.id) as watcher:
        assert [said(e)["n"] for e in await events(watcher, 2)] == [2, 3]


async def test_who_comes_back_having_missed_nothing_gets_what_comes_next(hub):
    seen = hub.publish("units", {"n": 1})
    with hub.watch(seen.id) as watcher:
        hub.publish("units", {"n": 2})
        assert [said(e) for e in await events(watcher, 1)] == [{"n": 2}]


async def test_the_id_of_a_snapshot_resumes_after_it(hub):
    hub.publish("units", {"n": 1})
    with hub.watch() as watcher:
        (snapshot,) = await events(watcher, 1)
    hub.publish("units", {"n": 2})
    with hub.watch(snapshot.id) as watcher:
        assert [said(e)["n"] for e in await events(watcher, 1)] == [2]


@pytest.mark.parametrize(
    "last_id",
    [
        "",
        "x",
        "other-1",
        "other-",
        "-3",
        "RUN-99",
        "RUN--1",
        "RUN-²",
        "RUN-" + "1" * 5_000,
        "RUN-" + "0" * 60_000 + "1",
    ],
)
async def test_an_id_that_means_nothing_gets_a_snapshot(hub, last_id):
    event = hub.publish("units", {"n": 1})
    run = event.id.partition("-")[0]
    with hub.watch(last_id.replace("RUN", run)) as watcher:
        (first,) = await events(watcher, 1)
    assert first.kind == "snapshot"


async def test_who_was_away_too_long_gets_a_snapshot(hub):
    seen = hub.publish("units", {"n": 0})
    for n in range(1, 20):
        hub.publish("units", {"n": n})
    with hub.watch(seen.id) as watcher:
        (first,) = await events(watcher, 1)
    assert first.kind == "snapshot"


async def test_a_slow_watcher_loses_old_events_and_not_the_stream(hub):
    with hub.watch() as slow, hub.watch() as quick:
        await events(quick, 1)
        for n in range(50):
            hub.publish("units", {"n": n})
            assert said((await events(quick, 1))[0]) == {"n": n}
        (picture,) = await events(slow, 1)
        assert picture.kind == "snapshot"
        last = hub.publish("units", {"n": 50})
        assert await events(slow, 1) == [last]


async def test_who_watches_gets_the_same_bytes_as_everybody_else(hub):
    with hub.watch() as one, hub.watch() as other:
        hub.publish("units", {"n": 1})
        for first, second in zip(await events(one, 2), await events(other, 2), strict=True):
            assert first.data is second.data


async def test_a_snapshot_is_made_anew_after_something_has_changed():
    picture = {"n": 0}
    hub = Hub(lambda: picture)
    assert said(hub.snapshot()) == {"n": 0}
    picture["n"] = 1
    hub.publish("units", {"n": 1})
    assert said(hub.snapshot()) == {"n": 1}


async def test_a_watcher_that_has_left_is_offered_nothing(hub):
    with hub.watch() as gone:
        await events(gone, 1)
    hub.publish("units", {"n": 1})
    hub.close()
    assert await gone.next() is None


async def test_a_closed_hub_ends_every_iteration():
    hub = Hub(dict)
    with hub.watch() as watcher:
        hub.publish("units", {})
        await events(watcher, 2)
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        hub.close()
        assert await asyncio.wait_for(waiting, 5) is None
