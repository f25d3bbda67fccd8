"""The options of a run: from Dagster's configuration and back, and what is refused."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graftport_dagster.defs.launch import run_config
from graftport_dagster.defs.options import OptionsResource, PhaseChoice, ResourceTypeChoice
from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import Defaults, Migration
from graftport_dagster.records import Phase, ResourceType, RunOptions
from graftport_dagster.source_settings import FilesSettings

MIGRATION = Migration(
    slug="shop", folder=Path(), source=FilesSettings(), options=Defaults(conflict_strategy="skip")
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=9)
subsets = st.lists(st.sampled_from(list(Phase)), min_size=1, unique=True)
run_options = st.builds(
    RunOptions,
    phases=subsets.map(lambda phases: tuple(phase for phase in Phase if phase in phases)),
    resource_types=st.lists(st.sampled_from(list(ResourceType)), unique=True).map(
        lambda types: tuple(kind for kind in ResourceType if kind in types)
    ),
    live=st.booleans(),
    limit=st.none() | st.integers(1, 10**9),
    source_ids=st.lists(texts, max_size=3).map(tuple),
    error_group=texts,
    only_dirty=st.booleans(),
    conflict_strategy=st.sampled_from(["overwrite", "skip"]),
    field_filter=st.dictionaries(
        st.sampled_from([str(kind) for kind in ResourceType]), st.just(("title",)), max_size=2
    ),
    fail_on_row_errors=st.booleans(),
    resend_refused=st.booleans(),
    full_extract=st.booleans(),
    confirm_store=st.booleans(),
    mapping=st.just("current") | st.integers(1, 9).map(str),
    actor=texts,
    reason=texts,
)


@given(run_options)
def test_options_come_through_dagsters_configuration_as_they_were(options: RunOptions) -> None:
    seen = []

    @dg.op
    def look(options: OptionsResource) -> None:
        seen.append(options.to_run_options(MIGRATION))

    @dg.job(resource_defs={"options": OptionsResource()})
    def looking() -> None:
        look()

    config = dg.validate_run_config(looking, run_config(options))["resources"]["options"]["config"]
    resource = OptionsResource(**{name: value for name, value in config.items() if value is not None})
    assert resource.to_run_options(MIGRATION) == options


def test_what_is_left_out_is_the_migrations_default() -> None:
    options = OptionsResource().to_run_options(MIGRATION)
    assert options == RunOptions(conflict_strategy="skip")


def test_the_choices_are_the_nouns() -> None:
    assert [choice.name for choice in PhaseChoice] == [choice.value for choice in PhaseChoice] == list(Phase)
    assert [choice.name for choice in ResourceTypeChoice] == list(ResourceType)
    assert [choice.value for choice in ResourceTypeChoice] == list(ResourceType)


def test_every_option_says_what_it_does() -> None:
    assert [name for name, field in OptionsResource.model_fields.items() if not field.description] == []
    assert set(RunOptions.__dataclass_fields__) - set(OptionsResource.model_fields) == {"dry_run"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"phases": ["extrakt"]}, "not in enum type PhaseChoice got extrakt"),
        ({"resource_types": ["product"]}, "not in enum type ResourceTypeChoice got product"),
        ({"conflict_strategy": "merge"}, "not in enum type ConflictStrategyChoice got merge"),
        ({"limits": 5}, 'unexpected config entry "limits"'),
    ],
)
def test_what_is_not_an_option_is_refused_before_anything_runs(
    project: Any, config: dict[str, object], words: str
) -> None:
    job = project.definitions().resolve_job_def("shop_migrate")
    with pytest.raises(dg.DagsterInvalidConfigError, match=words):
        job.execute_in_process(instance=project.instance, run_config={"resources": {"options": {"config": config}}})


@pytest.mark.parametrize("config", [{"limit": 0}, {"phases": []}, {"resource_types": []}])
def test_numbers_and_lists_out_of_range_fail_the_run_before_it_begins(project: Any, config: dict[str, object]) -> None:
    done = (
        project.definitions()
        .resolve_job_def("shop_migrate")
        .execute_in_process(
            instance=project.instance,
            run_config={"resources": {"options": {"config": config}}},
            raise_on_error=False,
        )
    )
    assert not done.success
    assert project.items(done.run_id) == {}


def test_a_type_that_is_not_enabled_is_named_with_those_that_are(project: Any) -> None:
    done = project.run("migrate", resource_types=(ResourceType.ORDERS,))
    failed = done.failure_data_for_node("shop_migrate_begin")
    assert failed is not None
    assert "shop does not migrate orders; it does: collections, products, redirects." in failed.error.message


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"limit": 0}, "limit: 0 is no number of records. Write 1 or more."),
        ({"phases": []}, "phases: The list is empty. Leave it away for all, or name some of extract, transform, load."),
        ({"resource_types": []}, "resource_types: The list is empty."),
    ],
)
def test_values_that_dagster_lets_through_are_refused_in_a_sentence(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OptionsResource(**given).to_run_options(MIGRATION)
    assert str(caught.value).startswith(told)
