"""Many traces over several processes that share one network mapped from its file."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from geo_policing.errors import InvalidInput, Unavailable
from geo_policing.matching.match import Match
from geo_policing.matching.matcher import Matcher
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.roads import Access, RoadNetwork

#: Columns of a trace, as `Matcher.match` takes them.
NEEDED = ("t_s", "lon", "lat")
COLUMNS = (*NEEDED, "speed_mps", "course_deg", "accuracy_m")

#: Fixes handed to a process at a time: what it costs to hand them over is then small beside matching them.
_FIXES = 8000
#: The first part is this small, each after it twice as large, so that few traces are shared out too.
_FIRST = 500
#: Traces, at most: of those of a few fixes each.
_TRACES = 64
#: Such parts under way for each process, so that none waits, nor traces pile up.
_AHEAD = 3

#: The matcher of a process of the pool.
_own: list[Matcher] = []


def match_many(
    matcher: Matcher, traces: Iterable[Mapping[str, ArrayLike]], *, workers: int = 1
) -> Iterator[Match | InvalidInput]:
    """Match many traces, in processes that share the network and its table.

    Processes are started anew (``spawn``): a script that asks for more than one has its work under
    ``if __name__ == "__main__":``. Only a few traces more than are worked on are read ahead.

    Parameters
    ----------
    matcher : Matcher
        On a network that was loaded from its file, if workers is more than 1.
    traces : iterable of mapping
        Columns by name, each (n,), as `Matcher.match` takes them: t_s, lon, lat[, speed_mps, course_deg,
        accuracy_m].
    workers : int
        Processes; with 1 it is done in this one.

    Yields
    ------
    Match or InvalidInput
        For each trace, in the order of the traces; why it cannot be matched, if it cannot.

    Raises
    ------
    InvalidInput
        If workers is not positive, or the network has no file.
    Unavailable
        If a process ends before its work, or the file of the network has been replaced.
    """
    if workers < 1:
        raise InvalidInput(f"workers is {workers}; give 1 or more", field="workers", value=workers)
    if workers == 1:
        return (_one(matcher, trace) for trace in traces)
    if matcher.network.path is None:
        raise InvalidInput(
            "processes share a network through its file, and this one has none; save it, and make the "
            "matcher of RoadNetwork.load",
            field="workers",
            value=workers,
        )
    return _spread(matcher, matcher.network.path, traces, workers)


def _spread(
    matcher: Matcher, roads: Path, traces: Iterable[Mapping[str, ArrayLike]], workers: int
) -> Iterator[Match | InvalidInput]:
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        _open,
        (roads, matcher.parameters, matcher.access),
    )
    under_way: deque[Future[list[Match | InvalidInput]]] = deque()
    try:
        for part in _parts(traces):
            under_way.append(pool.submit(_match, part, matcher.key))
            if len(under_way) > _AHEAD * workers:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    except BrokenProcessPool as error:
        raise Unavailable(
            f"a process that matched ended before its work ({error}); is there memory for {workers}?"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _parts(traces: Iterable[Mapping[str, ArrayLike]]) -> Iterator[list[Mapping[str, ArrayLike]]]:
    """Cut the row of traces into parts of about as many fixes."""
    part: list[Mapping[str, ArrayLike]] = []
    fixes, most = 0, _FIRST
    for trace in traces:
        part.append(trace)
        fixes += int(np.size(trace.get("t_s", ())))
        if fixes >= most or len(part) == _TRACES:
            yield part
            part, fixes, most = [], 0, min(2 * most, _FIXES)
    if part:
        yield part


def _open(roads: Path, parameters: MatcherParameters, access: Access | None) -> None:
    """Make the matcher of a process, once."""
    # An interrupt reaches the process that asked, which ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _own[:] = [Matcher(RoadNetwork.load(roads), parameters, access=access)]


def _match(part: list[Mapping[str, ArrayLike]], key: str) -> list[Match | InvalidInput]:
    (matcher,) = _own
    if matcher.key != key:
        raise Unavailable(f"{matcher.network.path} was replaced while it was in use; load it again")
    return [_one(matcher, trace) for trace in part]


def _one(matcher: Matcher, trace: Mapping[str, ArrayLike]) -> Match | InvalidInput:
    missing = [name for name in NEEDED if name not in trace]
    unknown = [name for name in trace if name not in COLUMNS]
    if missing or unknown:
        says = f"no column {', '.join(missing)}" if missing else f"unknown column {', '.join(unknown)}"
        return InvalidInput(f"{says}; a trace has {', '.join(COLUMNS)}", field=(missing + unknown)[0])
    try:
        return matcher.match(
            *(trace["t_s"], trace["lon"], trace["lat"]),
            speed_mps=trace.get("speed_mps"),
            course_deg=trace.get("course_deg"),
            accuracy_m=trace.get("accuracy_m"),
        )
    except InvalidInput as error:
        return error
