"""The sample city: an invented city on the frame of a real one, its traffic, receivers and incidents.

May import: roads and below.
"""
