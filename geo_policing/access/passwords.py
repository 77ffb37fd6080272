"""Passwords: argon2id (RFC 9106) hashes, and the same work for a name that does not exist."""

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from geo_policing.errors import InvalidInput

MIN_LENGTH = 12
MAX_LENGTH = 256


class Passwords:
    """Hashes and checks passwords with the parameters of one hasher."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash("no account has this hash")

    def hash(self, password: str) -> str:
        """Hash a new password.

        Raises
        ------
        InvalidInput
            If it is shorter than 12 or longer than 256 characters; the password is not in the error.
        """
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise InvalidInput(
                f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters, this one {len(password)}",
                field="password",
            )
        return self._hasher.hash(password)

    def matches(self, hashed: str | None, password: str) -> bool:
        """Whether the password is the hashed one; None, for an unknown account, costs the same and fails."""
        try:
            self._hasher.verify(hashed or self._nobody, password[: MAX_LENGTH + 1])
        except VerifyMismatchError:
            return False
        return hashed is not None

    def outdated(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters and should be made again at sign-in."""
        return self._hasher.check_needs_rehash(hashed)
