"""What a search is run on."""

from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any, Protocol

from geo_policing.matching import Matcher
from geo_policing.model import DeviceKind, Halt
from geo_policing.roads import Access, RoadNetwork
from geo_policing.roads.times import RoadTimes
from geo_policing.tracks.inquiry.areas import area_of
from geo_policing.tracks.searches import Area, History
from geo_policing.tracks.searches.on_roads import OnRoads
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

    def matcher(self, kind: DeviceKind) -> Matcher:
        """Return the matcher on the roads that such a device may use."""


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
    halt : Halt
        Says when the search must end, and hears how far it is.
    """

    history: History
    zone: tzinfo
    ground: Ground
    halt: Halt = field(default_factory=Halt)

    def along_roads(self) -> "Asked":
        """Return the same, with devices that move along the roads between their fixes."""
        on_roads = OnRoads(self.history, self.ground.matcher(DeviceKind.UNKNOWN), self.halt)
        return replace(self, history=on_roads)

    def area(self, given: dict[str, Any], field: str = "area") -> Area:
        """Return the area that JSON says, along the roads as well."""
        return area_of(given, field, self.ground.network)
