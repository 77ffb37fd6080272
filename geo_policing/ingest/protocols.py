"""The protocols that receivers may speak: a new one is one file beside this and one line in PROTOCOLS."""

from collections.abc import Callable
from typing import Protocol

from geo_policing.ingest import nmea0183
from geo_policing.model import Fix


class Decoder(Protocol):
    """Bytes in, fixes out; never raises on what it is fed and does no I/O."""

    def feed(self, chunk: bytes, received_at: int = 0) -> list[Fix]:
        """Take in bytes, received at microseconds of UTC; return the fixes that are complete."""

    def flush(self, received_at: int = 0) -> list[Fix]:
        """Return the fixes still being told: the stream has ended or is quiet."""


#: Makes the decoder of a connection from the device id of those that do not say who they are.
PROTOCOLS: dict[str, Callable[[str], Decoder]] = {"nmea0183": nmea0183.Decoder}
