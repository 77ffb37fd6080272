"""The detectives' searches: pure questions to a history, each with its exact definition in its docstring.

They read the history through `History`; who may ask, and that it is recorded, is the service's business.
"""

from geo_policing.tracks.searches.area import Area
from geo_policing.tracks.searches.company import Companion, companions
from geo_policing.tracks.searches.footholds import Foothold, footholds
from geo_policing.tracks.searches.history import History
from geo_policing.tracks.searches.lines import Passage, passages
from geo_policing.tracks.searches.presence import (
    Presence,
    collision,
    first_entry,
    frequent,
    night_activity,
    presences,
    vanished,
)

__all__ = [
    "Area",
    "Companion",
    "Foothold",
    "History",
    "Passage",
    "Presence",
    "collision",
    "companions",
    "first_entry",
    "footholds",
    "frequent",
    "night_activity",
    "passages",
    "presences",
    "vanished",
]
