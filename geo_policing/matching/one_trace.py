"""One trace matched in one call, from whatever holds its fixes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from geo_policing.errors import InvalidInput
from geo_policing.matching.match import Match
from geo_policing.matching.matcher import Matcher
from geo_policing.matching.parameters import MatcherParameters
from geo_policing.model import FixColumns
from geo_policing.roads import Access, RoadNetwork

NEEDED, OPTIONAL = ("t", "lon", "lat"), ("speed_mps", "course_deg", "accuracy_m")


def match(
    network: RoadNetwork,
    fixes: FixColumns | pd.DataFrame | Mapping[str, Any],
    *,
    parameters: MatcherParameters | None = None,
    access: Access | None = None,
) -> Match:
    """Match one trace to the roads.

    It makes a `Matcher`, which takes as long as some thousand traces: who has several makes one of his own.

    Parameters
    ----------
    network : RoadNetwork
        The roads.
    fixes : FixColumns, DataFrame or mapping
        n fixes of one device in order of time. Columns of shape (n,): ``t`` seconds, ``lon``, ``lat`` degrees
        WGS 84; optional ``speed_mps``, ``course_deg`` clockwise from north, ``accuracy_m`` 1 sigma; NaN where
        unknown. Other columns are not looked at. The time of FixColumns becomes seconds since 1970.
    parameters : MatcherParameters, optional
        What the model believes.
    access : Access, optional
        Who travels: only edges that one of these may use are considered; every edge when not given.

    Returns
    -------
    Match
        After P. Newson and J. Krumm, "Hidden Markov Map Matching Through Noise and Sparseness", 2009, with
        what docs/matching.md adds to it.

    Raises
    ------
    InvalidInput
        If a column is missing, not numeric or of another length, a time or position is not finite or off the
        earth, or time runs backward.
    """
    if isinstance(fixes, FixColumns):
        columns: dict[str, Any] = {name: getattr(fixes, name) for name in (*NEEDED[1:], *OPTIONAL)}
        columns["t"] = fixes.time / 1e6
    else:
        columns = {name: fixes[name] for name in (*NEEDED, *OPTIONAL) if name in fixes}
        for name in NEEDED:
            if name not in columns:
                raise InvalidInput(f"fixes have no column {name}; give t, lon and lat", field=name)
    return Matcher(network, parameters, access=access).match(columns.pop("t"), **columns, weigh_edges=True)
