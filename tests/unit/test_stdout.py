"""What a command says goes to standard output; what native libraries print does not get into it."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = """
import ctypes, sys, serve.cli
def analyze():
    print('{"report": 1}')
    ctypes.CDLL(None).printf(b"Decode Error occurred for picture 7\\n")
    print('{"report": 2}')
serve.cli.main = analyze
sys.argv = ["reelwarden", "analyze"]
from serve.__main__ import main
main()
"""


def test_what_a_native_library_prints_is_not_mixed_into_reports() -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True)
    assert done.stdout == '{"report": 1}\n{"report": 2}\n'
    assert done.stderr == "Decode Error occurred for picture 7\n"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-"])
def test_a_command_runs_where_an_output_is_closed(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m serve version {closed}', sys.executable], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout != "") == (closed == "2>&-")
