"""The offline basemap: PMTiles of roads, water and buildings, and their style.

May import: roads and below.
"""
