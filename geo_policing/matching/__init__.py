"""Fixes to the path on the roads.

May import: roads and below.
"""

from geo_policing.matching.alternatives import Alternative
from geo_policing.matching.batch import match_many
from geo_policing.matching.match import Match, Piece
from geo_policing.matching.matcher import Matcher
from geo_policing.matching.one_trace import match
from geo_policing.matching.online import OnlineMatcher, Places
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.matching.track import match_track

__all__ = [
    "Alternative",
    "Match",
    "Matcher",
    "MatcherParameters",
    "OnlineMatcher",
    "Piece",
    "Places",
    "match",
    "match_many",
    "match_track",
]
