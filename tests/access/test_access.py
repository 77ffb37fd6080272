"""Access on the real store: what the service wires."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from geo_policing.access import Access, Account, AccountBook, Passwords, Role, SessionBook, Throttle
from geo_policing.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooManyAttempts,
    Unavailable,
)
from geo_policing.store import Records

GOOD, OTHER = "correct horse battery", "another horse battery"
HOUR_US = 3_600_000_000
REFUSED = "the name or the password is wrong"


class Clock:
    us = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z

    def __call__(self):
        return self.us


class Counting(PasswordHasher):
    """Counts the checks, the work that an attacker could measure."""

    def __init__(self):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, hash, password):  # noqa: A002 the library's name
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def hasher():
    return Counting()


@pytest.fixture
def records(url):
    with Records(url) as records:
        yield records


def wire(records, clock, hasher, **more):
    accounts: AccountBook = records.accounts
    sessions: SessionBook = records.sessions
    return Access(accounts, sessions, clock=clock, passwords=Passwords(hasher), **more)


@pytest.fixture
def access(records, clock, hasher):
    access = wire(records, clock, hasher)
    access.add("wang.li", GOOD, Role.DETECTIVE, "王力")
    return access


def sql(url, statement, **values):
    engine = sa.create_engine(url)
    with engine.begin() as db:
        result = db.execute(sa.text(statement), values)
        rows = result.all() if result.returns_rows else []
    engine.dispose()
    return rows


def test_a_token_tells_who_signed_in_until_signing_out(access, clock):
    signed_in = access.sign_in("WANG.li", GOOD)
    assert signed_in.expires_us == clock.us + 12 * HOUR_US
    assert signed_in.account == Account("wang.li", Role.DETECTIVE, "王力", clock.us)
    assert access.who(signed_in.token) == signed_in.account
    access.sign_out(signed_in.token)
    with pytest.raises(NotSignedIn, match="sign in first"):
        access.who(signed_in.token)
    access.sign_out(signed_in.token)


def test_tokens_have_256_bits_and_are_neither_kept_nor_printed(access, url):
    tokens = {access.sign_in("wang.li", GOOD).token for _ in range(3)}
    assert {len(token) for token in tokens} == {43}
    assert len(tokens) == 3
    signed_in = access.sign_in("wang.li", GOOD)
    assert signed_in.token not in repr(signed_in)
    kept = str(sql(url, "SELECT * FROM sessions") + sql(url, "SELECT * FROM accounts"))
    assert not any(secret in kept for secret in (*tokens, signed_in.token, GOOD))


@pytest.mark.parametrize("token", ["", "x", "x" * 1_000_000, "\ud800", "\0", "' OR 1=1 --"])
def test_a_token_that_was_never_given_is_nobody(access, token):
    access.sign_in("wang.li", GOOD)
    with pytest.raises(NotSignedIn):
        access.who(token)
    access.sign_out(token)


def test_a_session_ends_on_time_however_much_it_was_used(records, clock, hasher):
    access = wire(records, clock, hasher, session_s=60)
    access.add("a", GOOD, Role.ANALYST)
    token = access.sign_in("a", GOOD).token
    clock.us += 59_999_999
    assert access.who(token).name == "a"
    clock.us += 1
    with pytest.raises(NotSignedIn):
        access.who(token)


def test_purging_deletes_the_expired_sessions_only(access, clock, url):
    access.sign_in("wang.li", GOOD)
    clock.us += HOUR_US
    token = access.sign_in("wang.li", GOOD).token
    clock.us += 11 * HOUR_US
    assert access.purge() == 1
    assert access.purge() == 0
    assert access.who(token).name == "wang.li"
    assert sql(url, "SELECT count(*) FROM sessions") == [(1,)]


def test_the_last_use_is_noted_once_a_minute(access, clock, url):
    start = clock.us
    token = access.sign_in("wang.li", GOOD).token
    noted = []
    for seconds in (30, 60, 90, 125):
        clock.us = start + seconds * 1_000_000
        access.who(token)
        ((used,),) = sql(url, "SELECT last_used_us FROM sessions")
        noted.append((used - start) // 1_000_000)
    assert noted == [0, 60, 60, 125]


def test_all_refusals_are_the_same_in_words_and_work(access, hasher, url):
    access.add("off", GOOD, Role.ADMIN)
    access.disable("off")
    access.add("damaged", GOOD, Role.ADMIN)
    sql(url, "UPDATE accounts SET password_hash = :h WHERE key = 'damaged'", h="$argon2id$nonsense")
    said, work = set(), []
    for name, password in [
        ("wang.li", OTHER),
        ("nobody", GOOD),
        ("off", GOOD),
        ("not a name", GOOD),
        ("\ud800\0", GOOD),
        ("n" * 1_000_000, GOOD),
        ("wang.li", "p" * 1_000_000),
        ("wang.li", "\ud800"),
        ("wang.li", "\0"),
        ("damaged", GOOD),
    ]:
        before = hasher.verified
        with pytest.raises(NotSignedIn) as refused:
            access.sign_in(name, password)
        said.add(str(refused.value))
        work.append(hasher.verified - before)
    assert said == {REFUSED}
    # The damaged one is tried first, and then refused as an unknown one is.
    assert work == [1] * 9 + [2]


@pytest.mark.parametrize("name", ["wang.li", "nobody"])
def test_guessing_at_a_name_is_slowed_whether_it_exists_or_not(access, clock, name):
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            access.sign_in(name, OTHER)
    with pytest.raises(TooManyAttempts, match="wait 60 s") as refused:
        access.sign_in(name.upper(), GOOD)
    assert refused.value.wait_s == 60
    clock.us += 60_000_000
    with pytest.raises(NotSignedIn):
        access.sign_in(name, OTHER)


def test_a_success_forgives_the_name_and_costs_the_client_nothing(records, clock, hasher):
    access = wire(records, clock, hasher, clients=Throttle(failures=5 * 4 + 1))
    access.add("wang.li", GOOD, Role.DETECTIVE)
    for _ in range(5):
        for _ in range(4):
            with pytest.raises(NotSignedIn):
                access.sign_in("wang.li", OTHER, "10.0.0.1")
        access.sign_in("wang.li", GOOD, "10.0.0.1")


def test_a_stranger_keeps_nobody_out_but_from_where_the_stranger_is(access):
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            access.sign_in("wang.li", OTHER, "10.0.0.66")
    for _ in range(100):
        with pytest.raises(TooManyAttempts):
            access.sign_in("wang.li", GOOD, "10.0.0.66")
    assert access.sign_in("wang.li", GOOD, "10.0.0.1").account.name == "wang.li"
    # That its owner has signed in elsewhere does not let the stranger go on.
    with pytest.raises(TooManyAttempts):
        access.sign_in("wang.li", OTHER, "10.0.0.66")


def test_many_strangers_together_do_not_guess_at_one_name_without_end(records, clock, hasher):
    access = wire(records, clock, hasher, names=Throttle(failures=20))
    access.add("wang.li", GOOD, Role.DETECTIVE)
    for n in range(20):
        # The owner's success does not count, one way or the other.
        access.sign_in("wang.li", GOOD, "10.0.0.1")
        with pytest.raises(NotSignedIn):
            access.sign_in("wang.li", OTHER, f"10.0.1.{n // 4}")
    with pytest.raises(TooManyAttempts, match="wait 60 s"):
        access.sign_in("WANG.LI", OTHER, "10.0.2.1")
    clock.us += 60_000_000
    assert access.sign_in("wang.li", GOOD, "10.0.0.1").account.name == "wang.li"


def test_one_stranger_who_never_tires_does_not_use_up_what_a_name_has(records, clock, hasher):
    access = wire(records, clock, hasher, names=Throttle(failures=10))
    access.add("wang.li", GOOD, Role.DETECTIVE)
    for _ in range(600):
        with pytest.raises((NotSignedIn, TooManyAttempts)):
            access.sign_in("wang.li", OTHER, "10.0.0.66")
        clock.us += 1_000_000
    assert access.sign_in("wang.li", GOOD, "10.0.0.1").account.name == "wang.li"


def test_a_client_that_fails_often_waits_whatever_names_it_tries(records, clock, hasher):
    access = wire(records, clock, hasher, clients=Throttle(failures=3))
    access.add("own", GOOD, Role.ANALYST)
    for n in range(3):
        # An account of one's own does not start the count again.
        access.sign_in("own", GOOD, "10.0.0.9")
        with pytest.raises(NotSignedIn):
            access.sign_in(f"name-{n}", OTHER, "10.0.0.9")
    with pytest.raises(TooManyAttempts):
        access.sign_in("own", GOOD, "10.0.0.9")
    assert access.sign_in("own", GOOD, "10.0.0.8").account.name == "own"


def test_parallel_guesses_do_not_pass_the_limit(access, hasher):
    def guess(_):
        try:
            access.sign_in("wang.li", OTHER, "10.0.0.1")
        except (NotSignedIn, TooManyAttempts) as error:
            return type(error)

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(guess, range(48)))
    assert results.count(NotSignedIn) == hasher.verified == 5
    assert results.count(TooManyAttempts) == 43


def test_an_attempt_that_the_store_cut_short_is_no_failure(access, monkeypatch):
    def full(*_):
        raise Unavailable("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(access._sessions, "open", full)
        for _ in range(9):
            with pytest.raises(Unavailable):
                access.sign_in("wang.li", GOOD, "10.0.0.1")
    assert access.sign_in("wang.li", GOOD, "10.0.0.1").account.name == "wang.li"


def test_signing_in_renews_a_hash_of_other_parameters_and_ends_nothing(access, records, clock, url):
    token = access.sign_in("wang.li", GOOD).token
    ((old,),) = sql(url, "SELECT password_hash FROM accounts")
    stronger = wire(records, clock, PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    stronger.sign_in("wang.li", GOOD)
    ((new,),) = sql(url, "SELECT password_hash FROM accounts")
    assert "t=1" in old
    assert "t=2" in new
    assert stronger.who(token).name == "wang.li"
    with pytest.raises(NotSignedIn):
        stronger.sign_in("wang.li", OTHER)


def test_everybody_who_signs_in_while_the_hash_is_renewed_gets_in(access, records, clock):
    stronger = wire(records, clock, PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    meet = threading.Barrier(4)

    def sign_in(_):
        meet.wait()
        return stronger.who(stronger.sign_in("wang.li", GOOD).token).name

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(sign_in, range(4))) == ["wang.li"] * 4


@pytest.mark.parametrize(
    "change", [lambda a: a.set_password("Wang.Li", OTHER), lambda a: a.disable("Wang.Li")]
)
def test_a_changed_password_or_a_disabled_account_ends_its_sessions_and_no_others(access, change):
    access.add("li", GOOD, Role.ANALYST)
    mine, hers = access.sign_in("wang.li", GOOD).token, access.sign_in("li", GOOD).token
    change(access)
    with pytest.raises(NotSignedIn):
        access.who(mine)
    with pytest.raises(NotSignedIn):
        access.sign_in("wang.li", GOOD)
    assert access.who(hers).name == "li"


def test_a_password_changed_during_the_check_leaves_no_session_of_the_old_one(access, records, monkeypatch):
    real = records.sessions.open
    changed = []

    def late(*given):
        if not changed:
            changed.append(access.set_password("wang.li", OTHER))
        return real(*given)

    monkeypatch.setattr(records.sessions, "open", late)
    with pytest.raises(NotSignedIn):
        access.sign_in("wang.li", GOOD)
    assert access.sign_in("wang.li", OTHER).account.name == "wang.li"


def test_an_account_enabled_again_signs_in_with_new_sessions_only(access, clock):
    token = access.sign_in("wang.li", GOOD).token
    access.disable("wang.li")
    first = clock.us
    clock.us += 1
    access.disable("wang.li")
    assert [account.disabled_us for account in access.accounts()] == [first]
    access.enable("wang.li")
    with pytest.raises(NotSignedIn):
        access.who(token)
    assert access.sign_in("wang.li", GOOD).account.disabled is False


def test_a_missing_role_is_named(access):
    account = Account("wang.li", Role.ANALYST)
    access.require(account, Role.ANALYST, Role.ADMIN)
    with pytest.raises(NotAllowed, match=r"wang\.li is analyst; this needs the role dispatcher or admin"):
        access.require(account, Role.DISPATCHER, Role.ADMIN)


def test_an_account_that_is_there_or_is_not_is_said(access):
    with pytest.raises(Conflict, match="exists already"):
        access.add("ＷＡＮＧ.li", OTHER, Role.ADMIN)
    with pytest.raises(InvalidInput, match="12 to 256"):
        access.add("short", "1234", Role.ADMIN)
    for change in (access.disable, access.enable, lambda name: access.set_password(name, OTHER)):
        with pytest.raises(NotFound, match="account 'nobody'"):
            change("nobody")
    assert [account.name for account in access.accounts()] == ["wang.li"]


def test_the_first_admin_is_made_once_and_signs_in(records, clock, hasher):
    access = wire(records, clock, hasher)
    name, password = access.first_admin()
    assert access.sign_in(name, password).account.role is Role.ADMIN
    assert access.first_admin() is None


def test_of_services_that_start_together_one_makes_the_admin(records, clock, hasher, url):
    meet = threading.Barrier(8)

    def start(_):
        with Records(url) as mine:
            access = wire(mine, clock, hasher)
            meet.wait()
            return access.first_admin()

    with ThreadPoolExecutor(8) as pool:
        made = [admin for admin in pool.map(start, range(8)) if admin]
    assert len(made) == 1
    assert wire(records, clock, hasher).sign_in(*made[0]).account.name == "admin"
