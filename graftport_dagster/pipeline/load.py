"""Load: staged records into one Shopify store, or in a dry run the verdicts of what would be done.

Preflight, the store's confirmation, the write brake, the lease; then `loaders.loader` does the
work. What may be sent, and what an answer means, is decided there.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from graftport_dagster.errors import (
    ConfigurationError,
    GraftportError,
    LeaseHeldError,
    StoreNotConfirmedError,
    WriteBrakeError,
)
from graftport_dagster.loaders import preflight
from graftport_dagster.loaders.bulk_operation import limits_for
from graftport_dagster.loaders.hierarchy import Hierarchy
from graftport_dagster.loaders.loader import LEASE_SECONDS, Loading
from graftport_dagster.loaders.plan import LoadContext, Loader
from graftport_dagster.loaders.preflight import StoreFacts
from graftport_dagster.loaders.redirect_import import FEWEST, RedirectImport
from graftport_dagster.loaders.registry import loader_for
from graftport_dagster.loaders.rehearsal import Rehearsal
from graftport_dagster.loaders.routes import Routes, reopened
from graftport_dagster.loaders.sending import Spent
from graftport_dagster.loaders.tally import Tally
from graftport_dagster.pipeline.work import Work
from graftport_dagster.records import Phase, ResourceType
from graftport_dagster.shopify.client import Shop
from graftport_dagster.store.record_store import Lease, Selection

_LEASE_WAIT_SECONDS = 30.0


@dataclass
class Loaded:
    """What a load counted and spent. `fatal`: what stopped it. `landed_before`: records that were there."""

    counts: Counter[str] = field(default_factory=Counter)
    api_calls: int = 0
    api_cost: float = 0.0
    landed_before: int = 0
    fatal: Exception | None = None
    notes: list[str] = field(default_factory=list)


def load(work: Work, resource_type: ResourceType) -> Loaded:
    """Loads one resource type. Raises ConfigurationError and TransientError for what concerns the whole type."""
    loader = loader_for(resource_type)
    shop = work.shop()
    facts = preflight.ask(shop)
    work.store.runs.enter(work.run.run_id, facts.gid)
    is_rehearsal = work.run.options.dry_run
    _confirm(work, facts)
    if not is_rehearsal:
        preflight.prepare(shop, facts, work.migration.resource_types or loadable_types(resource_type))
    work.store.loads.put_identities(work.migration.slug, facts.gid, preflight.locations(work.migration, facts))
    context = LoadContext(
        migration=work.migration,
        store=work.store,
        run=work.run,
        store_gid=facts.gid,
        dataset=work.dataset(own=Phase.TRANSFORM in work.run.options.phases),
        publications=facts.publications,
        selection=_in_turn(work, resource_type),
        should_stop=work.should_stop,
        progress=work.progress,
    )
    if resource_type is ResourceType.REDIRECTS and not is_rehearsal:
        _reopen_redirects(work, context)
    scope = work.store.loads.scope(
        context.dataset, facts.gid, resource_type, context.selection, with_deleted=context.withdraws
    )
    to_do = scope["pending"] if work.run.options.only_dirty else scope["in_scope"]
    done = Loaded(landed_before=scope["landed"])
    if not done.landed_before and context.selection.is_narrow:
        done.landed_before = work.store.loads.scope(context.dataset, facts.gid, resource_type, Selection())["landed"]
    done.counts.update(in_scope=scope["in_scope"], unchanged=scope["in_scope"] - to_do)
    done.notes += filter(None, [f"into {facts.name} ({facts.domain})", preflight.wrong_clock(facts)])
    if to_do and is_rehearsal:
        by_bulk = limits_for(loader, work.migration, to_do) is not None
        done.notes += ["Records would go by bulk operations, which ask for no points."] if by_bulk else []
        live = shop if work.run.options.live else None
        _rehearse(work, Rehearsal(loader, context, live, by_bulk=by_bulk), done, resource_type)
    elif to_do:
        _brake(work, scope)
        _send(work, loader, context, shop, done, to_do)
    if resource_type is ResourceType.COLLECTIONS and not is_rehearsal and done.fatal is None:
        _arrange(work, context, shop, done)
    if context.selection != work.selection:
        _count_the_rest(work, context, resource_type, scope, done)
    return done


def _send(work: Work, loader: Loader, context: LoadContext, shop: Shop, done: Loaded, to_do: int) -> None:
    """The load itself, as the one writer of the type, and what it counted."""
    resource_type = loader.resource_type
    done.notes += filter(None, [_rehearsed(work, resource_type)])
    lease = acquire(work, context.store_gid, resource_type)
    try:
        imports = resource_type is ResourceType.REDIRECTS and to_do >= FEWEST
        imported = RedirectImport(context, shop, lease).run() if imports else Tally()
        by_bulk = limits_for(loader, work.migration, to_do)
        loading = Loading(loader, context, shop, lease, expected=to_do - imported.seen, by_bulk=by_bulk)
        tally = loading.run().and_before(imported)
    finally:
        work.store.loads.release(lease)
    done.counts.update({str(outcome): number for outcome, number in tally.outcomes.items()})
    done.api_calls, done.api_cost, done.fatal = tally.calls, tally.cost, tally.fatal
    if tally.operations:
        operations = f"{tally.operations} operation{'s' if tally.operations > 1 else ''}"
        done.notes.append(f"{tally.in_bulk} of {to_do} records went by bulk, in {operations}.")
    if done.fatal is not None or work.should_stop():
        done.counts["not_reached"] = to_do - tally.seen
    if done.counts["held"]:
        done.notes += [*_judged(work, context.store_gid), *_awaited(work, context.store_gid, resource_type)]


def _arrange(work: Work, context: LoadContext, shop: Shop, done: Loaded) -> None:
    """Collections that have landed are put into the tree that they were in; as the one writer of them."""
    hierarchy = Hierarchy(context)
    if hierarchy.is_empty:
        return
    lease = acquire(work, context.store_gid, ResourceType.COLLECTIONS)
    spent = Spent(shop)
    try:
        done.notes += hierarchy.keep(spent)
    except GraftportError as error:
        done.fatal = error
    finally:
        work.store.loads.release(lease)
        done.api_calls, done.api_cost = done.api_calls + spent.calls, done.api_cost + spent.cost


def _in_turn(work: Work, resource_type: ResourceType) -> Selection:
    """What is loaded: what the run asks for; with `sequential_processing`, open records before anything new."""
    options = work.run.options
    if not work.migration.options.sequential_processing or options.retry or options.dry_run:
        return work.selection
    if not work.store.incomplete.count(work.migration.slug, resource_type, without_held=True):
        return work.selection
    return replace(work.selection, is_retry=True)


def _count_the_rest(
    work: Work, context: LoadContext, resource_type: ResourceType, narrow: Mapping[str, int], done: Loaded
) -> None:
    """What sequential processing keeps back is in scope still: pending, and not reached."""
    whole = work.store.loads.scope(
        context.dataset, context.store_gid, resource_type, work.selection, with_deleted=context.withdraws
    )
    kept_back = whole["pending"] - narrow["pending"]
    rest = whole["in_scope"] - narrow["in_scope"]
    done.counts.update(in_scope=rest, unchanged=rest - kept_back, not_reached=kept_back)
    if kept_back:
        done.notes.append(
            f"{kept_back} records were kept back, because some of this type are open and sequential_processing is on."
        )


def _judged(work: Work, store_gid: str) -> list[str]:
    """What of all that is held can never be released, as remarks; the records themselves are marked."""
    migration = work.migration
    enabled = [str(name) for name in migration.resource_types or ResourceType]
    counts = work.store.loads.judge_waits(migration.slug, store_gid, enabled)
    told = {
        "REFERENCE_CYCLE": "held records wait for one another in a circle",
        "REFERENCE_NEVER": "held records wait for what never comes",
    }
    return [
        f"{counts[code]} {words}: graftport errors {migration.slug} --group {code}"
        for code, words in told.items()
        if counts.get(code)
    ]


def _awaited(work: Work, store_gid: str, resource_type: ResourceType) -> list[str]:
    """What of the held records another run is just bringing the rest for, as remarks."""
    found = work.store.loads.awaited_of_others(work.migration.slug, store_gid, resource_type, work.run)
    return [
        f"{count} held records wait for {kind}, which run {run_id} is loading: that run lands them, or the next one."
        for kind, count, run_id in found
    ]


def _rehearsed(work: Work, resource_type: ResourceType) -> str:
    """A remark where a mapping version is loaded that no dry run has tried. Raises ConfigurationError where it must."""
    for item in work.store.runs.items(work.run.run_id):
        if item.resource_type is not resource_type or item.phase is not Phase.TRANSFORM or not item.mapping_version:
            continue
        if work.store.runs.was_rehearsed(work.migration.slug, resource_type, item.mapping_version):
            continue
        if work.migration.destination.is_simulated and not work.migration.options.require_dry_run:
            # A load into the embedded simulator is a rehearsal itself.
            continue
        told = f"No dry run has tried {item.mapping_version}."
        if work.migration.options.require_dry_run:
            raise ConfigurationError(
                f"{told} require_dry_run is on.", code="NOT_REHEARSED",
                hint=f"Rehearse it first: graftport run {work.migration.slug} --dry-run.",
            )  # fmt: skip
        return told
    return ""


def loadable_types(resource_type: ResourceType) -> tuple[ResourceType, ...]:
    """The types whose definitions and scopes a load of this one needs."""
    return (resource_type, *resource_type.requires)


def _reopen_redirects(work: Work, context: LoadContext) -> None:
    """Redirects whose target's address has changed since they landed are pending, though their payload is the same."""
    outdated = [record.source_id for record in Routes(context).outdated()]
    if not outdated:
        return
    lease = acquire(work, context.store_gid, ResourceType.REDIRECTS)
    try:
        work.store.loads.settle(lease, work.run, reopened(outdated))
    finally:
        work.store.loads.release(lease)


