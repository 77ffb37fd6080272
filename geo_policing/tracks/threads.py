"""Several things at once, in threads, that can be ended together."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

#: The thread that waits for the others looks so often, seconds, whether all of it shall end.
LOOK_S = 0.05


class _Stopped(Exception):
    """All of it shall end."""


def each(
    work: Sequence[Callable[[Callable[[], None]], T]], workers: int, tick: Callable[[], None]
) -> list[T]:
    """Do several things and return what each gives, in their order.

    Parameters
    ----------
    work : sequence of callable
        Each calls what it is given now and then, and lets pass what that raises.
    workers : int
        In how many threads; with one, in this.
    tick : callable
        Called now and then, always in this thread; what it raises ends all of it.

    Raises
    ------
    Exception
        What ``tick`` raises, or the first of the things that fails.
    """
    if workers <= 1 or len(work) <= 1:
        return [one(tick) for one in work]
    stop = threading.Event()

    def go_on() -> None:
        if stop.is_set():
            raise _Stopped

    with ThreadPoolExecutor(min(workers, len(work))) as threads:
        running = [threads.submit(one, go_on) for one in work]
        try:
            waiting = set(running)
            while waiting:
                waiting = wait(waiting, timeout=LOOK_S).not_done
                tick()
        except BaseException:
            stop.set()
            raise
        return [one.result() for one in running]


def in_one(work: Callable[[], T]) -> Callable[[Callable[[], None]], T]:
    """Make of something that cannot be ended within what `each` does: it is ended before."""

    def run(tick: Callable[[], None]) -> T:
        tick()
        return work()

    return run


@contextmanager
def beside(
    work: Callable[[Callable[[], None]], T], workers: int, tick: Callable[[], None]
) -> Iterator[Callable[[], T]]:
    """Do something in a thread of its own while the body of a ``with`` does other things.

    Parameters
    ----------
    work : callable
        Called with what it shall call now and then; it lets pass what that raises, as when the body fails.
    workers : int
        With one there is no other thread: it is done when its result is asked for.
    tick : callable
        Called now and then, always in this thread, while the result is waited for; what it raises ends it.

    Yields
    ------
    callable
        Waits for the result and returns it, or raises what went wrong.
    """
    if workers <= 1:
        yield lambda: work(tick)
        return
    stop = threading.Event()

    def go_on() -> None:
        if stop.is_set():
            raise _Stopped

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(work, go_on)

        def result() -> T:
            while not running.done():
                wait([running], timeout=LOOK_S)
                tick()
            return running.result()

        try:
            yield result
        finally:
            stop.set()
