"""What a process does for ``geo-policing match-day``: one range of the devices of a day, and where.

Processes of this machine, or the workers of a Dask scheduler, import this; what they are told is small, what
they find they write themselves.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import geo_policing
from geo_policing.errors import Conflict, InvalidInput, Unavailable
from geo_policing.matching import Matcher, MatcherParameters
from geo_policing.matching.table import NEEDED, match_table
from geo_policing.roads import Access, RoadNetwork
from geo_policing.store.history import matched, ranges
from geo_policing.store.history.layout import digest

#: How long the answer of a scheduler is waited for.
WAIT_S = 10.0
#: How the address of a scheduler begins.
SCHEMES = ("tcp://", "tls://")


@dataclass(frozen=True, slots=True)
class Roads:
    """What is matched on.

    Parameters
    ----------
    path : Path
        File of the network.
    sha256 : str
        Digest of it.
    access : Access or None
        Who travels.
    parameters : MatcherParameters
        What the model believes.
    """

    path: Path
    sha256: str
    access: Access | None
    parameters: MatcherParameters


@dataclass(frozen=True, slots=True)
class Work:
    """What the ranges of a day have in common.

    Parameters
    ----------
    folder : Path
        Where the matched day is.
    plan : Plan
        What it follows.
    sealed : tuple of Path
        Files of the fixes by device.
    roads : Roads
        What is matched on.
    without : tuple of str
        Devices that are not matched.
    version : str
        Of this package.
    """

    folder: Path
    plan: matched.Plan
    sealed: tuple[Path, ...]
    roads: Roads
    without: tuple[str, ...] = ()
    version: str = geo_policing.__version__


#: The matcher of this process, and what it is of.
_own: dict[Roads, Matcher] = {}
_turn = threading.Lock()


def matcher_of(roads: Roads) -> Matcher:
    """Return the matcher of this process; made once, by whichever thread is first."""
    with _turn:
        if roads not in _own:
            if digest(roads.path) != roads.sha256:
                raise Conflict(
                    f"{roads.path} on {socket.gethostname()} is another file than where the work began; "
                    "give every machine the same one and start again"
                )
            _own.clear()
            network = RoadNetwork.load(roads.path)
            _own[roads] = Matcher(network, roads.parameters, access=roads.access)
        return _own[roads]


def match_range(work: Work, index: int) -> None:
    """Match the devices of a range and write what was found; what hinders it is said with the machine."""
    here = socket.gethostname()
    if work.version != geo_policing.__version__:
        raise Conflict(
            f"{here} has geo-policing {geo_policing.__version__}, where the work began is {work.version}; "
            "install the same on all"
        )
    try:
        if not work.folder.is_dir():
            raise Unavailable(
                f"{here} does not see {work.folder}; a worker needs the folders of the history, of the roads "
                "and of what is matched under the paths that they have where the work began (shared storage)"
            )
        matched.check(work.folder, work.plan)
        matcher = matcher_of(work.roads)
        fixes = ranges.read(work.sealed, work.plan.ranges[index], NEEDED)
        said: dict[str, Any] = {}
        if work.without:
            fixes = fixes.filter(pc.invert(pc.is_in(fixes.column("device"), pa.array(work.without))))
            # Fewer than the plan has.
            said = {"devices": len(pc.unique(fixes.column("device"))), "fixes": len(fixes)}
        found = match_table(matcher, fixes)
        said |= {"refused": found.refused, "unmatched": list(found.unmatched), "edges": len(found.edges)}
        matched.write(work.folder, work.plan, index, found.edges, said)
    except OSError as error:
        raise Unavailable(
            f"{error.filename or work.folder} on {here}: {error.strerror or error}; check the path, its "
            "permissions and the disk"
        ) from None


def spread(work: Work, wanted: list[int], workers: str) -> Iterator[int]:
    """Match ranges of a day, here, in processes of this machine, or on the workers of a Dask scheduler.

    Parameters
    ----------
    work : Work
        The day.
    wanted : list of int
        Numbers of the ranges.
    workers : str
        A number of processes, or the address of a scheduler: ``tcp://host:port`` or ``tls://host:port``.

    Yields
    ------
    int
        Numbers of ranges, as they are done.

    Raises
    ------
    InvalidInput
        If workers is neither.
    Unavailable
        If the scheduler or its workers cannot be reached, or a worker does not see the folders.
    Conflict
        If the day was begun anew meanwhile, or a worker has other roads or another version.
    """
    count = processes(workers)
    if count == 1:
        for index in wanted:
            match_range(work, index)
            yield index
    elif wanted:
        with _cluster(workers) if count is None else _processes(count) as executor:
            yield from _shared_out(executor, work, wanted)


def processes(workers: str) -> int | None:
    """Return how many processes of this machine are asked for; None for the address of a scheduler.

    Raises
    ------
    InvalidInput
        If it is neither.
    """
    if workers.startswith(SCHEMES):
        return None
    count = int(workers) if workers.isascii() and workers.isdigit() else 0
    if count < 1:
        raise InvalidInput(
            f"--workers {workers!r} is neither a number of processes, from 1, nor the address of a Dask "
            "scheduler, like tcp://10.0.0.5:8786",
            field="workers",
            value=workers,
        )
    return count


def _shared_out(executor: Executor, work: Work, wanted: list[int]) -> Iterator[int]:
    under_way = {executor.submit(match_range, work, index): index for index in wanted}
    try:
        for future in as_completed(under_way):
            future.result()
            yield under_way[future]
    finally:
        for future in under_way:
            future.cancel()


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    """Share out to processes of this machine, by pipes that nobody else can write to."""
    start = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, start, _end_with_parent) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise Unavailable(
                f"a process that matched ended before its work ({error}); is there memory for {count}?"
            ) from None


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however that was."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt reaches the process that asked

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    """Share out to the workers of a Dask scheduler."""
    import distributed

    with _silent("distributed"), distributed.Client(address, timeout=WAIT_S, set_as_default=False) as client:
        try:
            yield client.get_executor(pure=False, retries=0)
        except distributed.KilledWorker as error:
            raise Unavailable(f"workers of {address} ended before their work: {error}") from None
        except CancelledError:
            raise Unavailable(f"the Dask scheduler at {address} has gone; start again") from None


@contextmanager
def _silent(library: str) -> Iterator[None]:
    """Keep a library from logging to standard error; what it would say there is raised as well."""
    logger = logging.getLogger(library)
    before, logger.handlers = logger.handlers, [logging.NullHandler()]
    try:
        yield
    finally:
        logger.handlers = before


def check_workers(workers: str) -> None:
    """See that there is who is to do the work.

    Raises
    ------
    InvalidInput
        If workers is neither a number nor an address.
    Unavailable
        If no scheduler is there, or none that has workers.
    """
    if processes(workers) is not None:
        return
    try:
        from distributed import Security, rpc
    except ImportError:
        raise Unavailable(
            "Dask is not installed here; pip install 'geo-policing[cluster]', on every machine"
        ) from None

    async def ask() -> dict[str, Any]:
        # A client that fails to connect leaves threads behind; this does not.
        args = Security().get_connection_args("client")
        async with rpc(workers, timeout=WAIT_S, connection_args=args) as whoever:
            return await asyncio.wait_for(whoever.identity(), WAIT_S)

    try:
        said = asyncio.run(ask())
    except (OSError, TypeError) as error:
        raise Unavailable(
            f"no Dask scheduler answers at {workers} ({_line(error)}); start one with `dask scheduler`, and "
            f"`dask worker {workers}` on every machine"
        ) from None
    except ValueError as error:
        raise InvalidInput(
            f"--workers {workers!r} is no address ({_line(error)}); write it like tcp://10.0.0.5:8786",
            field="workers",
            value=workers,
        ) from None
    if said["type"] != "Scheduler":
        raise InvalidInput(
            f"{workers} is the address of a Dask {said['type'].lower()}; give that of the scheduler",
            field="workers",
            value=workers,
        )
    if not said["workers"]:
        raise Unavailable(
            f"the Dask scheduler at {workers} has no workers; start `dask worker {workers}` on every machine"
        )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no answer that is understood"
