"""The life of records in any order of events: each row lands once, no outcome is missing, nothing is lost."""

from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from graftport_dagster.migration import Defaults, Destination, FileSpec, Migration
from graftport_dagster.records import Phase, ResourceType, Result, broken_equations
from graftport_dagster.source_settings import FilesSettings

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
        self.run(full_extract=True)
        last = self.run()
        there = {one["path"]: one["target"] for one in self.shop.objects("UrlRedirect")}
        assert {path: there.get(path) for path in self.rows} == self.rows
        assert last.run.result in (Result.SUCCEEDED, Result.UNCHANGED)
        assert self.shop.store.incomplete.open(self.shop.migration.slug) == []


@pytest.mark.slow
def test_whatever_happens_each_row_lands_once_and_nothing_is_lost(shop: Any) -> None:
    Life.shop = shop
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )  # fmt: skip
