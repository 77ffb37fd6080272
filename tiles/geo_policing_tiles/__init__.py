"""The offline basemap: PMTiles of roads, water and buildings.

May import: roads and below. How it looks is in ``geo_policing.maps``.
"""

from geo_policing_tiles.build import LAYERS, build_pmtiles

__all__ = ["LAYERS", "build_pmtiles"]
