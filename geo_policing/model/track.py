"""Tracks: the fixes of one device in a window, and the path matched to them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_policing.model.fix import FixColumns, number
from geo_policing.model.instant import format_instant
from geo_policing.model.window import TimeWindow


@dataclass(frozen=True, slots=True, eq=False)
class PathPiece:
    """A stretch of matched path, observed or inferred.

    Parameters
    ----------
    edge_ids : tuple of str
        Edges in order of travel, ids of the source.
    lon, lat : (m,) float64
        The stretch drawn, degrees.
    enter_us : (e,) int64
        When each edge was entered, microseconds of UTC.
    inferred : bool
        Whether it joins pieces across a gap by the likeliest route, with no fix on it.
    confidence : float
        Probability that the stretch was really travelled, 0 to 1; NaN unknown.
    """

    edge_ids: tuple[str, ...]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    enter_us: NDArray[np.int64]
    inferred: bool = False
    confidence: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Where one device was in a window: its fixes in order of time and, when matched, its path."""

    device: str
    window: TimeWindow
    fixes: FixColumns
    pieces: tuple[PathPiece, ...] = field(default=())

    def to_geojson(self) -> dict[str, Any]:
        """Return an RFC 7946 FeatureCollection.

        One feature ``role: fixes`` (MultiPoint with the times beside it) and one ``role: path`` a piece,
        whose ``inferred`` and ``confidence`` say how it came about.
        """
        features: list[dict[str, Any]] = []
        if len(self.fixes):
            features.append(
                {
                    "type": "Feature",
                    "geometry": {"type": "MultiPoint", "coordinates": line(self.fixes.lon, self.fixes.lat)},
                    "properties": {
                        "role": "fixes",
                        "device": self.device,
                        "times": [format_instant(us) for us in self.fixes.time.tolist()],
                        "speed_mps": [number(v, 2) for v in self.fixes.speed_mps.tolist()],
                        "accuracy_m": [number(v, 1) for v in self.fixes.accuracy_m.tolist()],
                    },
                }
            )
        features.extend(
            {
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": line(piece.lon, piece.lat)},
                "properties": {
                    "role": "path",
                    "device": self.device,
                    "inferred": piece.inferred,
                    "confidence": number(piece.confidence, 3),
                    "edges": list(piece.edge_ids),
                    "entered": [format_instant(us) for us in piece.enter_us.tolist()],
                },
            }
            for piece in self.pieces
            if len(piece.lon) > 1
        )
        return {"type": "FeatureCollection", "features": features}


def line(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> list[list[float]]:
    """Coordinates for GeoJSON, rounded to 1e-7 degrees (1 cm)."""
    return np.column_stack([lon, lat]).round(7).tolist()
