"""What a search is run on."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from geo_policing.matching import Matcher
from geo_policing.model import FixColumns, TimeWindow
from geo_policing.roads import Access, RoadNetwork
from geo_policing.roads.times import RoadTimes
from geo_policing.tracks.searches import History
from geo_policing.tracks.turns import Turns


class Ground(Protocol):
    """The roads, and the tracks of devices on them."""

    def network(self) -> RoadNetwork:
        """Return the roads; Unavailable without any."""

    def road_times(self) -> RoadTimes:
        """Return the least times by road of a car."""

    def turns(self, access: Access | None) -> Turns:
        """Return the turns that these travellers may drive."""

    def matcher_of(self, device: str) -> Matcher:
        """Return the matcher on the roads that what carries a device may use."""

    def fixes(self, device: str, window: TimeWindow) -> FixColumns:
        """Return the fixes of a device in a window, by time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search is run on.

    Parameters
    ----------
    history : History
        Where to look.
    zone : tzinfo
        Whose clock tells night from day.
    ground : Ground
        The roads, and the tracks on them.
    """

    history: History
    zone: tzinfo
    ground: Ground
