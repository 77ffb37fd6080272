"""Users, roles, passwords, and how often one may guess.

May import: model, geodesy.
"""

from geo_policing.access.account import Account, Role, require
from geo_policing.access.passwords import Passwords
from geo_policing.access.throttle import Throttle

__all__ = ["Account", "Passwords", "Role", "Throttle", "require"]
