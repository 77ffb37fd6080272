"""Positions and incidents of a city, live and in history.

The rooms and what each may import are described in ``docs/architecture.md``; import-linter holds them.
"""

__version__ = "0.1.0"
