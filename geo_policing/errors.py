"""Every exception the package raises on purpose.

::

    GeoPolicingError
    ├── InvalidInput              a value that cannot be used: says field, value and remedy
    │   ├── InvalidTimeWindow
    │   ├── InvalidBoundingBox
    │   ├── InvalidCoordinates    outside the earth, outside the city, or in the wrong system
    │   ├── InvalidGeometry
    │   ├── OffTheRoads           sightings with no road near that who travels so may use: says which
    │   └── InvalidFile           a file of the wrong kind, truncated, or with bad rows
    ├── NotFound                  no such device, incident, unit …
    ├── Conflict                  true but impossible now
    │   ├── IllegalTransition     a state that may not follow the present one
    │   └── Cancelled             somebody has ended the work
    ├── TookTooLong               work that took longer than it may: says how far it came
    ├── AccessDenied
    │   ├── NotSignedIn           no session, or the name or password is wrong
    │   ├── TooManyAttempts       guessing is slowed: says how long to wait
    │   └── NotAllowed            signed in, but the role or authorisation is missing
    └── Unavailable               the machine does not let us: port in use, no permission, disk full

A library caller catches the narrowest that it can mend. Only ``service/problems.py`` knows which
HTTP status each one becomes, and only ``cli`` which exit code.
"""


class GeoPolicingError(Exception):
    """Anything this package raises on purpose."""


class InvalidInput(GeoPolicingError):
    """A value that cannot be used.

    Parameters
    ----------
    message : str
        What is wrong and what to do, in one line.
    field : str, optional
        The parameter, column or option that held the value.
    value : object, optional
        The value as it was given.
    """

    def __init__(self, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.field = field
        self.value = value


class InvalidTimeWindow(InvalidInput):
    """A window of time without offset, without end, or upside down."""


class InvalidBoundingBox(InvalidInput):
    """A bounding box with other than four finite numbers, off the earth, or with swapped corners."""


class InvalidCoordinates(InvalidInput):
    """Coordinates that are not finite, off the earth, or far from where they are meant to be."""


class InvalidGeometry(InvalidInput):
    """A geometry that is empty, crosses itself, or is of the wrong type."""


class OffTheRoads(InvalidInput):
    """Sightings that are near no road, or none that who travels so may use.

    Parameters
    ----------
    message, field, value
        As of `InvalidInput`, of the first of them that is certain, or the first.
    sightings : tuple of int
        The numbers of all of them, in order of time.
    """

    def __init__(self, message: str, *, field: str, value: object, sightings: tuple[int, ...]) -> None:
        super().__init__(message, field=field, value=value)
        self.sightings = sightings


class InvalidFile(InvalidInput):
    """A file of the wrong kind, cut short, or with rows that cannot be read."""


class NotFound(GeoPolicingError):
    """What was asked for by its id does not exist."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"no {kind} {key!r}")
        self.kind = kind
        self.key = key


class Conflict(GeoPolicingError):
    """A request that is well formed but cannot be carried out as things stand."""


class IllegalTransition(Conflict):
    """A state that may not follow the present one."""

    def __init__(self, present: str, wanted: str, allowed: tuple[str, ...]) -> None:
        follow = ", ".join(allowed) if allowed else "nothing, it is a final state"
        super().__init__(f"'{wanted}' may not follow '{present}'; what may follow: {follow}")
        self.present = present
        self.wanted = wanted
        self.allowed = allowed


class Cancelled(Conflict):
    """Work that somebody has ended: who or what, and what to do."""


class TookTooLong(GeoPolicingError):
    """Work that took longer than it may.

    Parameters
    ----------
    limit_s : float
        How long it may take.
    done : str
        How far it had come; empty where it has not said.
    remedy : str
        What to do.
    """

    def __init__(self, limit_s: float, done: str = "", remedy: str = "ask for less at once") -> None:
        so_far = f" (done by then: {done})" if done else ""
        super().__init__(f"it took longer than {limit_s:g} s and was ended{so_far}; {remedy}")
        self.limit_s = limit_s
        self.done = done


class AccessDenied(GeoPolicingError):
    """Somebody may not do this."""


class NotSignedIn(AccessDenied):
    """No session, one that has expired, or a name or password that is wrong."""


class TooManyAttempts(AccessDenied):
    """Too many failed sign-ins; ``wait_s`` says after how many seconds the next may be tried."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many failed sign-ins; wait {wait_s} s and try again")
        self.wait_s = wait_s


class NotAllowed(AccessDenied):
    """Signed in, but without the role or authorisation that this needs."""


class Unavailable(GeoPolicingError):
    """The machine does not let us: a port in use, no permission, a full disk, a missing program."""
