"""The life of records in any order of events: each row lands once, no outcome is missing, nothing is lost."""

import contextlib
import os
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from graftport_dagster import pipeline
from graftport_dagster.errors import GraftportError
from graftport_dagster.migration import Defaults, Destination, FileSpec, Migration
from graftport_dagster.records import Phase, ResourceType, Result, Run, RunOptions, broken_equations
from graftport_dagster.source_settings import FilesSettings
from graftport_dagster.store.record_store import Which

REDIRECTS = ResourceType.REDIRECTS
GOOD = '{"input": {"path": path, "target": target}}'
PICKY = f'$contains(target, "3") ? $error("No threes.") : {GOOD}'
FAULTS = ("http_502", "hangup_after_commit", "hangup_before_commit", "http_502_after_commit", "throttled")
NUMBERS = st.integers(min_value=0, max_value=5)


class Life(RuleBasedStateMachine):
    """A source of a few redirects that changes, a mapping that does, a network that fails, runs that are stopped."""

    shop: Any
    machines = 0

    def __init__(self) -> None:
        super().__init__()
        Life.machines += 1
        self.rows: dict[str, str] = {}
        self.ever: dict[str, set[str]] = {}
        requests.post(f"{self.shop.url}/_simulator/reset", timeout=10)
        self.shop.migration = Migration(
            slug=f"life{Life.machines}", folder=self.shop.folder, resource_types=[REDIRECTS],
            options=Defaults(abort_after=100, max_deleted_share=1),
            source=FilesSettings(files={REDIRECTS: FileSpec(path="redirects.csv", id_column="path")}),
            destination=Destination(
                shop=self.shop.url, access_token="env:SIMULATOR_TOKEN", verify_after_seconds=0, concurrency=2
            ),
        )  # fmt: skip
        self.use(GOOD)
        self.put(0, 0)

    def use(self, mapping: str) -> None:
        folder = self.shop.folder / "mappings"
        folder.mkdir(exist_ok=True)
        (folder / "redirects.jsonata").write_text(mapping, encoding="utf-8")

    def write(self) -> None:
        lines = [f"{path},{target}" for path, target in self.rows.items()]
        (self.shop.folder / "redirects.csv").write_text("\n".join(["path,target", *lines, ""]), encoding="utf-8")

    def faults(self, *rules: dict[str, Any]) -> None:
        body = {"replace": True, "faults": list(rules)}
        requests.post(f"{self.shop.url}/_simulator/faults", json=body, timeout=10).raise_for_status()

    def run(self, **options: Any) -> Any:
        ran = self.shop.run(resource_types=(REDIRECTS,), **options)
        for item in ran.items.values():
            assert broken_equations(item.phase, item.counts) == []
        return ran

    @rule(number=NUMBERS, to=NUMBERS)
    def put(self, number: int, to: int) -> None:
        """A row comes, or changes."""
        self.rows[f"/p{number}"] = f"/t{to}"
        self.ever.setdefault(f"/p{number}", set()).add(f"/t{to}")
        self.write()

    @rule(number=NUMBERS)
    def remove(self, number: int) -> None:
        if len(self.rows) > 1:
            self.rows.pop(f"/p{number}", None)
            self.write()

    @rule(mapping=st.sampled_from([GOOD, PICKY]))
    def change_the_mapping(self, mapping: str) -> None:
        self.use(mapping)

    @rule(fault=st.sampled_from(FAULTS), after=st.integers(min_value=0, max_value=2))
    def the_network_fails(self, fault: str, after: int) -> None:
        self.faults({"fault": fault, "operation": "urlRedirectCreate", "times": 2, "after": after})

    @rule(phases=st.sets(st.sampled_from(list(Phase)), min_size=1))
    def some_phases(self, phases: set[Phase]) -> None:
        self.run(phases=tuple(phase for phase in Phase if phase in phases))

    @rule()
    def everything(self) -> None:
        self.run()

    @rule()
    def retry_what_is_open(self) -> None:
        count = len(self.shop.store.incomplete.open(self.shop.migration.slug))
        ran = self.run(phases=(Phase.TRANSFORM, Phase.LOAD), retry="open")
        assert ran.items["redirects load"].counts["in_scope"] <= count if ran.items else True

    @rule(looks=st.integers(min_value=1, max_value=6), crashes=st.booleans())
    def is_stopped_on_the_way(self, looks: int, crashes: bool) -> None:
        """Somebody cancels a run, or its process dies, wherever it has come to."""
        self.shop.runs += 1
        run_id, left = f"run-{self.shop.runs}", iter(range(looks))

        def stops() -> bool:
            if next(left, None) is not None:
                return False
            if crashes:
                raise CrashError
            return True

        store = self.shop.store
        with (
            contextlib.suppress(CrashError, GraftportError),
            pipeline.open_work(
                self.shop.migration, RunOptions(), run_id=run_id, store=store, should_stop=stops
            ) as work,
        ):
            for phase in Phase:
                item = pipeline.run_phase(work, phase, REDIRECTS)
                assert broken_equations(item.phase, item.counts) == []
                if item.result is Result.CANCELED:
                    break
        # Of a dead process's run the reaper says how it ended.
        pipeline.finish_run(store, run_id, canceled=True)

    @rule(number=NUMBERS)
    def gives_up(self, number: int) -> None:
        """A person discards what is open of a row; a newer version of it is tried all the same."""
        which = Which((REDIRECTS,), source_ids=(f"/p{number}",))
        self.shop.store.incomplete.discard(self.shop.migration.slug, which, by="ann", reason="not wanted")

    @invariant()
    def what_is_open_is_named_and_of_a_row_that_was_there(self) -> None:
        for row in self.shop.store.incomplete.open(self.shop.migration.slug):
            assert row["source_id"] in self.ever
            assert row["error_class"]
            assert row["message"]

    @invariant()
    def no_lease_is_left(self) -> None:
        run = Run("looks", self.shop.migration.slug, RunOptions(), host="elsewhere", pid=1)
        lease = self.shop.store.loads.acquire(self.shop.migration.slug, "", REDIRECTS, run)
        self.shop.store.loads.release(lease)

    @invariant()
    def no_address_is_there_twice(self) -> None:
        paths = [one["path"] for one in self.shop.objects("UrlRedirect")]
        assert len(paths) == len(set(paths))
        assert set(paths) <= set(self.ever)

    @invariant()
    def nothing_is_claimed_by_a_run_that_has_ended(self) -> None:
        rows = self.shop.store.incomplete.open(self.shop.migration.slug)
        assert all(row["status"] != "in_progress" for row in rows)

    def teardown(self) -> None:
        """Calm weather at last: one run, and once more for what had to be asked about first."""
        self.faults()
        self.use(GOOD)
        for path, target in self.rows.items():
            # What was given up stays so until it changes.
            self.rows[path] = f"{target}-at-last"
        self.write()
        self.run(full_extract=True)
        last = self.run()
        there = {one["path"]: one["target"] for one in self.shop.objects("UrlRedirect")}
        assert {path: there.get(path) for path in self.rows} == self.rows
        assert last.run.result in (Result.SUCCEEDED, Result.UNCHANGED)
        assert self.shop.store.incomplete.open(self.shop.migration.slug) == []


class CrashError(BaseException):
    """The process is gone, at a moment of the test's choice."""


@pytest.mark.slow
@pytest.mark.parametrize("examples", [int(os.environ.get("GRAFTPORT_LIVES", "25"))])
def test_whatever_happens_each_row_lands_once_and_nothing_is_lost(shop: Any, examples: int) -> None:
    Life.shop = shop
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )  # fmt: skip
