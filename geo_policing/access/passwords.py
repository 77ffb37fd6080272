"""Passwords: argon2id (RFC 9106) hashes, and the same work for a name that does not exist."""

import os
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from geo_policing.errors import InvalidInput

MIN_LENGTH = 12
MAX_LENGTH = 256


class Passwords:
    """Hashes and checks passwords with the parameters of one hasher. Safe to use from several threads."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("no account has this hash")
        # Each takes 64 MiB by default: a crowd signing in waits its turn instead of filling the memory.
        self._turns = threading.BoundedSemaphore(os.cpu_count() or 1)

    def hash(self, password: str) -> str:
        """Hash a new password.

        Raises
        ------
        InvalidInput
            If it is shorter than 12 or longer than 256 characters, or has characters that cannot be typed;
            the password is not in the error.
        """
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidInput(
                f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, this one {len(password)}",
                field="password",
            )
        if not password.isprintable():
            raise InvalidInput(
                "a password has no control characters, this one has; type it again", field="password"
            )
        return self.renew(password)

    def renew(self, password: str) -> str:
        """Hash a password again that matched, even if it would no longer be taken as a new one."""
        with self._turns:
            return self._hasher.hash(password)

    def matches(self, hashed: str | None, password: str) -> bool:
        """Whether the password is the hashed one; whatever fails costs the same.

        Parameters
        ----------
        hashed : str or None
            The stored hash; None for an unknown account. One that is damaged matches nothing.
        password : str
            Any string: no password is made with more than 256 characters or with surrogates, so those fail.
        """
        secret = password[: MAX_LENGTH + 1].encode("utf-8", "surrogatepass")
        with self._turns:
            if hashed is not None and hashed.isascii():
                try:
                    return self._hasher.verify(hashed, secret)
                except VerifyMismatchError:
                    return False
                except (VerificationError, InvalidHashError):
                    pass  # damaged: refused below, after the work
            self._refuse(secret)
        return False

    def _refuse(self, secret: bytes) -> None:
        """Do the work of a check that fails."""
        try:
            self._hasher.verify(self._nobody, secret)
        except VerifyMismatchError:
            return

    def outdated(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters and should be made again at sign-in."""
        return self._hasher.check_needs_rehash(hashed)
