"""Where a suspect went, from a few sightings, and how sure that is.

May import: matching and below.
"""

from geo_policing.tracks.containment import Gate, GateKind, Passing, containment, gates_of
from geo_policing.tracks.fit import information_bits, leave_one_out
from geo_policing.tracks.holding import Arrival, Held, Holding, UnitAt
from geo_policing.tracks.movement import Mode, MovementModel
from geo_policing.tracks.reconstruct import reconstruct
from geo_policing.tracks.reconstruction import Occupancy, Path, Reconstruction
from geo_policing.tracks.speeds import Speeds

__all__ = [
    "Arrival",
    "Gate",
    "GateKind",
    "Held",
    "Holding",
    "Mode",
    "MovementModel",
    "Occupancy",
    "Passing",
    "Path",
    "Reconstruction",
    "Speeds",
    "UnitAt",
    "containment",
    "gates_of",
    "information_bits",
    "leave_one_out",
    "reconstruct",
]
