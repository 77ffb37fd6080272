"""The road network: import, edge index, routing.

May import: geodesy and below.
"""

from geo_policing.roads.index import EdgeIndex
from geo_policing.roads.network import Access, EdgeFlag, RoadClass, RoadNetwork
from geo_policing.roads.report import Report
from geo_policing.roads.routing import Reach, Route, reachable, route

__all__ = [
    "Access",
    "EdgeFlag",
    "EdgeIndex",
    "Reach",
    "Report",
    "RoadClass",
    "RoadNetwork",
    "Route",
    "reachable",
    "route",
]
