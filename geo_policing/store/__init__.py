"""What is kept: fixes (the history) in DuckDB; records (devices, units, incidents) through SQLAlchemy.

May import: model, geodesy.
"""

from geo_policing.store.fixes import FixStore
from geo_policing.store.records import Records, StateChange

__all__ = ["FixStore", "Records", "StateChange"]
