"""Users, roles, passwords and sessions.

May import: model, geodesy.
"""
