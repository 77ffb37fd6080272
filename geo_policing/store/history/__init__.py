"""The days of the history: those being written, in DuckDB (`hot`), and those sealed in Parquet, all the rest.

Of these the manifest of their files, how they are made, read, checked and deleted. `FixStore` is the way in.
"""
