"""The process that `embedded.py` starts: leaves its parent, then serves.

What lives here: detaching, and telling the address by a file. Its first argument is that file,
the rest are the command line's of `__main__.py`.
"""

import os
import sys
from pathlib import Path

from graftport_dagster.simulator.__main__ import main

_FAILED = "failed"


def run(arguments: list[str]) -> int:
    """Forks, and in the child serves; the parent ends with 0 at once. What fails is told as no address."""
    if os.fork():
        return 0
    os.setsid()
    told, announced = Path(arguments[0]), False

    def announce(address: str) -> None:
        nonlocal announced
        told.write_text(f"{address}\n")
        announced = True

    try:
        return main(arguments[1:], announce=announce)
    finally:
        if not announced:
            told.write_text(f"{_FAILED}\n")


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
