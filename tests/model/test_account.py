import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_policing.errors import InvalidInput
from geo_policing.model import Account, Role
from geo_policing.model.account import account_key, is_account_name


@pytest.mark.parametrize(
    "name", ["", "a b", "a\nb", "x" * 65, "a\0b", "\ud800", "li\u200bwei", "a\u3000b", "a\u00a8"]
)
def test_a_name_that_would_break_a_log_line_is_refused(name):
    assert not is_account_name(name)
    with pytest.raises(InvalidInput, match="account name") as refused:
        Account(name, Role.ADMIN)
    assert refused.value.field == "name"


def test_a_name_that_grows_too_long_when_compared_is_refused():
    assert is_account_name("\ufdfa"[:0] + "ﬃ" * 21)
    assert not is_account_name("ﬃ" * 22)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Wang.Li", "wang.li"), ("ｗａｎｇ", "wang"), ("STRASSE", "straße"), ("Å", "A\u030a"), ("王力", "王力")],
)
def test_names_that_differ_in_case_or_width_only_are_the_same(one, other):
    assert account_key(one) == account_key(other)


def test_different_people_keep_different_names():
    assert len({account_key(name) for name in ("王力", "王利", "wang.li", "wangli", "wang_li")}) == 5


@given(st.text(max_size=64))
def test_a_key_is_its_own_key(name):
    assert account_key(account_key(name)) == account_key(name)


def test_the_display_name_is_shown_and_else_the_name():
    assert Account("wang.li", Role.ANALYST, "王力").shown_name == "王力"
    assert Account("wang.li", Role.ANALYST).shown_name == "wang.li"
    with pytest.raises(InvalidInput, match="display name"):
        Account("wang.li", Role.ANALYST, "a\nb")


def test_an_account_is_disabled_once_there_is_a_time_of_it():
    assert Account("a", Role.ADMIN, disabled_us=0).disabled
    assert not Account("a", Role.ADMIN).disabled
