"""Work beside the requests: done as long as the service runs, and seen when it fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from geo_policing.errors import GeoPolicingError

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

#: How long work that ends by itself may take to end.
ENDING_S = 5.0


class Chores:
    """Work beside the requests, by name. For one event loop.

    A step that fails is logged and named in `troubles` until the next one succeeds; work that has ended
    before it should is named there for good.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failing: set[str] = set()

    @property
    def troubles(self) -> list[str]:
        """Names of what failed the last time, or does not run any more."""
        return sorted(self._failing | {name for name, task in self._running.items() if task.done()})

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Do one step of some work; it failing ends neither the work nor the service."""
        try:
            yield
        except GeoPolicingError as error:
            log.warning("%s failed: %s", name, error)
            self._failing.add(name)
        except Exception:
            log.exception("%s failed", name)
            self._failing.add(name)
        else:
            self._failing.discard(name)

    @asynccontextmanager
    async def beside(
        self, name: str, work: Coroutine[Any, Any, None], *, ends: bool = False
    ) -> AsyncIterator[None]:
        """Do something until this ends.

        Parameters
        ----------
        name : str
            What it is, for the log and for `troubles`.
        work : coroutine
            What is done.
        ends : bool
            Whether it ends by itself then, and is waited for; it is cancelled otherwise.
        """
        task = self._running[name] = asyncio.create_task(work, name=name)
        task.add_done_callback(_log_death)
        try:
            yield
        finally:
            if ends:
                await asyncio.wait({task}, timeout=ENDING_S)
            if not task.done():
                if ends:
                    log.error("%s did not end by itself", name)
                task.cancel()
                await asyncio.wait({task})
            del self._running[name]


async def to_its_end(work: Callable[..., Answer], *arguments: Any) -> Answer:
    """Do something in a thread; when cancelled let it end first, for what it works on is closed then."""
    step = asyncio.ensure_future(run_in_threadpool(work, *arguments))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait({step})
        if not step.cancelled() and (error := step.exception()) is not None:
            log.warning("%s failed while the service stopped: %s", work.__name__, error)
        raise


def _log_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s has died", task.get_name(), exc_info=error)
