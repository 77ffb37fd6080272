"""The detectives' searches as people ask them: a question as JSON says it, results and evidence as GeoJSON.

`SEARCHES` is the table of them all; a new search is one entry there. Who may ask, and that it is recorded, is
the business of who calls.
"""

from geo_policing.tracks.inquiry.answer import Evidence, document
from geo_policing.tracks.inquiry.areas import area_of, line_of
from geo_policing.tracks.inquiry.ground import Asked, Ground
from geo_policing.tracks.inquiry.permitted import Permitted
from geo_policing.tracks.inquiry.questions import Question
from geo_policing.tracks.inquiry.table import SEARCHES, Search

__all__ = [
    "SEARCHES",
    "Asked",
    "Evidence",
    "Ground",
    "Permitted",
    "Question",
    "Search",
    "area_of",
    "document",
    "line_of",
]
