"""Where on the roads the units are: the matcher of the live city."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.matching import Matcher, OnlineMatcher, Places
from geo_policing.model import DeviceKind, Fix, format_instant
from geo_policing.service.tracks import ACCESS, Tracks

if TYPE_CHECKING:
    from geo_policing.roads.network import Access

#: Devices that there is room for at first; it doubles when there are more.
ROOM = 256
#: Who has been silent for so long is forgotten, 1.3 KB each; looked for so often. Seconds.
SILENT_S, SWEEP_S = 86_400.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Matched:
    """The place on the roads that a device likeliest was at.

    Parameters
    ----------
    edge : str
        Id of the source of the roads.
    road : str or None
        Name of the road.
    offset_m : float
        How far along the edge, metres.
    lon, lat : float
        That place, degrees WGS 84.
    distance_m : float
        How far the fix was from it, metres.
    time : int
        Of that fix, microseconds of UTC.
    """

    edge: str
    road: str | None
    offset_m: float
    lon: float
    lat: float
    distance_m: float
    time: int

    def as_json(self) -> dict[str, Any]:
        """Members for JSON, rounded to what they mean."""
        return {
            "edge": self.edge,
            "road": self.road,
            "offset_m": round(self.offset_m, 1),
            "lon": round(self.lon, 7),
            "lat": round(self.lat, 7),
            "distance_m": round(self.distance_m, 1),
            "time": format_instant(self.time),
        }


class LiveMatcher:
    """Matches fixes of all devices, each to the roads that its kind may use; for one thread at a time.

    Parameters
    ----------
    tracks : Tracks
        Has the roads, and a matcher for each kind of device; they are loaded when the first of it is heard.
    clock : callable
        Returns seconds that grow.
    """

    def __init__(self, tracks: Tracks, clock: Callable[[], float] = time.monotonic) -> None:
        self._tracks, self._clock = tracks, clock
        self._travellers: dict[Access | None, _Travellers] = {}
        self._among: dict[str, _Travellers] = {}
        self._told: dict[str, Matched | None] = {}
        self._heard_s: dict[str, float] = {}
        self._swept_s = clock()

    def match(self, fixes: Sequence[Fix], kinds: Mapping[str, DeviceKind]) -> dict[str, Matched | None]:
        """Take fixes of any devices and return those whose place on the roads is another now.

        Parameters
        ----------
        fixes : sequence of Fix
            Those of each device in order of time; one that is older than another before is passed over.
        kinds : mapping
            What carries each of the devices. One that is carried by something else than before starts anew.

        Returns
        -------
        dict
            By device its place; None where there is none: no road is near, the newest fix is likeliest an
            outlier, or the device was silent for a day and is forgotten.
        """
        by_access: dict[Access | None, list[Fix]] = {}
        for fix in fixes:
            by_access.setdefault(ACCESS.get(kinds[fix.device]), []).append(fix)
        changed: dict[str, Matched | None] = {}
        now_s = self._clock()
        self._heard_s.update(dict.fromkeys(kinds, now_s))
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            changed |= self._forget(now_s - SILENT_S)
        for access, theirs in by_access.items():
            devices = list(dict.fromkeys(fix.device for fix in theirs))
            if access not in self._travellers:
                self._travellers[access] = _Travellers(self._tracks.matcher(kinds[devices[0]]))
            travellers = self._travellers[access]
            for device in devices:
                before = self._among.get(device, travellers)
                if before is not travellers:
                    before.forget(device)
                self._among[device] = travellers
            for device, place in zip(devices, travellers.feed(theirs, devices), strict=True):
                if self._told.get(device) != place:
                    changed[device] = self._told[device] = place
        return changed

    def _forget(self, before_s: float) -> dict[str, Matched | None]:
        """Forget the devices that were last heard before a moment; return those that have lost their place.

        They begin anew when they come back.
        """
        lost: dict[str, Matched | None] = {}
        for device in [device for device, heard_s in self._heard_s.items() if heard_s < before_s]:
            del self._heard_s[device]
            if self._told.pop(device, None) is not None:
                lost[device] = None
            if (travellers := self._among.pop(device, None)) is not None:
                travellers.forget(device)
        return lost


class _Travellers:
    """The devices that may use the same roads, by their numbers in the matcher."""

    def __init__(self, matcher: Matcher) -> None:
        self._online = OnlineMatcher(matcher, ROOM)
        self._number: dict[str, int] = {}
        self._free: list[int] = []

    def feed(self, fixes: Sequence[Fix], devices: Sequence[str]) -> list[Matched | None]:
        """Take fixes of some devices and return where each of these is."""
        for device in devices:
            if device not in self._number:
                self._number[device] = self._free.pop() if self._free else len(self._number)
        room = self._online.n_devices
        while room < len(self._number):
            room *= 2
        if room > self._online.n_devices:
            self._online.grow(room)
        self._online.feed(
            np.array([self._number[fix.device] for fix in fixes], np.int64),
            np.array([fix.time for fix in fixes], np.int64) / 1e6,
            _column(fixes, "lon"),
            _column(fixes, "lat"),
            speed_mps=_column(fixes, "speed_mps"),
            course_deg=_column(fixes, "course_deg"),
            accuracy_m=_column(fixes, "accuracy_m"),
        )
        return self._read(self._online.now(np.array([self._number[d] for d in devices], np.int64)))

    def forget(self, device: str) -> None:
        """Take a device out; another may get its number."""
        if device in self._number:
            number = self._number.pop(device)
            self._online.finish(np.array([number], np.int64))
            self._free.append(number)

    def _read(self, now: Places) -> list[Matched | None]:
        network = self._online.matcher.network
        time_us = np.rint(np.nan_to_num(now.time_s) * 1e6).astype(np.int64)
        columns = (now.edge, now.offset_m, now.lon, now.lat, now.distance_m, time_us)
        ids = network.edge_ids
        return [
            Matched(ids[edge], network.name_of(edge) or None, *place) if edge >= 0 else None
            for edge, *place in zip(*(column.tolist() for column in columns), strict=True)
        ]


def _column(fixes: Sequence[Fix], name: str) -> NDArray[np.float64]:
    return np.array([getattr(fix, name) for fix in fixes], np.float64)
