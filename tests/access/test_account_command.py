"""``geo-policing account`` as a person or a script runs it."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from geo_policing.access import Access, Role
from geo_policing.errors import NotSignedIn
from geo_policing.store import Records

GOOD, OTHER = "correct horse battery", "another horse battery"
PROGRAM = Path(sys.executable).with_name("geo-policing")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "var"


@pytest.fixture
def run(folder, tmp_path, geo_policing, monkeypatch):
    """Run ``account`` in this process."""
    for key in [key for key in os.environ if key.startswith("GEO_POLICING")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("GEO_POLICING_DATA_DIR", str(folder))
    monkeypatch.chdir(tmp_path)

    def run(*arguments, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        return subprocess.CompletedProcess(arguments, *geo_policing("account", *arguments))

    return run


@pytest.fixture
def access(folder):
    with Records(f"sqlite:///{folder / 'records.sqlite'}") as records:
        yield Access(records.accounts, records.sessions)


def test_a_process_makes_an_account_that_signs_in(folder, access):
    """What the other tests call in their own process: the program, its standard input and its exit code."""
    made = subprocess.run(
        [PROGRAM, "account", "add", "wang.li", "--role", "detective", "--data-dir", folder],
        check=True,
        input=GOOD + "\n",
        capture_output=True,
        text=True,
    )
    assert "wang.li (detective)" in made.stdout
    assert access.sign_in("wang.li", GOOD).account.role is Role.DETECTIVE
    refused = subprocess.run([PROGRAM, "account", "add"], check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_an_account_is_made_listed_and_signs_in(run, access):
    made = run("add", "wang.li", "--role", "detective", "--display-name", "王力", typed=GOOD + "\n")
    assert made.returncode == 0
    assert "nobody is an administrator: geo-policing account add NAME --role admin" in made.stderr
    assert run("add", "boss", "--role", "admin", typed=GOOD + "\n").stderr == ""
    assert "wang.li (detective)" in made.stdout
    assert run("list").stdout == "boss\tadmin\t\tactive\nwang.li\tdetective\t王力\tactive\n"
    assert access.sign_in("wang.li", GOOD).account.role is Role.DETECTIVE


def test_a_changed_password_and_a_disabled_account_end_what_is_open(run, access):
    access.add("li", GOOD, Role.ANALYST)
    token = access.sign_in("li", GOOD).token
    assert run("password", "LI", typed=OTHER).returncode == 0
    with pytest.raises(NotSignedIn):
        access.who(token)
    token = access.sign_in("li", OTHER).token
    assert run("disable", "li").returncode == 0
    with pytest.raises(NotSignedIn):
        access.who(token)
    assert run("list").stdout == "li\tanalyst\t\tdisabled\n"
    assert run("enable", "li").returncode == 0
    assert access.sign_in("li", OTHER).account.name == "li"


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("add", "li", "--role", "analyst"), "short\n", "a password has 12 to 256 characters, this one 5"),
        (("add", "li", "--role", "king"), GOOD, "role 'king' is none; choose dispatcher, detective, analyst"),
        (("add", "l i", "--role", "admin"), GOOD, "account name 'l i' is not"),
        (("add", "there", "--role", "admin"), GOOD, "account 'there' exists already"),
        (("password", "nobody"), GOOD, "no account 'nobody'"),
        (("disable", "nobody"), "", "no account 'nobody'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, access, arguments, typed, said):
    access.add("there", GOOD, Role.ANALYST)
    refused = run(*arguments, typed=typed)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"geo-policing: {said}")
    assert refused.stderr.count("\n") == 1


def test_a_password_is_no_argument(run, access):
    assert run("add", "li", GOOD, "--role", "analyst").returncode == 2
    assert access.accounts() == []


def test_the_folder_is_the_one_named_and_an_address_of_records_goes_before(run, tmp_path, monkeypatch):
    assert run("add", "one", "--role", "admin", typed=GOOD).returncode == 0
    assert run("list", "--data-dir", str(tmp_path / "other")).stdout == ""
    with monkeypatch.context() as patch:
        patch.setenv("GEO_POLICING_RECORDS_URL", f"sqlite:///{tmp_path / 'there.sqlite'}")
        assert run("list").stdout == ""
    assert run("list").stdout == "one\tadmin\t\tactive\n"


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(folder):
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = ["account", "add", "li", "--role", "admin", "--data-dir", str(folder)]
        os.execv(PROGRAM, [str(PROGRAM), *arguments])
    shown, answered = b"", 0
    while select.select([terminal], [], [], 120)[0]:
        try:
            chunk = os.read(terminal, 1024)
        except OSError:  # Linux says so when the other side has closed
            break
        shown += chunk
        # The space after a question comes once the terminal no longer shows what is typed.
        if shown.count(b": ") > answered:
            answered += 1
            os.write(terminal, GOOD.encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert answered == 2
    assert GOOD.encode() not in shown
    with Records(f"sqlite:///{folder / 'records.sqlite'}") as records:
        assert Access(records.accounts, records.sessions).sign_in("li", GOOD).account.role is Role.ADMIN
