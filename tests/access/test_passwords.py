import pytest
from argon2 import PasswordHasher

from geo_policing.access import Passwords
from geo_policing.errors import InvalidInput

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


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$AAAA$",
        "$argon2id$v=19$m=8,t=1,p=1$!!$!!",
        "密",
        "\0",
    ],
)
def test_a_damaged_hash_refuses_every_password(damaged):
    assert not Passwords(CHEAP).matches(damaged, GOOD)


@pytest.mark.parametrize("password", ["", "\0" * 12, "\ud800" * 12, "z" * 1_000_000])
def test_what_can_be_no_password_is_refused_without_an_error(password):
    passwords = Passwords(CHEAP)
    assert not passwords.matches(passwords.hash(GOOD), password)
    assert not passwords.matches(None, password)


@pytest.mark.parametrize("password", ["\0" * 12, "\ud800" * 12, "line\nline line line"])
def test_a_new_password_with_characters_nobody_can_type_is_refused(password):
    with pytest.raises(InvalidInput, match="control characters"):
        Passwords(CHEAP).hash(password)


def test_a_password_in_any_script_will_do():
    passwords = Passwords(CHEAP)
    assert passwords.matches(passwords.hash("湘江边的十二个字的密码啊啊"), "湘江边的十二个字的密码啊啊")
