"""Coordinates: CGCS2000 = WGS 84, the local plane, H3 over arrays, GCJ-02 and BD-09.

May import: kernels, model.
"""

from geo_policing.geodesy.cells import cells
from geo_policing.geodesy.plane import LocalPlane

__all__ = ["LocalPlane", "cells"]
