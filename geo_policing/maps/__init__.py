"""Folium maps that need no internet.

May import: model, geodesy.
"""
