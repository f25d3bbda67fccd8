"""Every resource type in every situation that a record can meet: a table, of which no cell is missing."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster import pipeline
from graftport_dagster.errors import WriteBrakeError
from graftport_dagster.loaders.groups import field_groups
from graftport_dagster.loaders.registry import loadable
from graftport_dagster.migration import Defaults, FileSpec
from graftport_dagster.records import Phase, ResourceType, RunOptions
from graftport_dagster.source_settings import FilesSettings
from tests.loaders.every_type import BLOGS, CARDS, MARKETS, MEANINGLESS, SAMPLES, SITUATIONS, Sample

World = Any


def outcomes(tally: Any) -> dict[str, int]:
    assert tally.fatal is None
    return {str(outcome): number for outcome, number in tally.outcomes.items()}


def stage(world: World, resource_type: ResourceType, payload: Any, source_id: str = "1") -> None:
    world.migration = world.migration.model_copy(update={"settings": SAMPLES[resource_type].settings})
    world.stage(resource_type, {source_id: payload})


def load(world: World, resource_type: ResourceType, **options: Any) -> dict[str, int]:
    return outcomes(world.load(resource_type, **options))


def gid(world: World, resource_type: ResourceType) -> str:
    return str(world.story(resource_type, "1")["stores"][0]["gid"])


def seen(world: World, resource_type: ResourceType, field: str = "") -> Any:
    """The record's field in Shopify; None where its object is not there."""
    sample, own = SAMPLES[resource_type], gid(world, resource_type)
    return next((it[field or sample.shown] for it in world.objects(sample.kind) if it["id"] == own), None)


def landed(world: World, resource_type: ResourceType) -> Sample:
    """The sample of the type, which has landed in its first version."""
    sample = SAMPLES[resource_type]
    stage(world, resource_type, sample.first[0])
    assert load(world, resource_type) == {"created": 1}
    return sample


