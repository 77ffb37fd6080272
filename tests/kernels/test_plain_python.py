"""The tests of this folder once more with the kernels as plain Python."""

import os
import subprocess
import sys
from pathlib import Path


def test_the_kernels_say_the_same_as_plain_python():
    here = Path(__file__)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--ignore={here}", here.parent],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout
    assert "skipped" not in run.stdout
