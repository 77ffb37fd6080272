"""Fixes to the path on the roads.

May import: roads and below.
"""

from geo_policing.matching.matcher import Match, Matcher, MatcherParameters, Piece

__all__ = ["Match", "Matcher", "MatcherParameters", "Piece"]
