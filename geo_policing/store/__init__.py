"""What is kept: fixes (the history) in DuckDB; records through SQLAlchemy.

Records are devices, units, incidents, accounts, sessions and who looked at the past.

May import: model, geodesy.
"""

from geo_policing.store.fixes import FixStore
from geo_policing.store.incidents import StateChange
from geo_policing.store.looks import Look
from geo_policing.store.records import Records, open_records

__all__ = ["FixStore", "Look", "Records", "StateChange", "open_records"]
