"""Commands that read the tracks of many: recorded before they read, and however they end."""

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from geo_policing.errors import GeoPolicingError
from geo_policing.service.searches import new_key, plain
from geo_policing.store import Look, Records
from geo_policing.store.searches import KeptSearch

_LONGEST = 2000  # characters of a question or a reason why it ended that are kept


@dataclass(slots=True)
class Outcome:
    """What has come of a command: of how many devices tracks were found."""

    devices: int = 0


@contextmanager
def recorded(
    records: Records,
    *,
    command: str,
    case: str,
    reason: str,
    question: dict[str, Any],
    window_us: tuple[int, int],
) -> Iterator[Outcome]:
    """Record who reads tracks, why and for which case, before anything is read, and what comes of it.

    There are two entries in the record of looks: that it begins, which stays when the process is killed, and
    how it ended, in one transaction with the entry among the searches (of the case where there is one).

    Parameters
    ----------
    records : Records
        Where it is recorded.
    command : str
        What is called, like ``match-day``.
    case, reason : str
        Number of the case, empty for the upkeep of the system; and what it is for.
    question : dict
        All that was asked.
    window_us : (int, int)
        The time whose fixes are read, half open, microseconds of UTC.

    Raises
    ------
    Unavailable
        If it cannot be recorded: before, then nothing is read.
    """
    asked_us = time.time_ns() // 1_000
    account = getpass.getuser()
    why = f"case {case}: {reason}" if case else reason
    said = plain(f"geo-policing {command} ({why})")[:_LONGEST]
    look = Look(asked_us, account, "command line", "", f"{said}: begun", 0, None, *window_us)
    records.looks.add(look)
    outcome, problem = Outcome(), None
    try:
        yield outcome
    except GeoPolicingError as error:
        problem = str(error)
        raise
    except BaseException as error:
        problem = "it was ended by who asked" if isinstance(error, KeyboardInterrupt) else "it failed"
        raise
    finally:
        kept = KeptSearch(
            *(new_key(), case, reason, account, look.role, "", asked_us, command, plain(question)),
            found=outcome.devices,
            told=outcome.devices,
            problem=None if problem is None else plain(problem)[:_LONGEST],
        )
        ended = "ended" if problem is None else "refused or stopped"
        now_us = time.time_ns() // 1_000
        look = replace(look, at_us=now_us, question=f"{said}: {ended}", rows=outcome.devices)
        records.searches.add(kept, None, look)
