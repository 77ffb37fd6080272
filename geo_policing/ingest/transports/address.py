"""``HOST:PORT`` as people write it."""

from geo_policing.errors import InvalidInput


def parse_address(text: str, field: str = "address") -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, of ``[HOST]:PORT`` where the host has colons, or ``:PORT``.

    Parameters
    ----------
    text : str
        Without a host, it is 127.0.0.1.
    field : str
        What an error calls it.

    Raises
    ------
    InvalidInput
        If there is no port, it is none, or the host is no name.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise InvalidInput(
            f"{field} {text!r} does not end in a port of 0 to 65535; write HOST:PORT, such as 127.0.0.1:7001",
            field=field,
            value=text,
        )
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        right = (":" in bare) == (bare != host) and bool(bare.encode("idna") or not host)
    except UnicodeError:
        right = False
    if not right:
        raise InvalidInput(
            f"{field} {text!r} has no right host; write a name, an address, or an IPv6 address in brackets",
            field=field,
            value=text,
        )
    return bare or "127.0.0.1", int(port)
