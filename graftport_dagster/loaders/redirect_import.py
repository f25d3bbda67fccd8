"""Many new redirects at once: one file that Shopify imports, instead of a call for each.

Facts (API 2026-10): an import overwrites what stands at a path, and tells how many rows failed, not which.
So only paths that the store does not have go into the file, and what has landed is read from the list of
all redirects afterwards. Whatever is left over, and its reason, is left to the single calls that follow;
that holds too where the file cannot be put there, or its import does not end.
"""

import csv
import io
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from graftport_dagster.errors import GraftportError, RecordError, TransientError, UnknownOutcomeError
from graftport_dagster.loaders.loader import LEASE_SECONDS
from graftport_dagster.loaders.plan import MAIN_STEP, LoadContext, Plan
from graftport_dagster.loaders.planner import Planner
from graftport_dagster.loaders.redirects import RedirectLoader
from graftport_dagster.loaders.routes import normal
from graftport_dagster.loaders.tally import Tally
from graftport_dagster.records import Identity, JsonObject, Outcome, RecordKey, ResourceType
from graftport_dagster.shopify import uploads
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.documents import document
from graftport_dagster.store.record_store import Intent, Lease, Settlement

FEWEST = 500
"""New redirects from which a file is worth its calls."""
_ROWS = 5000
_PAGE = 250
_PAUSE_SECONDS = 1.0
_SUBMITTED = frozenset({"ALREADY_IMPORTED", "IN_PROGRESS"})
_LONGEST_SECONDS = 600.0


class RedirectImport:
    """The imports of one load of redirects; use once, before `Loading`."""

    def __init__(
        self, context: LoadContext, shop: Shop, lease: Lease, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._context = context
        self._shop = shop
        self._lease = lease
        self._loads = context.store.loads
        self._sleep = sleep
        self.tally = Tally()

    def run(self) -> Tally:
        """Imports what is new. Raises ConfigurationError; other failures leave the records to single calls."""
        try:
            self._run()
        except (TransientError, RecordError) as error:
            self._context.progress(f"redirects: the file could not be imported, they go one by one: {error}")
        return self.tally

    def _run(self) -> None:
        plans = self._new(self._there())
        while (chunk := list(islice(plans, _ROWS))) and not self._context.should_stop():
            self._context.progress(f"redirects: {len(chunk)} in one file")
            if not self._import(chunk):
                break

    def _new(self, there: dict[str, str]) -> Iterator[Plan]:
        """Plans of redirects that are in the store under no path, each path once."""
        planner, taken = Planner(RedirectLoader(), self._context), set(there)
        for batch in self._loads.to_load(
            self._context.dataset, self._context.store_gid, ResourceType.REDIRECTS, self._context.selection,
            only_pending=True,
        ):  # fmt: skip
            for plan in planner.plan(batch)[0]:
                path = normal(plan.envelope["input"]["path"])
                if not plan.gid and plan.open_step is None and not plan.withdrawal and path not in taken:
                    taken.add(path)
                    yield plan

    def _import(self, plans: Sequence[Plan]) -> bool:
        """Whether the import ended; what of it has landed is settled."""
        intents = [Intent(it.record.source_id, MAIN_STEP, it.record.payload_hash, repeatable=False) for it in plans]
        self._loads.intend(self._lease, intents, self._context.run)
        try:
            import_id = self._put(plans)
        except GraftportError:
            self._release(plans)
            return False
        try:
            self._submit(import_id)
        except UnknownOutcomeError:
            return False
        except GraftportError:
            self._release(plans)
            return False
        if not self._ended(import_id):
            return False
        self._settle(plans)
        return True

    def _put(self, plans: Sequence[Plan]) -> str:
        given = {"resource": "URL_REDIRECT_IMPORT", "filename": "redirects.csv", "mimeType": "text/csv",
                 "httpMethod": "POST"}  # fmt: skip
        (target,) = self._call("staged_uploads_create", {"input": [given]}, repeatable=True)["stagedTargets"]
        uploads.put(target, "redirects.csv", _file(plans))
        created = self._call("url_redirect_import_create", {"url": target["resourceUrl"]}, repeatable=True)
        return str(created["urlRedirectImport"]["id"])

    def _submit(self, import_id: str) -> None:
        # Sent twice it is refused, or writes the same again.
        answer = self._shop.call(document("url_redirect_import_submit"), {"id": import_id}, repeatable=True)
        self.tally.calls += answer.calls
        self.tally.cost += answer.cost_actual
        if any(error.code not in _SUBMITTED for error in answer.user_errors):
            answer.raise_for_user_errors()

    def _ended(self, import_id: str) -> bool:
        deadline = time.monotonic() + _LONGEST_SECONDS
        while time.monotonic() < deadline:
            state = self._call("url_redirect_import", {"id": import_id}, repeatable=True)
            if state["finished"]:
                return True
            if self._context.should_stop():
                return False
            self._loads.renew(self._lease, seconds=LEASE_SECONDS)
            self._sleep(_PAUSE_SECONDS)
        return False

    def _settle(self, plans: Sequence[Plan]) -> None:
        there = self._there()
        landed = [plan for plan in plans if normal(plan.envelope["input"]["path"]) in there]
        self._loads.settle(self._lease, self._context.run, [_landed(plan, there) for plan in landed])
        self.tally.outcomes[Outcome.CREATED] += len(landed)
        known = {plan.record.source_id for plan in landed}
        self._release([plan for plan in plans if plan.record.source_id not in known])

    def _release(self, plans: Sequence[Plan]) -> None:
        released = [Settlement(plan.record.source_id, None, steps_released=(MAIN_STEP,)) for plan in plans]
        self._loads.settle(self._lease, self._context.run, released)

    def _there(self) -> dict[str, str]:
        """Path → GID of every redirect of the store, by its list, which knows them at once."""
        found: dict[str, str] = {}
        cursor = None
        while True:
            page = self._call("url_redirects_all", {"first": _PAGE, "after": cursor}, repeatable=True)
            found |= {normal(node["path"]): node["id"] for node in page["nodes"]}
            self._loads.renew(self._lease, seconds=LEASE_SECONDS)
            if not page["pageInfo"]["hasNextPage"]:
                return found
            cursor = page["pageInfo"]["endCursor"]

    def _call(self, name: str, variables: JsonObject, *, repeatable: bool) -> JsonObject:
        answer = self._shop.call(document(name), variables, repeatable=repeatable)
        self.tally.calls += answer.calls
        self.tally.cost += answer.cost_actual
        answer.raise_for_user_errors()
        return answer.data


def _file(plans: Sequence[Plan]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("Redirect from", "Redirect to"))
    rows.writerows((plan.envelope["input"]["path"], plan.envelope["input"]["target"]) for plan in plans)
    return text.getvalue().encode()


def _landed(plan: Plan, there: dict[str, str]) -> Settlement:
    record, redirect = plan.record, plan.envelope["input"]
    key = RecordKey(ResourceType.REDIRECTS, record.source_id)
    return Settlement(
        source_id=record.source_id, outcome=Outcome.CREATED, payload_hash=record.payload_hash, clean=True,
        landed_groups=record.group_hashes, mapping_version=record.mapping_version, warnings=plan.warnings,
        identities=(Identity(key, there[normal(redirect["path"])], redirect["path"]),),
        snapshot={"target": redirect["target"], "fields": dict(redirect)},
    )  # fmt: skip
