"""Finished days, sealed in Parquet: the manifest of their files, how they are made, checked and deleted.

`FixStore` is the way in; what is here knows nothing of the days that are still being written.
"""
