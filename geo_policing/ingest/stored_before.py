"""Late fixes that the history has already: a backlog that is sent again, a log that is read twice."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import numpy as np

from geo_policing.model import Fix, FixColumns, TimeWindow, from_us

DAY_US = 86_400_000_000


class History(Protocol):
    """What has been stored."""

    def pages(self, device: str, window: TimeWindow) -> Iterable[FixColumns]:
        """Return the fixes of a device in a window of time, some at once."""


def stored_before(history: History, batch: Sequence[Fix], doubtful: Collection[int]) -> list[int]:
    """Return which fixes of a batch are in the history already, or in the batch before.

    Parameters
    ----------
    history : History
        What has been stored.
    batch : sequence of Fix
        What is to be stored.
    doubtful : collection of int
        Which of the batch are looked for: those too old to be remembered.
    """
    days: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for index in doubtful:
        days[batch[index].device, batch[index].time // DAY_US].append(batch[index].time)
    seen: set[tuple[str, int, float, float]] = set()
    for (device, _), times in days.items():
        # No more than a day at once: a fix of last year must not read the year.
        for stored in history.pages(device, TimeWindow(from_us(min(times)), from_us(max(times) + 1))):
            asked_for = stored.take(np.isin(stored.time, times))
            places = zip(asked_for.time.tolist(), asked_for.lon.tolist(), asked_for.lat.tolist(), strict=True)
            seen.update((device, *place) for place in places)
    devices, asked, found = {device for device, _ in days}, set(doubtful), []
    for index, fix in enumerate(batch):
        if fix.device in devices:
            place = (fix.device, fix.time, fix.lon, fix.lat)
            if index in asked and place in seen:
                found.append(index)
            seen.add(place)
    return found
