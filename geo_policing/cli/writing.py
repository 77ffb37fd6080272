"""Files that say where people were: for their owner alone, and whole or not there."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that its owner alone may read, whatever the umask and whoever could read one there before.

    It is written beside and put in place when it is whole and on disk: who is interrupted keeps what was
    there. What is no file, like a pipe or a terminal, is written to.

    Parameters
    ----------
    path : Path
        Where; of a link, what it leads to is replaced.
    content : str or bytes
        A text is written as UTF-8.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    # Asked before it is resolved: what /dev/stdout leads to may be a pipe, which has no name.
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
    new = path.with_name(f".{secrets.token_hex(8)}.writing")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            # The umask may have taken more than others' rights from it.
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException as error:
        with suppress(OSError):
            new.unlink()
        if isinstance(error, OSError) and error.filename == str(new):
            error.filename = str(path)
        raise
