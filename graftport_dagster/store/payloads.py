"""Payloads by content hash: what a source returned and what a mapping made, kept once.

A dry run keeps copies of its own (`owner`), so that they go with it. Who names a payload is in
the other tables.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.records import JsonObject, read_json
from graftport_dagster.store.database import put
from graftport_dagster.store.tables import payloads


def keep(connection: Connection, owner: str, bodies: Mapping[str, str]) -> None:
    """Stores the JSON texts under their hashes, where they are not yet."""
    rows = [{"hash": name, "owner": owner, "body": text} for name, text in bodies.items()]
    put(connection, payloads, rows, update=())


def find(connection: Connection, payload_hash: str) -> JsonObject | None:
    """The payload of that hash; None where it was purged, or went with its dry run."""
    query = select(payloads.c.body).where(payloads.c.hash == payload_hash).order_by(payloads.c.owner).limit(1)
    body = connection.execute(query).scalar_one_or_none() if payload_hash else None
    return None if body is None else read_json(body)


def get(connection: Connection, payload_hash: str) -> JsonObject:
    """The payload of that hash. Raises ConfigurationError where there is none."""
    found = find(connection, payload_hash)
    if found is None:
        raise ConfigurationError(
            f"There is no payload {payload_hash[:12]} in the record store.", code="NO_PAYLOAD",
            hint="It was purged, or it belonged to a dry run, which is dropped with its payloads.",
        )  # fmt: skip
    return found


def drop(connection: Connection, owner: str) -> None:
    """Removes a dry run's copies."""
    connection.execute(delete(payloads).where(payloads.c.owner == owner, payloads.c.owner != ""))
