"""Users, roles and passwords.

May import: model, geodesy.
"""

from geo_policing.access.account import Account, Role, require
from geo_policing.access.passwords import Passwords

__all__ = ["Account", "Passwords", "Role", "require"]
