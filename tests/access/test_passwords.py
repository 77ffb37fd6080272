import pytest
from argon2 import PasswordHasher

from geo_policing.access import Account, Passwords, Role, require
from geo_policing.errors import InvalidInput, NotAllowed

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "correct horse battery"


def test_a_password_matches_its_own_hash_only():
    passwords = Passwords(CHEAP)
    hashed = passwords.hash(GOOD)
    assert GOOD not in hashed
    assert passwords.matches(hashed, GOOD)
    assert not passwords.matches(hashed, GOOD + "x")


def test_the_same_password_never_hashes_twice_to_the_same():
    assert Passwords(CHEAP).hash(GOOD) != Passwords(CHEAP).hash(GOOD)


class Counting(PasswordHasher):
    verified = 0

    def verify(self, hash, password):  # noqa: A002 the library's name
        self.verified += 1
        return super().verify(hash, password)


@pytest.mark.parametrize("password", [GOOD, "no account has this hash"])
def test_an_unknown_account_is_refused_after_the_same_work(password):
    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    assert not Passwords(hasher).matches(None, password)
    assert hasher.verified == 1


@pytest.mark.parametrize("password", ["", "x" * 11, "y" * 257])
def test_a_password_too_short_or_too_long_is_refused_and_not_repeated(password):
    with pytest.raises(InvalidInput, match="12 to 256") as refused:
        Passwords(CHEAP).hash(password)
    assert refused.value.value is None


def test_a_password_that_only_starts_right_at_the_longest_length_is_refused():
    passwords = Passwords(CHEAP)
    assert not passwords.matches(passwords.hash("z" * 256), "z" * 300)


def test_a_hash_of_other_parameters_is_outdated():
    old = Passwords(CHEAP).hash(GOOD)
    new = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert new.outdated(old)
    assert not Passwords(CHEAP).outdated(old)


def test_a_missing_role_is_named():
    account = Account("wang.li", Role.ANALYST)
    require(account, Role.ANALYST, Role.ADMIN)
    with pytest.raises(NotAllowed, match=r"wang\.li is analyst; this needs the role dispatcher or admin"):
        require(account, Role.DISPATCHER, Role.ADMIN)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "x" * 65])
def test_a_name_that_would_break_a_log_line_is_refused(name):
    with pytest.raises(InvalidInput, match="account name"):
        Account(name, Role.ADMIN)
