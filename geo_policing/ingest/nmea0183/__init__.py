"""NMEA 0183 4.1x: bytes in, fixes out, no I/O.

`framing` finds sentences between whatever else a line carries and verifies them; `sentences` reads their
fields; `epoch` gathers the sentences of one instant of one receiver into a fix; `Decoder` is all three.
"""

from geo_policing.ingest.nmea0183.decoder import Decoder

__all__ = ["Decoder"]
