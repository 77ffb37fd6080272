"""Folium maps that need no internet.

May import: model, geodesy.
"""

from geo_policing.maps.assets import assets_folder
from geo_policing.maps.basemap import Basemap
from geo_policing.maps.exports import export_track
from geo_policing.maps.live import live_map
from geo_policing.maps.offline import offline, remote_loads, render
from geo_policing.maps.page import CityMap
from geo_policing.maps.points import fixes_map, incident_map
from geo_policing.maps.reconstructions import reconstruction_map
from geo_policing.maps.searches import search_map
from geo_policing.maps.tracks import track_map

__all__ = [
    "Basemap",
    "CityMap",
    "assets_folder",
    "export_track",
    "fixes_map",
    "incident_map",
    "live_map",
    "offline",
    "reconstruction_map",
    "remote_loads",
    "render",
    "search_map",
    "track_map",
]
