"""What is kept: fixes (the history) in DuckDB.

May import: model, geodesy.
"""

from geo_policing.store.fixes import FixStore

__all__ = ["FixStore"]
