"""Who is signed in and what they may do: passwords, sessions, roles, and how often one may guess.

May import: model, geodesy. What it keeps goes through ``AccountBook`` and ``SessionBook``, which the store
implements and the service hands over.
"""

from geo_policing.access.access import Access, SignedIn
from geo_policing.access.books import AccountBook, SessionBook
from geo_policing.access.passwords import Passwords
from geo_policing.access.throttle import Throttle
from geo_policing.model import Account, Role

__all__ = [
    "Access",
    "Account",
    "AccountBook",
    "Passwords",
    "Role",
    "SessionBook",
    "SignedIn",
    "Throttle",
]
