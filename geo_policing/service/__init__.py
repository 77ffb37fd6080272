"""FastAPI: app.py wires, dependencies, problems, hub, routers.

May import: every room.
"""