def _confirm(work: Work, facts: StoreFacts) -> None:
    slug, options = work.migration.slug, work.run.options
    stores = work.store.stores
    if options.dry_run:
        return
    known = stores.meet(slug, facts.gid, facts.domain, facts.name, confirm=options.confirm_store)
    if not known.confirmed:
        others = [store.domain for store in stores.known(slug) if store.confirmed and store.gid != facts.gid]
        raise StoreNotConfirmedError(
            f"This is {facts.domain}; until now {slug} was loaded into {', '.join(others)}. "
            "Every record would be created there anew.",
            hint=f"If that is meant, confirm it once: graftport check {slug} --confirm-store, or confirm_store: true.",
        )


def _brake(work: Work, scope: Mapping[str, int]) -> None:
    share = work.migration.options.max_changed_share
    landed = scope["landed"]
    updates = scope["pending"] - (scope["in_scope"] - landed)
    if share is not None and landed and updates > share * landed:
        raise WriteBrakeError(
            f"{updates} of {landed} records that are in Shopify would change, more than max_changed_share allows.",
            code="TOO_MANY_CHANGED", hint="See the dry run; if it is right, raise options.max_changed_share.",
        )  # fmt: skip


def acquire(
    work: Work, store_gid: str, resource_type: ResourceType, *, sleep: Callable[[float], None] = time.sleep
) -> Lease:
    """The lease of a type on a store (or of its staging, store_gid ""); waits half a minute for another run."""
    deadline = time.monotonic() + _LEASE_WAIT_SECONDS
    has_told = False
    while True:
        try:
            return work.store.loads.acquire(
                work.migration.slug, store_gid, resource_type, work.run, seconds=LEASE_SECONDS
            )
        except LeaseHeldError as error:
            if time.monotonic() > deadline or work.should_stop():
                raise
            if not has_told:
                work.progress(f"{resource_type}: waits for another run. {error.message}")
            has_told = True
            sleep(0.5)


