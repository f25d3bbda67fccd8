"""One writer per (migration, store, resource type): leases with expiry and a number that only grows.

The number (`fencing`) is compared in every transaction that says something was or will be sent
(`settlements.py`), so that a run that was taken over while it seemed dead can write nothing more.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select, update

from graftport_dagster.errors import LeaseHeldError, LeaseLostError
from graftport_dagster.records import ResourceType, Run
from graftport_dagster.store.database import database_now, put
from graftport_dagster.store.tables import leases

_columns = leases.c
_KEY = ("migration", "store_gid", "resource_type", "run_id", "fencing")
# Built once: they are asked in every transaction of a load.
_ours = and_(*(_columns[name] == bindparam(f"own_{name}") for name in _KEY))
_check = select(_columns.fencing).where(_ours).with_for_update(read=True)
_change = update(leases).where(_ours)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one type into one store, until somebody with a higher `fencing` took it."""

    migration: str
    store_gid: str
    resource_type: ResourceType
    run_id: str
    fencing: int


def acquire(
    connection: Connection, migration: str, store_gid: str, resource_type: ResourceType, run: Run, seconds: float
) -> Lease:
    """Takes the lease, from a dead holder too. Raises LeaseHeldError naming who has it."""
    key = {"migration": migration, "store_gid": store_gid, "resource_type": str(resource_type)}
    now = database_now(connection)
    put(connection, leases, [key | _free(now)], update=())
    mine = and_(*(_columns[name] == value for name, value in key.items()))
    holder = connection.execute(select(leases).where(mine).with_for_update()).one()
    # Asked again: the row may have been waited for.
    now = database_now(connection)
    if holder.run_id and holder.expires_at > now and not _is_own(holder, run) and not _is_dead(holder, run):
        raise _held(holder, resource_type, now)
    fencing = holder.fencing + 1
    values = {
        "run_id": run.run_id, "host": run.host, "pid": run.pid, "process": process_mark(run.pid), "fencing": fencing,
        "acquired_at": now, "expires_at": now + timedelta(seconds=seconds),
    }  # fmt: skip
    connection.execute(update(leases).where(mine).values(values))
    return Lease(migration, store_gid, resource_type, run.run_id, fencing)


def renew(connection: Connection, lease: Lease, seconds: float) -> None:
    """Puts its end `seconds` from now. Raises LeaseLostError after a take-over."""
    expires_at = database_now(connection) + timedelta(seconds=seconds)
    if connection.execute(_change.values(expires_at=expires_at), _own(lease)).rowcount != 1:
        raise _lost(lease)


def release(connection: Connection, lease: Lease) -> None:
    """Gives it back; nothing happens where it was lost."""
    values = {"run_id": "", "expires_at": database_now(connection)}
    connection.execute(_change.values(values), _own(lease))


def check(connection: Connection, lease: Lease) -> None:
    """Raises LeaseLostError after a take-over, and keeps others from taking over until the transaction ends."""
    if connection.execute(_check, _own(lease)).first() is None:
        raise _lost(lease)


def others(connection: Connection, migration: str, store_gid: str, run: Run) -> dict[str, str]:
    """Resource type → the run that writes it into the store now, of other runs than this one."""
    query = select(leases).where(
        _columns.migration == migration, _columns.store_gid == store_gid, _columns.run_id.not_in(("", run.run_id)),
        _columns.expires_at > database_now(connection),
    )  # fmt: skip
    return {row.resource_type: row.run_id for row in connection.execute(query) if not _is_dead(row, run)}


def process_mark(pid: int) -> str:
    """Tells this life of a pid on this machine from a later one, and from another machine of the same name.

    "" where the process is not there or the system does not say (it has no /proc).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        started = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{boot}:{Path('/proc/self/ns/pid').readlink()}:{started}"
    except (OSError, IndexError):
        return ""


def _own(lease: Lease) -> dict[str, Any]:
    return {f"own_{name}": getattr(lease, name) for name in _KEY} | {"own_resource_type": str(lease.resource_type)}


def _free(now: datetime) -> dict[str, Any]:
    return {"run_id": "", "host": "", "pid": 0, "process": "", "fencing": 0, "acquired_at": now, "expires_at": now}


def _is_own(holder: Row[Any], run: Run) -> bool:
    """The same process asks again for the same run, having lost sight of its lease."""
    return (holder.run_id, holder.host, holder.pid) == (run.run_id, run.host, run.pid) and bool(run.pid)


def _is_dead(holder: Row[Any], run: Run) -> bool:
    """Whether the holder was a process of this machine and is no more."""
    if not holder.pid or not holder.host or holder.host != run.host:
        return False
    if holder.process:
        here = process_mark(os.getpid()).rpartition(":")[0]
        # Another boot, or another container of the same name: its processes are not ours to judge.
        return bool(here) and holder.process.startswith(f"{here}:") and process_mark(holder.pid) != holder.process
    return not _exists(holder.pid)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _held(holder: Row[Any], resource_type: ResourceType, now: datetime) -> LeaseHeldError:
    since = f"{holder.acquired_at:%Y-%m-%d %H:%M:%S} UTC"
    left = max(1, round((holder.expires_at - now).total_seconds()))
    return LeaseHeldError(
        f"Run {holder.run_id} on {holder.host or 'an unnamed host'} (process {holder.pid}) has been writing "
        f"{resource_type} into this store since {since}.",
        hint=f"Wait for it, or cancel it; if it is dead, its lease ends in {left} s.",
        retry_after=float(left),
    )  # fmt: skip


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(
        f"Run {lease.run_id} no longer holds the lease on {lease.resource_type}: another run took over. "
        "Nothing more is sent by this one.",
        hint="Look at the other run; all that this one sent before is recorded or will be verified.",
    )
