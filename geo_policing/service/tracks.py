"""Tracks out of the history: the fixes of a device in a window, matched to the roads when asked."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from geo_policing.errors import InvalidTimeWindow, NotAllowed, NotFound, Unavailable
from geo_policing.matching import Matcher, match_track
from geo_policing.model import DeviceKind, TimeWindow, Track
from geo_policing.roads import RoadNetwork
from geo_policing.roads.network import Access
from geo_policing.roads.times import RoadTimes
from geo_policing.service.once import Once
from geo_policing.service.sight import EXCLUDED
from geo_policing.store import FixStore, Records
from geo_policing.tracks.answer import fingerprint
from geo_policing.tracks.turns import Turns

log = logging.getLogger(__name__)


#: Who may use a road, by what carries the device; others, like officers who walk and drive, use any.
ACCESS = {
    DeviceKind.PATROL_CAR: Access.CAR,
    DeviceKind.TAXI: Access.CAR,
    DeviceKind.BUS: Access.CAR,
    DeviceKind.PRIVATE_CAR: Access.CAR,
    DeviceKind.E_BIKE: Access.BICYCLE,
}


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
        self._fingerprint = ""
        # Making one takes seconds on a large city; who needs another one, or none, goes on meanwhile.
        self._networks: Once[None, RoadNetwork] = Once()
        self._matchers: Once[Access | None, Matcher] = Once()
        self._turns: Once[Access | None, Turns] = Once()
        self._road_times: Once[None, RoadTimes] = Once()

    @property
    def has_roads(self) -> bool:
        """Whether there is a road network to match to."""
        return self._roads is not None

    def matcher(self, kind: DeviceKind) -> Matcher:
        """Return the matcher on the roads that such a device may use, loaded when first needed.

        Raises
        ------
        Unavailable
            If there is no road network.
        """
        access = ACCESS.get(kind)
        return self._matchers.get(access, lambda: Matcher(self.network(), access=access))

    def matcher_of(self, device: str) -> Matcher:
        """Return the matcher for a device, by what carries it as far as that is known."""
        return self.matcher(self._kind(device, known=True))

    def turns(self, access: Access | None) -> Turns:
        """Return the turns that these travellers may drive, found when first needed."""
        return self._turns.get(access, lambda: Turns.of(self.network(), access))

    def road_times(self) -> RoadTimes:
        """Return the least times by road of a car, made ready when first needed."""
        return self._road_times.get(None, lambda: RoadTimes(self.network()))

    def network(self) -> RoadNetwork:
        """Return the roads, loaded when first needed.

        Raises
        ------
        Unavailable
            If there is no road network.
        """
        return self._networks.get(None, self._load)

    def _load(self) -> RoadNetwork:
        if self._roads is None:
            raise Unavailable(
                "no road network to match to; make one with `geo-policing import-roads SRC -o "
                "city.roads`, put it into the data folder, or ask with match=false"
            )
        self._fingerprint = fingerprint(self._roads)
        return RoadNetwork.load(self._roads)

    def roads_fingerprint(self) -> str:
        """SHA-256 of the file of the roads when they were loaded; empty before."""
        return self._fingerprint

    def track(self, device: str, window: TimeWindow, *, match: bool) -> Track:
        """Return where a device was in a window.

        Raises
        ------
        NotFound
            If nobody knows the device.
        NotAllowed
            If it is of community corrections.
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
        kind = self._kind(device, known=len(fixes) > 0)
        if kind in EXCLUDED:
            raise NotAllowed(
                f"device {device!r} is of community corrections, and its positions serve corrections alone; "
                "ask the corrections office"
            )
        if not match:
            return Track(device, window, fixes)
        return match_track(self.matcher(kind), device, window, fixes)

    def _kind(self, device: str, *, known: bool) -> DeviceKind:
        """Return what carries a device; one of which there are fixes need not be admitted any longer."""
        try:
            return self._records.devices.get(device).kind
        except NotFound:
            if known:
                return DeviceKind.UNKNOWN
            raise
