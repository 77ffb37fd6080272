import asyncio

import pytest

from geo_policing.service.hub import Hub


@pytest.fixture
def hub():
    return Hub(lambda: {"whole": True}, keep=10, queue=5)


async def events(watcher, n):
    return [await asyncio.wait_for(watcher.next(), 5) for _ in range(n)]


async def test_a_newcomer_gets_a_snapshot_and_then_what_changes(hub):
    hub.publish("units", {"n": 1})
    with hub.watch() as watcher:
        hub.publish("units", {"n": 2})
        first, second = await events(watcher, 2)
    assert (first.kind, first.data) == ("snapshot", {"whole": True})
    assert (second.kind, second.data) == ("units", {"n": 2})


async def test_who_comes_back_gets_exactly_what_it_missed(hub):
    seen = hub.publish("units", {"n": 1})
    hub.publish("units", {"n": 2})
    hub.publish("incident", {"n": 3})
    with hub.watch(seen.id) as watcher:
        assert [e.data["n"] for e in await events(watcher, 2)] == [2, 3]


async def test_the_id_of_a_snapshot_resumes_after_it(hub):
    hub.publish("units", {"n": 1})
    with hub.watch() as watcher:
        (snapshot,) = await events(watcher, 1)
    hub.publish("units", {"n": 2})
    with hub.watch(snapshot.id) as watcher:
        assert [e.data["n"] for e in await events(watcher, 1)] == [2]


@pytest.mark.parametrize("last_id", ["", "x", "other-1", "other-", "-3", "RUN-99", "RUN--1", "RUN-²"])
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
            assert (await events(quick, 1))[0].data == {"n": n}
        (picture,) = await events(slow, 1)
        assert picture.kind == "snapshot"
        last = hub.publish("units", {"n": 50})
        assert await events(slow, 1) == [last]


async def test_a_watcher_that_leaves_is_forgotten(hub):
    with hub.watch():
        assert hub.watchers == 1
    assert hub.watchers == 0


async def test_a_closed_hub_ends_every_iteration():
    hub = Hub(dict)
    with hub.watch() as watcher:
        hub.publish("units", {})
        waiting = asyncio.create_task(collect(watcher))
        await asyncio.sleep(0)
        hub.close()
        assert [event.kind for event in await waiting] == ["snapshot", "units"]


async def collect(watcher):
    return [event async for event in watcher]
