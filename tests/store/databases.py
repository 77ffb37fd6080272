"""The databases that records are tested on: SQLite, and a PostgreSQL of its own where one is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa


def _programs():
    """Folder of the newest PostgreSQL's programs, or None."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def _unprivileged():
    """Arguments that make a process somebody else's when we are root, for whom PostgreSQL does not start."""
    if os.geteuid() != 0:
        return {}, None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}, user
    pytest.skip("no unprivileged user to run PostgreSQL as")


@pytest.fixture(scope="session")
def postgresql_server():
    """Address of a server that only this test run uses, through a socket in a folder of its own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    who, user = _unprivileged()
    # Not in pytest's folder: that is closed to other users, and its path too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    server = None
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "tester", "--auth=trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=folder,
            **who,
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-c", "fsync=off"],
                stdout=log,
                stderr=log,
                cwd=folder,
                **who,
            )
        address = f"postgresql+psycopg://tester@/postgres?host={folder}"
        _wait(address, server, folder / "log")
        yield address
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder)


def _wait(address, server, log):
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    for _ in range(300):
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            if server.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text()}")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'records.sqlite'}"
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"records_{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as db:
        db.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with admin.connect() as db:
        db.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
