"""Fixes to the path on the roads.

May import: roads and below.
"""
