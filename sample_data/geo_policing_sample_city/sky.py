"""The satellites above the city, on circular orbits: which stand how high, minute by minute."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MU = 3.986004418e14
EARTH_RATE = 7.2921151467e-5
EARTH_M = 6_378_137.0
#: Talker: radius of the orbit (m), inclination (deg), planes, satellites a plane, phasing, first number.
#: The Walker constellations of the interface documents; who stands where in them is invented.
ORBITS = {
    "GP": (26_560e3, 55.0, 6, 5, 0.4, 1),
    "GL": (25_510e3, 64.8, 3, 8, 0.33, 65),
    "GA": (29_600e3, 56.0, 3, 8, 0.33, 1),
    "GB": (27_906e3, 55.0, 3, 8, 0.33, 19),
}
GEO_RADIUS_M = 42_164e3
#: BeiDou's geostationary satellites by number, degrees east.
GEO_LON_DEG = {1: 140.0, 2: 80.0, 3: 110.5, 4: 160.0, 5: 58.75}
#: BeiDou's inclined geosynchronous ones, degrees east of the middle of their figure of eight.
IGSO_LON_DEG = {6: 118.0, 7: 118.0, 8: 118.0, 9: 95.0, 10: 95.0, 13: 95.0, 16: 112.0}
LOWEST_DEG = 8.0


@dataclass(frozen=True, slots=True)
class Satellite:
    """A satellite in view: its number, elevation and azimuth in whole degrees."""

    number: int
    elevation_deg: int
    azimuth_deg: int


def satellites(lon: float, lat: float, time_s: float) -> dict[str, list[Satellite]]:
    """Satellites in view by talker (GP, GL, GA, GB), the highest first.

    Parameters
    ----------
    lon, lat : float
        Where one stands, degrees.
    time_s : float
        Seconds of UTC since 1970.
    """
    view = {}
    for talker, (radius_m, incline_deg, planes, each, phasing, first) in ORBITS.items():
        k = np.arange(planes * each)
        plane, slot = k // each, k % each
        node = 2 * np.pi * plane / planes
        along = 2 * np.pi * (slot / each + phasing * plane / each)
        numbers = k + first
        places = [_orbit(radius_m, np.radians(incline_deg), node, along, time_s)]
        if talker == "GB":
            numbers = np.concatenate([numbers, list(GEO_LON_DEG), list(IGSO_LON_DEG)])
            places += [_geostationary(), _figures_of_eight(time_s)]
        view[talker] = _in_view(numbers, np.concatenate(places), lon, lat)
    return view


def _orbit(
    radius_m: float, incline: float, node: NDArray[np.float64], along: NDArray[np.float64], time_s: float
) -> NDArray[np.float64]:
    """(n, 3) metres in the frame that turns with the earth."""
    angle = along + np.sqrt(MU / radius_m**3) * time_s
    lon = node - EARTH_RATE * time_s
    x, y = np.cos(angle), np.sin(angle) * np.cos(incline)
    return radius_m * np.column_stack(
        [
            x * np.cos(lon) - y * np.sin(lon),
            x * np.sin(lon) + y * np.cos(lon),
            np.sin(angle) * np.sin(incline),
        ]
    )


def _geostationary() -> NDArray[np.float64]:
    lon = np.radians(list(GEO_LON_DEG.values()))
    return GEO_RADIUS_M * np.column_stack([np.cos(lon), np.sin(lon), np.zeros(len(lon))])


def _figures_of_eight(time_s: float) -> NDArray[np.float64]:
    middle = np.radians(list(IGSO_LON_DEG.values()))
    along = 2 * np.pi * np.arange(len(middle)) / 3
    # The node is where the satellite crosses the equator at the middle of its figure.
    return _orbit(GEO_RADIUS_M, np.radians(55.0), middle - along, along, time_s)


def _in_view(
    numbers: NDArray[np.int64], place_m: NDArray[np.float64], lon: float, lat: float
) -> list[Satellite]:
    a, b = np.radians(lon), np.radians(lat)
    up = np.array([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    sight = place_m - EARTH_M * up
    sight /= np.linalg.norm(sight, axis=1)[:, None]
    elevation = np.degrees(np.arcsin(sight @ up))
    azimuth = np.degrees(np.arctan2(sight @ east, sight @ np.cross(up, east))) % 360.0
    order = np.argsort(-elevation, kind="stable")
    return [
        Satellite(int(numbers[i]), int(elevation[i]), int(azimuth[i]))
        for i in order
        if elevation[i] >= LOWEST_DEG
    ]
