"""Fixes (history) in DuckDB, records (incidents, units, devices, accounts) through SQLAlchemy.

May import: model, geodesy.
"""
