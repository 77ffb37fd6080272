"""The history of one device to its track: fixes with the path they were matched to."""

import numpy as np

from geo_policing.matching.matcher import Matcher
from geo_policing.model import FixColumns, PathPiece, TimeWindow, Track


def match_track(matcher: Matcher, device: str, window: TimeWindow, fixes: FixColumns) -> Track:
    """Match the fixes of one device.

    Parameters
    ----------
    matcher : Matcher
        With the roads, and who may use them.
    device : str
        Id of the device.
    window : TimeWindow
        What was asked for.
    fixes : FixColumns
        Fixes of that device in that window; sorted by time here if they are not.

    Returns
    -------
    Track
        Its pieces start and end where the fixes say, within edges; none if there is no fix near a road.

    Raises
    ------
    InvalidInput
        If a position is not finite.
    """
    if (np.diff(fixes.time) < 0).any():
        fixes = fixes.take(np.argsort(fixes.time, kind="stable"))
    if len(fixes) == 0:
        return Track(device, window, fixes)
    epoch_us = int(fixes.time[0])
    match = matcher.match(
        (fixes.time - epoch_us) / 1e6,
        fixes.lon,
        fixes.lat,
        speed_mps=fixes.speed_mps,
        course_deg=fixes.course_deg,
        accuracy_m=fixes.accuracy_m,
    )
    ids = matcher.network.edge_ids
    pieces = []
    for piece in match.pieces:
        lon, lat = piece.drawn(matcher.network)
        pieces.append(
            PathPiece(
                edge_ids=tuple(ids[e] for e in piece.edges.tolist()),
                lon=lon,
                lat=lat,
                enter_us=epoch_us + np.rint(piece.enter_s * 1e6).astype(np.int64),
                inferred=piece.inferred,
                confidence=piece.confidence,
            )
        )
    return Track(device, window, fixes, tuple(pieces))
