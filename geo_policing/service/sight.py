"""Who sees which devices where they are now.

Positions of community corrections serve corrections alone (Community Corrections Law, article 29): no role of
the police sees them, administrators included, and who is here for corrections sees them and nobody else.
"""

from collections.abc import Mapping
from enum import StrEnum

from geo_policing.model import DeviceKind, Role

#: Kinds of devices whose positions no detective may ask for.
EXCLUDED = frozenset({DeviceKind.CORRECTIONS})


class Sight(StrEnum):
    """Whom the live city is told to."""

    POLICE = "police"
    CORRECTIONS = "corrections"


def sight_of(role: Role) -> Sight:
    """Return what a role sees of the live city."""
    return Sight.CORRECTIONS if role is Role.CORRECTIONS else Sight.POLICE


def seen_by(kind: DeviceKind) -> Sight:
    """Return who sees a device of a kind."""
    return Sight.CORRECTIONS if kind in EXCLUDED else Sight.POLICE


def note_of(named: Mapping[str, DeviceKind], others: bool) -> list[str]:
    """Return what an answer says of devices that were left out.

    It does not depend on where they were: that somebody was there would be told of their positions.

    Parameters
    ----------
    named : mapping of str to DeviceKind
        The devices that were asked for by name.
    others : bool
        Whether there are devices that no search may find, whoever was asked for.
    """
    left_out = sorted(name for name, kind in named.items() if kind in EXCLUDED)
    why = "positions of community corrections serve corrections alone (Community Corrections Law, article 29)"
    if left_out:
        some = ", ".join(left_out[:5]) + (" …" if len(left_out) > 5 else "")
        return [f"not searched: {some}; {why}; ask the corrections office"]
    return [f"devices of community corrections are in no search: {why}"] if others and not named else []
