"""Real data that stands beside the checkout and is never copied into it."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """Path of a folder or file of the real data; skips the test where it is absent."""
    path = _SHARED / name
    if not path.exists():
        pytest.skip(f"real data {name!r} is not beside the checkout")
    return path
