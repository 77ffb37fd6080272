"""Files for their owner alone: where people were, and who may sign in, is nobody else's business."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_TURNS = threading.Lock()


@contextmanager
def private() -> Iterator[None]:
    """Make whatever files are made meanwhile readable by their owner alone."""
    # A process has one mask for all its threads: two who change it at once would leave it changed.
    with _TURNS:
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)


def tighten(path: Path, *endings: str) -> None:
    """Take a file, and those beside it of the same name with an ending, from everybody but their owner."""
    for ending in ("", *endings):
        file = path.with_name(path.name + ending)
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except PermissionError:
            log.warning("%s can be read by others and is not ours to change; its owner should", file)
