"""Where bytes come from: each transport hands every line it opens to a `Carry`, silence as an empty chunk.

A transport knows nothing of protocols. It reads the next chunk only when the one before has been carried,
so a reader that is slow slows its own socket. Silence is told once (``b""``) and never ends a line.
"""

from geo_policing.ingest.transports.base import QUIET_S, Carry, Origin, Transport, running
from geo_policing.ingest.transports.file import FileSource
from geo_policing.ingest.transports.serial import SerialPort
from geo_policing.ingest.transports.tcp_client import TcpClient
from geo_policing.ingest.transports.tcp_listener import TcpListener
from geo_policing.ingest.transports.udp import UdpListener

__all__ = [
    "QUIET_S",
    "Carry",
    "FileSource",
    "Origin",
    "SerialPort",
    "TcpClient",
    "TcpListener",
    "Transport",
    "UdpListener",
    "running",
]