def _rehearse(work: Work, rehearsal: Rehearsal, done: Loaded, resource_type: ResourceType) -> None:
    loads, options = work.store.loads, work.run.options
    context = rehearsal.context
    batches = loads.to_load(
        context.dataset, context.store_gid, resource_type, context.selection, only_pending=options.only_dirty,
        with_deleted=context.withdraws,
    )  # fmt: skip
    with _private(work.report_folder / f"{resource_type}.jsonl").open("w", encoding="utf-8") as file:
        for verdicts in rehearsal.verdicts(batches):
            file.writelines(json.dumps(verdict.as_dict(), ensure_ascii=False) + "\n" for verdict in verdicts)
            work.progress(f"{resource_type}: {rehearsal.rehearsed.outcomes.total()} verdicts")
            if work.should_stop():
                break
    done.counts.update({str(outcome): number for outcome, number in rehearsal.rehearsed.outcomes.items()})
    done.counts["not_reached"] = done.counts["in_scope"] - sum(
        number for name, number in done.counts.items() if name not in {"in_scope", "not_reached"}
    )
    done.api_calls, done.api_cost = round(rehearsal.rehearsed.calls), rehearsal.rehearsed.cost


def _private(path: Path) -> Path:
    """The path, its folder made, the file readable by its owner only: payloads hold personal data."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    return path
