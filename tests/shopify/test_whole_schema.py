"""Shopify's whole schema judges our payloads: the judge itself refuses what is wrong, and sees what was sent."""

from typing import Any

import pytest
import requests
from graphql import parse

from graftport_dagster.loaders import preflight
from graftport_dagster.shopify.client import Shop
from graftport_dagster.shopify.credentials import AccessToken
from graftport_dagster.shopify.documents import document
from tests.whole_schema import file_of, mistakes, mistakes_in_calls

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not file_of("2026-10").exists(), reason="Shopify's whole schema is not beside the project (../shared)"
    ),
]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"urlRedirect": {"path": "/a", "target": "/b"}}, []),
        ({"urlRedirect": {"path": "/a", "goal": "/b"}}, ["Field 'goal' is not defined by type 'UrlRedirectInput'."]),
        ({"urlRedirect": {"path": 7, "target": "/b"}}, ["String cannot represent a non string value: 7"]),
        ({}, ["Variable '$urlRedirect' of required type 'UrlRedirectInput!' was not provided."]),
    ],
)
def test_a_payload_is_right_or_its_mistake_is_named(variables: dict[str, Any], said: list[str]) -> None:
    found = mistakes(parse(document("url_redirect_create")), variables)
    assert len(found) == len(said)
    assert all(words in one for words, one in zip(said, found, strict=True))


def test_a_document_that_shopify_does_not_know_is_named() -> None:
    assert mistakes(parse("{ shop { colour } }"), {}) == ["Cannot query field 'colour' on type 'Shop'."]


def test_the_calls_of_a_load_are_seen(simulator_url: str) -> None:
    requests.post(f"{simulator_url}/_simulator/reset", timeout=10).raise_for_status()
    shop = Shop(simulator_url, credentials=AccessToken("secret"))
    preflight.ask(shop)
    shop.close()
    seen, found = mistakes_in_calls(simulator_url)
    assert (seen > 0, found) == (True, [])
