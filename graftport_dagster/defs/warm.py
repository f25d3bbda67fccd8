"""What every step's process needs, imported once by the server that forks them.

Dagster imports much of this only when a run starts: half a second for each process. The server must
outlive a SIGTERM to the whole process group (as systemd sends), else its steps look crashed to the
executor while they still finish their batch; Python lets it ignore Ctrl-C already. The steps
themselves have Dagster's handlers.
"""

import signal
import sys

import alembic.command
import dagster
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite

import graftport_dagster.defs.factory

__all__ = ["alembic", "dagster", "graftport_dagster", "sqlalchemy"]

# `python -c`: how multiprocessing starts the server; whoever else imports this keeps their signals.
if sys.argv[:1] == ["-c"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
