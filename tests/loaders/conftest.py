"""A record store, a simulated Shopify store in a process of its own, and short ways to stage and load."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from graftport_dagster.loaders import preflight
from graftport_dagster.loaders.bulk_operation import Limits
from graftport_dagster.loaders.groups import group_hashes
from graftport_dagster.loaders.hierarchy import Hierarchy
from graftport_dagster.loaders.loader import Loading
from graftport_dagster.loaders.plan import LoadContext
from graftport_dagster.loaders.redirect_import import RedirectImport
from graftport_dagster.loaders.registry import loadable, loader_for
from graftport_dagster.loaders.rehearsal import Rehearsal, Rehearsed
from graftport_dagster.loaders.routes import Routes, reopened
from graftport_dagster.loaders.tally import Tally
from graftport_dagster.migration import Defaults, Destination, Migration
from graftport_dagster.records import JsonObject, Phase, ResourceType, Run, RunOptions, SourceRecord
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import Dataset, RecordStore, Selection, StagedResult

MIGRATION = "shop"


@dataclass
class Clock:
    """A clock that tests turn by hand."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class World:
    """Everything that a load needs, and what it left behind."""

    url: str
    store: RecordStore
    migration: Migration
    clock: Clock = field(default_factory=Clock)
    patience_seconds: float = 20
    # Longer than a lost call can still be running.
    a_while: timedelta = timedelta(minutes=10)
    # Of a process that may be killed, so that the next one takes its lease over.
    host: str = ""
    pid: int = 0
    runs: int = 0
    # What the last load of collections said of their tree.
    notes: list[str] = field(default_factory=list)
    # Of rehearsals.
    verdicts: list[JsonObject] = field(default_factory=list)

    def shop(self, stop: Callable[[], bool] = lambda: False) -> Shop:
        return Shop(
            self.url, credentials=AccessToken("secret"), concurrency=self.migration.destination.concurrency,
            timeout_seconds=3, patience_seconds=self.patience_seconds, stop=stop,
        )  # fmt: skip

    def options(self, **options: Any) -> None:
        """Changes what the migration file says under `options`."""
        defaults = self.migration.options.model_copy(update=options)
        self.migration = self.migration.model_copy(update={"options": defaults})

    def begin(self, **options: Any) -> Run:
        self.runs += 1
        run = self.store.runs.start(Run(f"run-{self.runs}", MIGRATION, RunOptions(**options)))
        return replace(run, host=self.host, pid=self.pid)

    def stage(self, resource_type: ResourceType, payloads: dict[str, JsonObject]) -> None:
        run, data = self.begin(), Dataset(MIGRATION)
        version = self.store.mappings.publish("magento", resource_type, "$", by="")
        records = [SourceRecord(source_id, payload) for source_id, payload in payloads.items()]
        self.store.source_records.upsert(data, resource_type, run, records)
        for batch in self.store.staged_records.to_transform(data, data, resource_type, version, "", Selection()):
            results = []
            for given in batch:
                payload = orjson.loads(given.payload)
                hashes = group_hashes(resource_type, payload)
                results.append(StagedResult(given.source_id, given.source_hash, payload, hashes))
            self.store.staged_records.stage(data, resource_type, run, version, "", results)

    def forget(self, resource_type: ResourceType) -> None:
        """A whole read of the source finds no record of the type any more."""
        self.store.source_records.mark_deleted(Dataset(MIGRATION), resource_type, self.begin())

    def load(
        self,
        resource_type: ResourceType,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        stops_calls: bool = False,
        imports: bool = False,
        by_bulk: Limits | None = None,
        **options: Any,
    ) -> Tally:
        """`stops_calls`: calls that wait are given up too once it is to stop, as a run's are."""
        run = self.begin(**options)
        asked: list[bool] = []

        def stop() -> bool:
            asked.append(should_stop())
            return asked[-1]

        shop = self.shop(lambda: stops_calls and any(asked))
        facts = preflight.ask(shop)
        preflight.prepare(shop, facts, loadable())
        self.store.loads.put_identities(MIGRATION, facts.gid, preflight.locations(self.migration, facts))
        lease = self.store.loads.acquire(MIGRATION, facts.gid, resource_type, run)
        context = LoadContext(
            migration=self.migration, store=self.store, run=run, store_gid=facts.gid, dataset=Dataset(MIGRATION),
            publications=facts.publications, selection=Selection(), should_stop=stop,
            progress=lambda _line: None, now=self.clock,
        )  # fmt: skip
        if resource_type is ResourceType.REDIRECTS:
            outdated = [record.source_id for record in Routes(context).outdated()]
            self.store.loads.settle(lease, run, reopened(outdated))
        try:
            if imports:
                return RedirectImport(context, shop, lease, sleep=lambda _seconds: None).run()
            tally = Loading(loader_for(resource_type), context, shop, lease, by_bulk=by_bulk).run()
            if resource_type is ResourceType.COLLECTIONS and not (tree := Hierarchy(context)).is_empty:
                self.notes = tree.keep(shop)
            return tally
        finally:
            self.store.loads.release(lease)
            shop.close()

    def rehearse(self, resource_type: ResourceType) -> Rehearsed:
        """A dry load."""
        run = self.begin(dry_run=True)
        shop = self.shop()
        facts = preflight.ask(shop)
        shop.close()
        context = LoadContext(
            migration=self.migration, store=self.store, run=run, store_gid=facts.gid, dataset=Dataset(MIGRATION),
            publications=facts.publications, selection=Selection(), should_stop=lambda: False,
            progress=lambda _line: None, now=self.clock,
        )  # fmt: skip
        rehearsal = Rehearsal(loader_for(resource_type), context, None)
        batches = self.store.loads.to_load(
            context.dataset, facts.gid, resource_type, Selection(), only_pending=True, with_deleted=False
        )
        for verdicts in rehearsal.verdicts(batches):
            self.verdicts += [verdict.as_dict() for verdict in verdicts]
        return rehearsal.rehearsed

    def warnings(self, resource_type: ResourceType) -> dict[str, int]:
        """What the last run warned of, by code."""
        groups = self.store.runs.warnings(f"run-{self.runs}", resource_type, Phase.LOAD)
        return {group.code: group.count for group in groups}

    def calls(self) -> list[str]:
        """The operations that have written so far, in their order."""
        return [request["operation"] for request in self.writes()]

    def story(self, resource_type: ResourceType, source_id: str) -> JsonObject:
        return self.store.story(MIGRATION, resource_type, source_id)

    def incomplete(self) -> list[JsonObject]:
        return self.store.incomplete.open(MIGRATION)

    # --- the other side ----------------------------------------------------------

    def objects(self, kind: str) -> list[JsonObject]:
        found: list[JsonObject] = requests.get(f"{self.url}/_simulator/objects?type={kind}", timeout=10).json()
        return found

    def asked(self) -> list[JsonObject]:
        """Everything that Shopify was asked."""
        asked = requests.get(f"{self.url}/_simulator/requests?after=0", timeout=10).json()
        found: list[JsonObject] = asked["requests"] if isinstance(asked, dict) else asked
        return found

    def writes(self) -> list[JsonObject]:
        return [request for request in self.asked() if request["writes"]]

    def fault(self, fault: str, operation: str, **more: Any) -> None:
        rule = {"fault": fault, "operation": operation, "times": 1, **more}
        requests.post(f"{self.url}/_simulator/faults", json=rule, timeout=10).raise_for_status()

    def restore(self) -> None:
        """The token that was revoked is good again."""
        requests.post(f"{self.url}/_simulator/revoke", json={"restore": "secret"}, timeout=10).raise_for_status()

    def calm(self) -> None:
        requests.post(f"{self.url}/_simulator/faults", json={"faults": [], "replace": True}, timeout=10)

    def edit(self, gid: str, **fields: Any) -> None:
        """What a merchant changes by hand."""
        answer = requests.post(f"{self.url}/_simulator/edit", json={"id": gid, "set": fields}, timeout=10)
        answer.raise_for_status()

    def graphql(self, query: str, **variables: Any) -> JsonObject:
        """What a merchant, or another app, does."""
        answer = requests.post(
            f"{self.url}/admin/api/2026-10/graphql.json", json={"query": query, "variables": variables},
            headers={"X-Shopify-Access-Token": "another"}, timeout=10,
        ).json()  # fmt: skip
        assert "errors" not in answer, answer
        data: JsonObject = answer["data"]
        return data


