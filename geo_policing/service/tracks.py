"""Tracks out of the history: the fixes of a device in a window, matched to the roads when asked."""

import logging
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from geo_policing.errors import InvalidTimeWindow, NotFound, Unavailable
from geo_policing.matching import Matcher, match_track
from geo_policing.model import TimeWindow, Track
from geo_policing.roads import RoadNetwork
from geo_policing.store import FixStore, Records

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one question may ask for at most."""

    window: timedelta = timedelta(days=7)


class Tracks:
    """Answers ``where was it``; safe to use from several threads.

    Parameters
    ----------
    store : FixStore
        The history.
    records : Records
        Knows the devices.
    roads : Path or None
        The road network; without one, tracks come unmatched and say why.
    limits : Limits
        What one question may ask for.
    """

    def __init__(
        self, store: FixStore, records: Records, roads: Path | None, limits: Limits | None = None
    ) -> None:
        self._store, self._records, self._roads = store, records, roads
        self._limits = limits or Limits()
        self._matcher: Matcher | None = None
        self._loading = threading.Lock()

    @property
    def has_roads(self) -> bool:
        """Whether there is a road network to match to."""
        return self._roads is not None

    def matcher(self) -> Matcher:
        """Return the matcher on the city's roads, loaded when first needed.

        Raises
        ------
        Unavailable
            If there is no road network.
        """
        with self._loading:
            if self._matcher is None:
                if self._roads is None:
                    raise Unavailable(
                        "no road network to match to; make one with `geo-policing import-roads SRC -o "
                        "city.roads`, put it into the data folder, or ask with match=false"
                    )
                self._matcher = Matcher(RoadNetwork.load(self._roads))
            return self._matcher

    def track(self, device: str, window: TimeWindow, *, match: bool) -> Track:
        """Return where a device was in a window.

        Raises
        ------
        NotFound
            If nobody knows the device.
        InvalidTimeWindow
            If the window is longer than one question may ask for.
        Unavailable
            If it is to be matched and there is no road network.
        """
        if window.end - window.start > self._limits.window:
            raise InvalidTimeWindow(
                f"the window is longer than {self._limits.window.days} days; ask for several shorter ones",
                field="datetime",
                value=f"{window.start.isoformat()}/{window.end.isoformat()}",
            )
        fixes = self._store.window(device, window)
        if not len(fixes):
            try:
                self._records.devices.get(device)
            except NotFound:
                raise NotFound("device", device) from None
        if not match:
            return Track(device, window, fixes)
        return match_track(self.matcher(), device, window, fixes)
