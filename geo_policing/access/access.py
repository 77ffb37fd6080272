"""Signing in and out, and who holds a token."""

import hashlib
import secrets
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from geo_policing.access.books import AccountBook, SessionBook
from geo_policing.access.passwords import Passwords
from geo_policing.access.throttle import Throttle
from geo_policing.errors import NotAllowed, NotSignedIn, TooManyAttempts, Unavailable
from geo_policing.model import Account, Role
from geo_policing.model.account import MAX_NAME, account_key, is_account_name

_SECOND_US = 1_000_000
_MAX_TOKEN = 128  # characters; ours have 43
_MAX_CLIENT = 128
_TOUCH_US = 60 * _SECOND_US  # a session's last use is written down once a minute, not at every request
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread from a terminal
_REFUSED = "the name or the password is wrong"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: its token (shown once, kept by nobody here), whose it is, and when it ends."""

    token: str = field(repr=False)
    account: Account
    expires_us: int


def wall_clock_us() -> int:
    """Microseconds of UTC by the machine's clock."""
    return time.time_ns() // 1_000


class Access:
    """Accounts and sessions, safe to use from several threads.

    Parameters
    ----------
    accounts : AccountBook
        Keeps the accounts.
    sessions : SessionBook
        Keeps the sessions.
    session_s : float
        A session ends so many seconds after signing in, used or not.
    clock : callable
        Microseconds of UTC now.
    passwords : Passwords, optional
        Hashes and checks passwords.
    pairs, names, clients : Throttle, optional
        How many failures a client has with one name, a name has from all clients together, and a client has
        with all names. A stranger who guesses at a name keeps its owner out only from where the stranger
        is; it takes many clients to keep a name out everywhere, and behind one client there may be a station.
    """

    def __init__(
        self,
        accounts: AccountBook,
        sessions: SessionBook,
        *,
        session_s: float = 12 * 3600,
        clock: Callable[[], int] = wall_clock_us,
        passwords: Passwords | None = None,
        pairs: Throttle | None = None,
        names: Throttle | None = None,
        clients: Throttle | None = None,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._session_us = round(session_s * _SECOND_US)
        self._clock = clock
        self._passwords = passwords or Passwords()
        self._pairs = pairs or Throttle(failures=5)
        self._names = names or Throttle(failures=300)
        self._clients = clients or Throttle(failures=30)

    def sign_in(self, name: str, password: str, client: str = "") -> SignedIn:
        """Open a session.

        Parameters
        ----------
        name, password : str
            As they were typed.
        client : str
            Who is asking, like an address; one that fails often waits, whatever names it tries.

        Raises
        ------
        NotSignedIn
            If name and password do not fit or the account is disabled; the message is the same for all.
        TooManyAttempts
            If the name or the client must wait, whether there is such a name or not.
        """
        now_us = self._clock()
        # Cut, so that what strangers send does not fill the memory of the throttle.
        key, client = account_key(name[: MAX_NAME + 1]), client[:_MAX_CLIENT]
        # The narrowest first, so that who waits there is not counted further.
        counts: list[tuple[Throttle, Hashable]] = [(self._pairs, (key, client)), (self._names, key)]
        if client:
            counts.insert(1, (self._clients, client))
        _let_try(counts, now_us)
        try:
            signed_in = self._open(name, password, now_us)
        except Unavailable:
            # The password was not checked to the end: no guess was made.
            _refund(counts)
            raise
        if signed_in is None:
            raise NotSignedIn(_REFUSED)
        # Only this attempt is taken back from client and name: an account of one's own does not excuse
        # guessing at others, and its owner does not excuse those who guess at it.
        _refund(counts)
        self._pairs.succeeded((key, client))
        return signed_in

    def _open(self, name: str, password: str, now_us: int) -> SignedIn | None:
        # Again when the password or its hash was changed by somebody else between check and session.
        for _ in range(3):
            found = self._accounts.find(name) if is_account_name(name) else None
            account, hashed = found or (None, None)
            if not self._passwords.matches(hashed, password) or account is None or hashed is None:
                return None
            if account.disabled:
                return None
            if self._passwords.outdated(hashed):
                renewed = self._passwords.renew(password)
                if not self._accounts.rehash(account.name, hashed, renewed):
                    continue
                hashed = renewed
            token = secrets.token_urlsafe(32)
            expires_us = now_us + self._session_us
            if self._sessions.open(_token_hash(token), account.name, hashed, now_us, expires_us):
                return SignedIn(token, account, expires_us)
        return None

    def who(self, token: str) -> Account:
        """Return whose session it is.

        Raises
        ------
        NotSignedIn
            If the token is unknown or expired, or the account was disabled.
        """
        now_us = self._clock()
        token_hash = _token_hash(token[:_MAX_TOKEN])
        found = self._sessions.find(token_hash, now_us)
        if found is None:
            raise NotSignedIn("sign in first; the session is unknown or has ended")
        account, last_used_us = found
        if now_us - last_used_us >= _TOUCH_US:
            # When a session was last used is a note: a full disk keeps nobody from looking.
            with suppress(Unavailable):
                self._sessions.touch(token_hash, now_us)
        return account

    def sign_out(self, token: str) -> None:
        """End the session of a token, if there is one."""
        self._sessions.end(_token_hash(token[:_MAX_TOKEN]))

    @staticmethod
    def require(account: Account, *roles: Role) -> None:
        """Raise NotAllowed, naming what is missing, unless the account has one of the roles."""
        if account.role not in roles:
            raise NotAllowed(
                f"{account.name} is {account.role}; this needs the role "
                f"{' or '.join(roles) or '(nobody has it)'}"
            )

    def first_admin(self) -> tuple[str, str] | None:
        """Make the first account if there is none: its name and password, told once; None if there is one."""
        password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
        account = Account("admin", Role.ADMIN, created_us=self._clock())
        added = self._accounts.add_first(account, self._passwords.hash(password))
        return (account.name, password) if added else None

    def add(self, name: str, password: str, role: Role, display_name: str = "") -> Account:
        """Make an account; Conflict if the name is taken, InvalidInput if name or password will not do."""
        account = Account(name, role, display_name, self._clock())
        self._accounts.add(account, self._passwords.hash(password))
        return account

    def accounts(self) -> Sequence[Account]:
        """Return all accounts by name."""
        return self._accounts.list()

    def set_password(self, name: str, password: str) -> None:
        """Change a password and end the account's sessions; NotFound if there is no such name."""
        self._accounts.set_password(name, self._passwords.hash(password))

    def disable(self, name: str) -> None:
        """Disable an account and end its sessions; NotFound if there is no such name."""
        self._accounts.disable(name, self._clock())

    def enable(self, name: str) -> None:
        """Let a disabled account sign in again; NotFound if there is no such name."""
        self._accounts.enable(name)

    def purge(self) -> int:
        """Delete the sessions that have expired; return how many."""
        return self._sessions.purge(self._clock())


def _let_try(counts: Iterable[tuple[Throttle, Hashable]], now_us: int) -> None:
    """Count an attempt as failed before it is made, so that parallel guesses cannot pass a limit."""
    counted: list[tuple[Throttle, Hashable]] = []
    for throttle, key in counts:
        wait_us = throttle.attempt(key, now_us)
        if wait_us:
            _refund(counted)
            raise TooManyAttempts(-(-wait_us // _SECOND_US))
        counted.append((throttle, key))


def _refund(counts: Iterable[tuple[Throttle, Hashable]]) -> None:
    for throttle, key in counts:
        throttle.refund(key)


def _token_hash(token: str) -> str:
    """SHA-256 of a token; a token is random, so nothing slower is needed, and any string has one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
