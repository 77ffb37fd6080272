"""Many traces over several threads, which match on one network at the same time."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from geo_policing.errors import InvalidInput
from geo_policing.matching.match import Match
from geo_policing.matching.matcher import Matcher
from geo_policing.matching.trace import Trace

#: Columns of a trace, as `Matcher.match` takes them.
NEEDED = ("t_s", "lon", "lat")
COLUMNS = (*NEEDED, "speed_mps", "course_deg", "accuracy_m")

#: Fixes that a thread matches in one call: what is Python about it, which only one thread does at a time, is
#: then small beside what all do at the same time.
_FIXES = 4000
#: The first part is this small, each after it twice as large, so that few traces are shared out too.
_FIRST = 500
#: Traces, at most: of those of a few fixes each.
_TRACES = 64
#: Such parts under way for each thread, so that none waits, nor traces pile up.
_AHEAD = 3


def match_many(
    matcher: Matcher, traces: Iterable[Mapping[str, ArrayLike]], *, workers: int = 1
) -> Iterator[Match | InvalidInput]:
    """Match many traces, in threads that share the network and its table.

    Only a few traces more than are worked on are read ahead.

    Parameters
    ----------
    matcher : Matcher
        On the network that all traces are matched to.
    traces : iterable of mapping
        Columns by name, each (n,), as `Matcher.match` takes them: t_s, lon, lat[, speed_mps, course_deg,
        accuracy_m].
    workers : int
        Threads; with 1 it is done in the one that asks.

    Yields
    ------
    Match or InvalidInput
        For each trace, in the order of the traces; why it cannot be matched, if it cannot.

    Raises
    ------
    InvalidInput
        If workers is not positive.
    """
    if workers < 1:
        raise InvalidInput(f"workers is {workers}; give 1 or more", field="workers", value=workers)
    if workers == 1:
        return (found for part in _parts(traces) for found in _match(matcher, part))
    return _spread(matcher, traces, workers)


def _spread(
    matcher: Matcher, traces: Iterable[Mapping[str, ArrayLike]], workers: int
) -> Iterator[Match | InvalidInput]:
    pool = ThreadPoolExecutor(workers, "match")
    under_way: deque[Future[list[Match | InvalidInput]]] = deque()
    try:
        for part in _parts(traces):
            under_way.append(pool.submit(_match, matcher, part))
            if len(under_way) > _AHEAD * workers:
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _parts(traces: Iterable[Mapping[str, ArrayLike]]) -> Iterator[list[Mapping[str, ArrayLike]]]:
    """Cut the row of traces into parts of about as many fixes."""
    part: list[Mapping[str, ArrayLike]] = []
    fixes, most = 0, _FIRST
    for trace in traces:
        part.append(trace)
        fixes += _size(trace)
        if fixes >= most or len(part) == _TRACES:
            yield part
            part, fixes, most = [], 0, min(2 * most, _FIXES)
    if part:
        yield part


def _size(trace: Mapping[str, ArrayLike]) -> int:
    try:
        return int(np.size(trace.get("t_s", ())))
    except ValueError:
        # Rows of several lengths; refused when it is checked.
        return 1


def _match(matcher: Matcher, part: list[Mapping[str, ArrayLike]]) -> list[Match | InvalidInput]:
    checked = [_checked(trace) for trace in part]
    matches = iter(matcher.match_together([trace for trace in checked if isinstance(trace, Trace)]))
    return [next(matches) if isinstance(trace, Trace) else trace for trace in checked]


def _checked(trace: Mapping[str, ArrayLike]) -> Trace | InvalidInput:
    missing = [name for name in NEEDED if name not in trace]
    unknown = [name for name in trace if name not in COLUMNS]
    if missing or unknown:
        says = f"no column {', '.join(missing)}" if missing else f"unknown column {', '.join(unknown)}"
        return InvalidInput(f"{says}; a trace has {', '.join(COLUMNS)}", field=(missing + unknown)[0])
    try:
        return Trace.checked(
            *(trace["t_s"], trace["lon"], trace["lat"]),
            *(trace.get("speed_mps"), trace.get("course_deg"), trace.get("accuracy_m")),
        )
    except InvalidInput as error:
        return error
