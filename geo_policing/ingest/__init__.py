"""Transports to protocols to pipeline: from bytes on a wire to fixes on disk; incident files.

May import: model, geodesy.
"""
