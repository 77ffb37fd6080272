"""The nouns all rooms share, valid once made, with their GeoJSON and Arrow forms.

May import: errors.
"""

from geo_policing.model.account import Account, Role
from geo_policing.model.bbox import BoundingBox
from geo_policing.model.device import Device, DeviceKind
from geo_policing.model.fix import Fix, FixColumns
from geo_policing.model.halt import Halt
from geo_policing.model.incident import Incident, IncidentState, Severity
from geo_policing.model.instant import format_instant, from_us, parse_instant, to_us
from geo_policing.model.sighting import Sighting, SightingKind, Watch
from geo_policing.model.sighting_rows import geojson_rows, read_rows
from geo_policing.model.track import PathPiece, Track
from geo_policing.model.unit import Unit, UnitStatus
from geo_policing.model.window import TimeWindow

__all__ = [
    "Account",
    "BoundingBox",
    "Device",
    "DeviceKind",
    "Fix",
    "FixColumns",
    "Halt",
    "Incident",
    "IncidentState",
    "PathPiece",
    "Role",
    "Severity",
    "Sighting",
    "SightingKind",
    "TimeWindow",
    "Track",
    "Unit",
    "UnitStatus",
    "Watch",
    "format_instant",
    "from_us",
    "geojson_rows",
    "parse_instant",
    "read_rows",
    "to_us",
]
