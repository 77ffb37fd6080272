"""The detectives' searches: pure questions to a history, each with its exact definition in its docstring.

They read the history through `History`; who may ask, and that it is recorded, is the service's business.
"""

from geo_policing.tracks.searches.area import Area
from geo_policing.tracks.searches.cloned import Cloned, Step, Strand, cloned
from geo_policing.tracks.searches.company import Companion, companions
from geo_policing.tracks.searches.drawn import DrawnPath
from geo_policing.tracks.searches.footholds import Foothold, footholds
from geo_policing.tracks.searches.history import History
from geo_policing.tracks.searches.itinerary import Itinerary, Leg, LegKind, itinerary
from geo_policing.tracks.searches.lines import Passage, gate, passages
from geo_policing.tracks.searches.on_roads import OnRoads, on_roads
from geo_policing.tracks.searches.overlap import Overlap, Stretch, overlap
from geo_policing.tracks.searches.presence import (
    Presence,
    collision,
    first_entry,
    frequent,
    night_activity,
    presences,
    vanished,
)
from geo_policing.tracks.searches.seen import Seen

__all__ = [
    "Area",
    "Cloned",
    "Companion",
    "DrawnPath",
    "Foothold",
    "History",
    "Itinerary",
    "Leg",
    "LegKind",
    "OnRoads",
    "Overlap",
    "Passage",
    "Presence",
    "Seen",
    "Step",
    "Strand",
    "Stretch",
    "cloned",
    "collision",
    "companions",
    "first_entry",
    "footholds",
    "frequent",
    "gate",
    "itinerary",
    "night_activity",
    "on_roads",
    "overlap",
    "passages",
    "presences",
    "vanished",
]
