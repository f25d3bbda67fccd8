"""Where this installation keeps what it knows: the record store's URL and the folder of local state.

Nothing but addresses, so that a command which only reads the record store starts without
everything else. What is in the store is said in `record_store.py`.
"""

import os
from pathlib import Path

from graftport_dagster.store.database import AWAY_SECONDS
from graftport_dagster.store.record_store import RecordStore

STORE_VARIABLE = "GRAFTPORT_STORE_URL"
STATE_VARIABLE = "GRAFTPORT_STATE"


def state_folder() -> Path:
    """Where local state lives: GRAFTPORT_STATE, or `.dagster/graftport` below the current folder."""
    return Path(os.environ.get(STATE_VARIABLE) or Path(".dagster") / "graftport").absolute()


def store_url() -> str:
    """The record store's URL: GRAFTPORT_STORE_URL, or SQLite in the state folder."""
    return os.environ.get(STORE_VARIABLE) or f"sqlite:///{state_folder() / 'records.db'}"


def open_store(*, in_a_run: bool = False) -> RecordStore:
    """The record store of this installation. Raises SchemaTooNewError, UnreachableError.

    `in_a_run`: it was there when the run began, so a restart of its database is waited for.
    """
    return RecordStore.open(store_url(), patience=AWAY_SECONDS if in_a_run else 0.0)


def report_folder(run_id: str) -> Path:
    """Where a run leaves its files: a dry run's verdicts as `<resource_type>.jsonl`, its report."""
    return state_folder() / "reports" / run_id