def is_created(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    assert seen(world, resource_type) == sample.first[1]


def is_updated(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    before = gid(world, resource_type)
    stage(world, resource_type, sample.second[0])
    assert load(world, resource_type) == {"updated": 1}
    assert (gid(world, resource_type), seen(world, resource_type)) == (before, sample.second[1])


def is_unchanged(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    stage(world, resource_type, sample.first[0])
    writes = len(world.writes())
    assert load(world, resource_type) == {}
    assert len(world.writes()) == writes


def is_skipped(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    stage(world, resource_type, sample.second[0])
    assert load(world, resource_type, conflict_strategy="skip") == {"skipped": 1}
    assert seen(world, resource_type) == sample.first[1]
    assert load(world, resource_type) == {"updated": 1}


def is_immutable(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    payload, name = sample.fixed
    stage(world, resource_type, payload)
    assert load(world, resource_type) == {"skipped": 1}
    assert world.story(resource_type, "1")["attempts"][-1]["reason"] == f"immutable in Shopify: {name}"
    assert load(world, resource_type) == {}


def is_held_and_released(world: World, resource_type: ResourceType) -> None:
    sample = SAMPLES[resource_type]
    stage(world, resource_type, sample.waiting)
    assert load(world, resource_type) == {"held": 1}
    (waiting,) = world.incomplete()
    assert (waiting["code"], waiting["reason"]) == ("REFERENCE_NOT_STAGED", "reference")
    kind, parent = sample.parent
    world.stage(kind, {"parent": parent})
    assert load(world, kind) == {"created": 1}
    assert load(world, resource_type) == {"created": 1}
    assert world.incomplete() == []


def is_refused(world: World, resource_type: ResourceType) -> None:
    sample = SAMPLES[resource_type]
    payload, code = sample.refused
    stage(world, resource_type, payload)
    before = len(world.objects(sample.kind))
    assert load(world, resource_type) == {"errored": 1}
    (refused,) = world.incomplete()
    assert (refused["error_class"], refused["code"]) == ("DataError", code or refused["code"])
    assert refused["message"]
    assert len(world.objects(sample.kind)) == before
    stage(world, resource_type, sample.first[0])
    assert load(world, resource_type) == {"created": 1}


def withdrawn(policy: str) -> Callable[[World, ResourceType], None]:
    def situation(world: World, resource_type: ResourceType) -> None:
        sample = landed(world, resource_type)
        own = gid(world, resource_type)
        wanted = sample.withdrawals[policy]
        world.options(on_source_delete=policy)
        world.forget(resource_type)
        assert load(world, resource_type) == {wanted.outcome: 1}
        left = [it[sample.shown] for it in world.objects(sample.kind) if it["id"] == own]
        assert left == ([] if wanted.outcome == "deleted" else [wanted.left])
        # It comes back, and nothing that it left behind stands in its way.
        stage(world, resource_type, sample.second[0])
        load(world, resource_type)
        if resource_type is CARDS:
            # What is deactivated stays so for good, and the record says it.
            assert [it["message"] for it in world.incomplete()] == ["Shopify refused it: The gift card is deactivated."]
        else:
            assert (world.incomplete(), seen(world, resource_type)) == ([], sample.second[1])

    return situation


def is_kept(world: World, resource_type: ResourceType) -> None:
    sample = landed(world, resource_type)
    world.forget(resource_type)
    writes = len(world.writes())
    assert load(world, resource_type) == {}
    # A change that came before it vanished is not to be done either, in this run or any other.
    stage(world, resource_type, sample.second[0])
    world.forget(resource_type)
    assert [load(world, resource_type) for _ in range(2)] == [{}, {}]
    assert (len(world.writes()), seen(world, resource_type)) == (writes, sample.first[1])


def is_braked(world: World, resource_type: ResourceType) -> None:
    """Three in four records are missing from the source all at once: none is taken as deleted."""
    folder: Path = world.migration.folder
    spec = FileSpec(path="rows.jsonl", id_column="id")
    world.migration = world.migration.model_copy(update={
        "source": FilesSettings(files={resource_type: spec}), "resource_types": [resource_type],
        "options": Defaults(on_source_delete="delete"),
    })  # fmt: skip

    def extract(number: int) -> Any:
        rows = [json.dumps({"id": str(index), "name": f"row {index}"}) for index in range(number)]
        (folder / "rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        with pipeline.open_work(world.migration, RunOptions(), run_id=f"brake-{number}", store=world.store) as work:
            return pipeline.run_phase(work, Phase.EXTRACT, resource_type).counts

    assert extract(20)["new"] == 20
    with pytest.raises(WriteBrakeError) as raised:
        extract(5)
    assert raised.value.code == "TOO_MANY_DELETED"
    assert extract(19)["deleted_at_source"] == 1


def is_drifted(world: World, resource_type: ResourceType) -> None:
    sample = SAMPLES[resource_type]
    fields, path = sample.edit
    payload = with_edited(sample.first[0], sample.edit)
    stage(world, resource_type, payload)
    assert load(world, resource_type) == {"created": 1}
    # Shopify tells times of change to the second.
    time.sleep(1.1)
    world.edit(gid(world, resource_type), **fields)
    stage(world, resource_type, with_edited(sample.second[0], sample.edit))
    world.options(drift="hold")
    writes = len(world.writes())
    assert load(world, resource_type) == {"held": 1}
    (held,) = world.incomplete()
    assert (held["code"], held["reason"], held["path"]) == ("DRIFTED", "drift", path)
    name, value = next(iter(fields.items()))
    assert (len(world.writes()), seen(world, resource_type, name)) == (writes, value)
    world.options(drift="overwrite")
    assert load(world, resource_type) == {"updated": 1}
    assert world.warnings(resource_type) == {"DRIFTED": 1}
    assert seen(world, resource_type, name) != value


def with_edited(payload: Any, edit: tuple[Mapping[str, Any], str]) -> Any:
    """The payload with the field that is edited by hand; a field that it does not give is not ours to watch."""
    name, _ = next(iter(edit[0].items()))
    given = payload["input"]
    if name in given or any(isinstance(one, dict) and name in one for one in given.values()):
        return payload
    return {**payload, "input": {**given, name: "2099-01-01"}}


def is_filtered(world: World, resource_type: ResourceType) -> None:
    """A load of one group sends that alone, and the rest stays pending."""
    sample = landed(world, resource_type)
    group, field = sample.group
    before = seen(world, resource_type, field) if field and field != "codes" else None
    stage(world, resource_type, sample.second[0])
    assert load(world, resource_type, field_filter={resource_type: frozenset({group})}) == {"updated": 1}
    assert seen(world, resource_type) == sample.first[1]
    if before is not None:
        assert seen(world, resource_type, field) != before
    assert load(world, resource_type, field_filter={resource_type: frozenset({group})}) == {"unchanged": 1}
    assert load(world, resource_type) == {"updated": 1}


def is_adopted(world: World, resource_type: ResourceType) -> None:
    sample = SAMPLES[resource_type]
    mutation, given = sample.taken
    if resource_type is BLOGS:
        made = world.graphql("mutation($it: BlogCreateInput!) { blogCreate(blog: $it) { blog { id } } }",
                             it={"title": "News", "handle": "news"})  # fmt: skip
        given = {**given, "blogId": made["blogCreate"]["blog"]["id"]}
    world.graphql(mutation, it=given)
    (theirs,) = [it["id"] for it in world.objects(sample.kind) if not it.get("primary")]
    stage(world, resource_type, sample.first[0])
    assert load(world, resource_type) == {"errored": 1}
    (refused,) = world.incomplete()
    assert refused["code"] == "ALREADY_THERE"
    assert theirs in refused["message"]
    world.options(adopt_existing="by_natural_key")
    assert load(world, resource_type) == {"adopted": 1}
    assert (gid(world, resource_type), seen(world, resource_type)) == (theirs, sample.first[1])


SHOWN: Mapping[str, Callable[[World, ResourceType], None]] = {
    "created": is_created, "updated": is_updated, "unchanged": is_unchanged, "skipped by strategy": is_skipped,
    "skipped as immutable": is_immutable, "held and released": is_held_and_released, "refused by Shopify": is_refused,
    "kept": is_kept, "archived": withdrawn("archive"), "deleted": withdrawn("delete"), "braked": is_braked,
    "drifted": is_drifted, "filtered": is_filtered, "adopted": is_adopted,
}  # fmt: skip
CELLS = [(one, situation) for one in SAMPLES for situation in SITUATIONS if (one, situation) not in MEANINGLESS]


@pytest.mark.parametrize(("resource_type", "situation"), CELLS, ids=[f"{one} {it}" for one, it in CELLS])
def test_a_record_of_every_type_in_every_situation(
    world: World, resource_type: ResourceType, situation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    SHOWN[situation](world, resource_type)


def test_no_cell_of_the_table_is_missing() -> None:
    assert set(SAMPLES) == set(loadable()) == set(ResourceType)
    assert set(SHOWN) == set(SITUATIONS)
    assert len(CELLS) + len(MEANINGLESS) == len(SAMPLES) * len(SITUATIONS)
    assert all(len(reason) > 40 for reason in MEANINGLESS.values())


def test_what_is_said_to_be_meaningless_is() -> None:
    for resource_type, situation in MEANINGLESS:
        if situation == "skipped as immutable":
            assert field_groups(resource_type).immutable == frozenset()
        elif situation == "filtered":
            assert field_groups(resource_type).names == {"content"}
        else:
            assert situation == "adopted"
            assert replace(SAMPLES[resource_type], taken=("", {})) == SAMPLES[resource_type]


def test_a_market_that_comes_back_leaves_no_second_price_list(world: World) -> None:
    withdrawn("delete")(world, MARKETS)
    assert [len(world.objects(kind)) for kind in ("MarketCatalog", "PriceList")] == [1, 1]
