"""Folium maps that need no internet.

May import: model, geodesy.
"""

from geo_policing.maps.assets import assets_folder
from geo_policing.maps.offline import offline, remote_loads, render

__all__ = ["assets_folder", "offline", "remote_loads", "render"]
