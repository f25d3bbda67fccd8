"""`graftport`: the command line of migrations, for people at a terminal and for scripts.

A command is a function in one of this package's modules, loaded when it is asked for, so that
`graftport --help` imports neither Dagster nor SQLAlchemy. How commands answer and end is in
`answers.py`, what they take in `inputs.py`, how tables look in `reports/terminal.py`. What the commands
do is elsewhere: runs are Dagster's (`defs/launch.py`), facts come from the record store and
from `reports/`.
"""

from graftport_dagster.cli.group import main

__all__ = ["main"]