@pytest.fixture
def world(simulator_url: str, tmp_path: Path) -> Iterator[World]:
    """An empty Shopify store and an empty record store."""
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    destination = Destination(shop=simulator_url, access_token="env:TOKEN", concurrency=4)
    migration = Migration(
        slug=MIGRATION, folder=tmp_path, source=FilesSettings(platform="magento"), destination=destination,
        options=Defaults(),
    )  # fmt: skip
    with RecordStore.open(f"sqlite:///{tmp_path}/records.db") as store:
        yield World(simulator_url, store, migration)


def product(title: str, *, price: str = "10.00", quantity: int = 5, **more: Any) -> JsonObject:
    """A product of two sizes."""
    handle = title.lower().replace(" ", "-")
    stock = {"locationId": {"$ref": {"resource_type": "locations", "source_id": "default"}}, "name": "available"}
    return {
        "input": {
            "title": title, "handle": handle, "status": "DRAFT",
            "productOptions": [{"name": "Size", "values": [{"name": "S"}, {"name": "M"}]}],
            "variants": [
                {"optionValues": [{"optionName": "Size", "name": size}], "sku": f"{handle}-{size}", "price": price,
                 "inventoryItem": {"tracked": True}, "inventoryQuantities": [{**stock, "quantity": quantity}]}
                for size in ("S", "M")
            ],
            **more,
        },
        "publications": ["Online Store"],
    }  # fmt: skip


@pytest.fixture
def make_product() -> Callable[..., JsonObject]:
    """`make_product(title, price=…, quantity=…, **fields)` → the envelope of a product of two sizes."""
    return product


@pytest.fixture
def reference() -> Callable[[str, str], JsonObject]:
    """`reference(resource_type, source_id)` → what a mapping writes."""
    return lambda resource_type, source_id: {"$ref": {"resource_type": resource_type, "source_id": source_id}}
