"""The road network: import, edge index, routing.

May import: geodesy and below.
"""

from geo_policing.roads.index import EdgeIndex
from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork

__all__ = ["Access", "EdgeFlag", "EdgeIndex", "RoadClass", "RoadNetwork"]
