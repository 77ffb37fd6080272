"""Ctrl-C and SIGTERM end long work in good order; asked a second time, they end it at once."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def until_done_or_stopped(*work: Coroutine[Any, Any, None]) -> bool:
    """Do all at once until all is done, or a signal asks to stop: then what is not done is cancelled.

    Returns
    -------
    bool
        Whether it was stopped.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        stopped.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(each) for each in work]

    async def finished() -> None:
        await asyncio.gather(*tasks)

    first = {asyncio.create_task(finished()), asyncio.create_task(_asked(stopped))}
    try:
        done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return stopped.is_set()
    finally:
        for task in (*tasks, *first):
            task.cancel()
        await asyncio.wait({*tasks, *first})


async def _asked(stopped: asyncio.Event) -> None:
    await stopped.wait()
