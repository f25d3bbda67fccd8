"""Where redirects lead in the end, over all staged ones: chains made short, circles refused.

Shopify follows one redirect and no further in one answer, so `/a → /b → /c` is written as `/a → /c` and
`/b → /c`. A target may be another record's address, which changes with its handle: such redirects are
found here too (`outdated`), for nothing of their own payload has changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graftport_dagster.errors import GraftportError, TransformError
from graftport_dagster.loaders.plan import LoadContext
from graftport_dagster.loaders.references import address, references, resolve
from graftport_dagster.records import Identity, JsonObject, RecordKey, ResourceType
from graftport_dagster.store.record_store import LoadInput, Selection, Settlement


def normal(path: str) -> str:
    """A path as Shopify compares it; "" for an address elsewhere, which is no path of this store."""
    return (path.rstrip("/").casefold() or "/") if path.startswith("/") else ""


class Routes:
    """The staged redirects of a load, by path."""

    def __init__(self, context: LoadContext) -> None:
        self._context = context
        self._targets: dict[str, str] = {}
        for _, path, target in self._staged():
            if normal(path) != normal(target):
                self._targets[normal(path)] = target

    def end_of(self, path: str, target: str) -> str:
        """Where a redirect leads in the end. Raises TransformError for one that leads in a circle."""
        if normal(path) == normal(target):
            # To its own path it leads nowhere, and is not sent at all.
            return target
        passed, seen = [path], {normal(path)}
        while place := normal(target):
            passed.append(target)
            if place in seen:
                raise TransformError(
                    f"It leads in a circle: {' → '.join(passed)}.", code="REDIRECT_LOOP", path="input.target",
                    hint="Exclude one of these redirects in the mapping, or give it another target.",
                )  # fmt: skip
            seen.add(place)
            if place not in self._targets:
                break
            target = self._targets[place]
        return target

    def outdated(self) -> Iterator[LoadInput]:
        """Redirects that have landed, or were right without landing, and would lead elsewhere now."""
        loads, context = self._context.store.loads, self._context
        slug, store_gid = context.migration.slug, context.store_gid
        for batch in self._batches():
            ids = [record.source_id for record in batch if record.landed_groups]
            landed = loads.snapshots(slug, store_gid, ResourceType.REDIRECTS, ids) if ids else {}
            for record, path, target in self._resolved(batch):
                if record.landed_groups and self._leads_elsewhere(record, path, target, landed):
                    yield record

    def _leads_elsewhere(self, record: LoadInput, path: str, target: str, landed: Mapping[str, JsonObject]) -> bool:
        if normal(path) == normal(target):
            return False
        before = landed.get(record.source_id, {}).get("target", path)
        try:
            return bool(self.end_of(path, target) != before)
        except GraftportError:
            return True

    def _staged(self) -> Iterator[tuple[LoadInput, str, str]]:
        for batch in self._batches():
            yield from self._resolved(batch)

    def _batches(self) -> Iterator[list[LoadInput]]:
        context = self._context
        yield from context.store.loads.to_load(
            context.dataset, context.store_gid, ResourceType.REDIRECTS, Selection(), only_pending=False
        )

    def _resolved(self, batch: Sequence[LoadInput]) -> Iterator[tuple[LoadInput, str, str]]:
        """Path and target of each; without those whose target has not landed, or is crooked."""
        keys = {key for record in batch for key in _references(record)}
        loads, context = self._context.store.loads, self._context
        known = loads.identities(context.migration.slug, context.store_gid, keys) if keys else {}
        for record in batch:
            given = record.payload.get("input", {})
            path, target = given.get("path"), _target(given.get("target"), known)
            if isinstance(path, str) and target is not None and not record.source_deleted:
                yield record, path, target


def reopened(source_ids: Sequence[str]) -> list[Settlement]:
    """What makes these records pending: a step of theirs that only a whole load of the record clears away."""
    return [Settlement(source_id, None, steps_done={"retarget": ""}) for source_id in source_ids]


def _references(record: LoadInput) -> Sequence[RecordKey]:
    try:
        return references(record.payload) if record.may_refer else ()
    except GraftportError:
        # It is told as that record's own error when its turn comes.
        return ()


def _target(given: Any, known: Mapping[RecordKey, Identity]) -> str | None:
    if isinstance(given, str):
        return given
    try:
        put: Any = resolve(given, lambda key: address(known[key])) if isinstance(given, dict) else None
    except (KeyError, GraftportError):
        return None
    return put if isinstance(put, str) else None
