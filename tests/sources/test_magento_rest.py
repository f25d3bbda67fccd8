"""Magento's REST API as a source, over a simulated shop: records put together, traps, faults, permissions."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import ValidationError
from requests import PreparedRequest, Request

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    RemoteFaultError,
    ThrottledError,
    UnreachableError,
)
from graftport_dagster.migration import Migration
from graftport_dagster.records import InvalidRow, JsonObject, ResourceType, SourceRecord
from graftport_dagster.source_settings import MagentoSettings
from graftport_dagster.source_settings.files import FileSpec
from graftport_dagster.sources.magento import MagentoSource
from graftport_dagster.sources.magento.client import magento_words
from graftport_dagster.sources.magento.signing import Integration, Signature
from graftport_dagster.sources.opening import open_source
from graftport_dagster.sources.source import Source

Serving = Callable[..., AbstractContextManager[str]]
Opening = Callable[..., Source]
FOUR = {
    "consumer_key": "ck_simulated", "consumer_secret": "cs_simulated", "access_token": "at_simulated",
    "access_token_secret": "ats_simulated",
}  # fmt: skip
INTEGRATION = {name: f"env:M_{name.upper()}" for name in FOUR}
ADMIN = {"admin_user": "env:M_ADMIN", "admin_password": "env:M_PASSWORD"}


@pytest.fixture
def opening(magento_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    """Opens the simulated shop, by its integration unless other ways in are given."""
    for name, value in FOUR.items():
        monkeypatch.setenv(f"M_{name.upper()}", value)
    monkeypatch.setenv("M_ADMIN", "admin")
    monkeypatch.setenv("M_PASSWORD", "admin_simulated1")
    opened: list[Source] = []

    def make(url: str = "", **settings: Any) -> Source:
        way = {} if settings.keys() & {"access_token", "admin_user"} else INTEGRATION
        given = {"page_size": 5, "attempts": 2, **way, **settings}
        source = MagentoSettings(type="magento", url=url or magento_url, **given)
        found = open_source(Migration(slug="m", folder=tmp_path, source=source))
        opened.append(found)
        return found

    yield make
    for source in opened:
        source.close()


def records(source: Source, kind: ResourceType, since: JsonObject | None = None) -> dict[str, JsonObject]:
    given = list(source.read(kind, since))
    assert all(isinstance(item, SourceRecord) for item in given), given
    found = {item.source_id: item.payload for item in given if isinstance(item, SourceRecord)}
    assert len(found) == len(given)
    return found


def control(url: str, path: str, content: Any) -> Any:
    answer = requests.post(f"{url}/_simulator/{path}", json=content, timeout=20)
    answer.raise_for_status()
    return answer.json()


def asked(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{url}/_simulator/requests", timeout=20).json()["requests"]
    return found


def test_a_signature_is_the_one_that_the_standard_shows() -> None:
    # The parameters of RFC 5849, 3.4.1: names and values that must be sorted and quoted.
    integration = Integration("9djdj82h48djs9d2", "j49sk3j29djd", "kkk9d7dh3k39sjv7", "dh893hdasih9")
    signature = Signature(integration, clock=lambda: 137131201.0, nonce=lambda: "7d8f3e4a")
    request: PreparedRequest = Request("GET", "http://EXAMPLE.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b").prepare()
    text = signature(request).headers["Authorization"]
    assert text.startswith('OAuth oauth_consumer_key="9djdj82h48djs9d2", oauth_nonce="7d8f3e4a"')
    assert 'oauth_signature_method="HMAC-SHA256"' in text
    assert "j49sk3j29djd" not in text
    assert "dh893hdasih9" not in text
    assert "j49sk3j29djd" not in repr(integration)


@pytest.mark.parametrize("way", [INTEGRATION, ADMIN, {"access_token": "env:M_ACCESS_TOKEN"}])
def test_every_way_in_is_let_in(opening: Opening, magento_url: str, way: dict[str, str]) -> None:
    control(magento_url, "accounts", {"integration_as_bearer": "consumer_key" not in way})
    assert len(records(opening(**way), ResourceType.CUSTOMERS)) == 9


def test_an_admins_token_that_ran_out_is_fetched_anew(opening: Opening, magento_url: str) -> None:
    source = opening(**ADMIN)
    records(source, ResourceType.CUSTOMERS)
    control(magento_url, "accounts", {"revoke_admin_tokens": True})
    assert len(records(source, ResourceType.CUSTOMERS)) == 9


def test_a_configurable_product_holds_its_children_and_none_of_them_stands_alone(opening: Opening) -> None:
    found = records(opening(), ResourceType.PRODUCTS)
    parents = [one for one in found.values() if one["type_id"] == "configurable"]
    children = {child["sku"] for parent in parents for child in parent["children"]}
    assert len(found) == 24
    assert len(parents) == 6
    assert not children & found.keys()
    first = found["MG-000"]
    assert first["attribute_set"] == "Top"
    assert first["tax_class"] == "Taxable Goods"
    assert first["labels"]["manufacturer"] == "Nordhang"
    assert [option["attribute_code"] for option in first["extension_attributes"]["configurable_product_options"]] == [
        "size", "color"
    ]  # fmt: skip
    assert first["children"][0]["labels"]["size"] == "S"
    assert {item["source_code"] for item in first["children"][0]["source_items"]} == {"default", "alps"}


def test_a_product_without_extension_attributes_is_read_as_php_writes_it(opening: Opening, magento_url: str) -> None:
    control(magento_url, "edit", {"list": "products", "id": 6, "set": {"extension_attributes": []}})
    assert records(opening(), ResourceType.PRODUCTS)["MG-001"]["extension_attributes"] == []


def test_rows_are_those_of_magento_and_records_those_of_a_person(opening: Opening) -> None:
    given = [item for item in opening().read(ResourceType.PRODUCTS, None) if isinstance(item, SourceRecord)]
    assert (sum(item.rows for item in given), len(given)) == (42, 24)


def test_without_msi_the_stock_comes_product_by_product(opening: Opening, serving_magento: Serving) -> None:
    with serving_magento("--no-inventory", "--products", "4") as url:
        found = records(opening(url), ResourceType.PRODUCTS)
    assert found["MG-001"]["stock_item"]["manage_stock"] is True
    assert "source_items" not in found["MG-001"]


def test_a_product_that_is_deleted_before_its_stock_is_asked_for_stops_no_other(
    opening: Opening, serving_magento: Serving, tmp_path: Path
) -> None:
    def deleting() -> bool:
        if asked(url)[-1:] and "stockItems" in asked(url)[-1]["path"] and not deleted:
            deleted.append(control(url, "edit", {"list": "products", "id": 6, "delete": True})["sku"])
        return False

    deleted: list[str] = []
    opening()
    with serving_magento("--no-inventory", "--products", "4") as url:
        settings = MagentoSettings.model_validate({"type": "magento", "url": url, **INTEGRATION})
        given = list(MagentoSource(settings, tmp_path, stop=deleting).read(ResourceType.PRODUCTS, None))
    (bad,) = [item for item in given if isinstance(item, InvalidRow)]
    assert (bad.code, deleted[0] in bad.reason) == ("STOCK_NOT_GIVEN", True)
    assert len(given) == 4


def test_no_stock_is_left_out_when_some_is_removed_between_pages(
    opening: Opening, magento_url: str, tmp_path: Path
) -> None:
    whole = records(opening(), ResourceType.PRODUCTS)

    def removing() -> bool:
        pages = [one["query"] for one in asked(magento_url) if one["path"].endswith("source-items")]
        if len(pages) == 1 and not removed:
            removed.append(control(magento_url, "edit", {"list": "source_items", "id": "MG-000-S-BLA", "delete": True}))
        return False

    control(magento_url, "reset", {})
    removed: list[JsonObject] = []
    settings = MagentoSettings.model_validate({"type": "magento", "url": magento_url, "page_size": 5, **INTEGRATION})
    found = records(MagentoSource(settings, tmp_path, stop=removing), ResourceType.PRODUCTS)

    def stock(given: dict[str, JsonObject]) -> set[tuple[str, str]]:
        every = [one for product in given.values() for one in (product, *product.get("children", ()))]
        return {(item["sku"], item["source_code"]) for one in every for item in one.get("source_items", ())}

    assert stock(found) == stock(whole) - {(item["sku"], item["source_code"]) for item in removed}


def test_an_order_holds_all_that_followed_it(opening: Opening) -> None:
    found = records(opening(), ResourceType.ORDERS)
    refunded = found["000000003"]
    assert (len(refunded["invoices"]), len(refunded["creditmemos"]), len(refunded["shipments"])) == (1, 1, 1)
    assert refunded["transactions"][0]["txn_id"] == "TX3"
    assert refunded["shipments"][0]["tracks"][0]["track_number"].startswith("MG")
    lines = [line for line in found["000000007"]["items"] if "parent_item_id" not in line]
    assert [line.get("product_sku") for line in lines][-1] is None
    assert all(line["product_sku"] for line in lines[:-1])


def test_customers_rules_pages_websites_and_addresses(opening: Opening) -> None:
    source = opening(redirect_store_views=["de"])
    assert records(source, ResourceType.CUSTOMERS)["5"]["group_code"] == "Wholesale"
    rules = records(source, ResourceType.DISCOUNT_CODES)
    assert len(rules["2"]["coupons"]) == 40
    assert rules["5"]["customer_groups"] == ["Wholesale"]
    assert records(source, ResourceType.BLOGS)["3"]["identifier"] == "about-us"
    sites = records(source, ResourceType.MARKETS)
    assert sites["2"]["countries"] == ["CH", "LI"]
    assert [view["config"]["locale"] for view in sites["2"]["store_views"]] == ["de_CH", "fr_CH"]
    assert (sites["1"]["is_default"], sites["2"]["is_default"]) == (True, False)
    assert records(source, ResourceType.COLLECTIONS)["4"]["path_names"] == ["Default Category", "Men", "Jackets"]
    addresses = records(source, ResourceType.REDIRECTS)
    assert addresses["/men/jackets.html"]["target"] == {"resource_type": "collections", "source_id": "4"}
    hidden = addresses["/ridge-jacket-0-s-black.html"]
    assert hidden["target"] == {"resource_type": "products", "source_id": "MG-000"}
    visible = records(opening(hidden_addresses=False), ResourceType.REDIRECTS)
    assert "/ridge-jacket-0-s-black.html" not in visible
    assert len(visible) == 6 + 24


def test_an_address_that_two_products_have_is_the_firsts(opening: Opening, magento_url: str) -> None:
    doubled = [{"attribute_code": "url_key", "value": "fohn-trekking-pack-1"}]
    control(magento_url, "edit", {"list": "products", "id": 11, "set": {"custom_attributes": doubled}})
    given = list(opening().read(ResourceType.REDIRECTS, None))
    (bad,) = [item for item in given if isinstance(item, InvalidRow)]
    assert bad.code == "DUPLICATE_ADDRESS"


def test_a_later_read_brings_what_changed_and_parents_of_changed_children(opening: Opening, magento_url: str) -> None:
    source = opening(overlap_minutes=0)
    records(source, ResourceType.PRODUCTS)
    cursor = source.cursor(ResourceType.PRODUCTS)
    assert cursor == {"updated_at": "2023-01-09 16:42:00"}
    newest = records(source, ResourceType.PRODUCTS, cursor)
    assert len(newest) == 1
    control(magento_url, "edit", {"list": "products", "id": 1, "set": {"price": 1.5}})
    changed = records(source, ResourceType.PRODUCTS, cursor)
    assert changed.keys() - newest.keys() == {"MG-000"}
    assert changed["MG-000"]["children"][0]["price"] == 1.5
    later = source.cursor(ResourceType.PRODUCTS)
    assert later is not None
    assert later["updated_at"] > cursor["updated_at"]


def test_products_of_which_only_children_changed_come_a_page_at_a_time(opening: Opening, magento_url: str) -> None:
    later = {"updated_at": "2030-01-01 00:00:00"}
    for number in (1, 7, 15, 21, 29, 35):
        control(magento_url, "edit", {"list": "products", "id": number, "set": later})
    reading = opening(page_size=2).read(ResourceType.PRODUCTS, later)
    next(reading)
    before = len(asked(magento_url))
    assert len(list(reading)) == 5
    assert [one["path"].endswith("/products") for one in asked(magento_url)][before:].count(True) >= 4


def test_what_changes_behind_the_read_is_in_the_next_one(opening: Opening, magento_url: str) -> None:
    source = opening(overlap_minutes=0)
    reading = source.read(ResourceType.CUSTOMERS, None)
    first = next(reading)
    for number, moment in ((1, "2030-01-01 00:00:00"), (9, "2030-01-02 00:00:00")):
        control(magento_url, "edit", {"list": "customers", "id": number, "set": {"updated_at": moment}})
    assert (first.source_id, [item.source_id for item in reading][-1]) == ("1", "9")
    assert records(source, ResourceType.CUSTOMERS, source.cursor(ResourceType.CUSTOMERS)).keys() >= {"1", "9"}


def test_a_read_that_is_abandoned_moves_no_cursor(opening: Opening) -> None:
    source = opening()
    next(iter(source.read(ResourceType.ORDERS, None)))
    assert source.cursor(ResourceType.ORDERS) is None


def test_the_overlap_brings_again_what_changed_shortly_before(opening: Opening) -> None:
    cursor = {"updated_at": "2024-02-16 10:54:00"}
    few = records(opening(overlap_minutes=0), ResourceType.ORDERS, cursor)
    more = records(opening(overlap_minutes=60 * 24 * 3), ResourceType.ORDERS, cursor)
    assert len(few) == 1
    assert few.keys() < more.keys()


@pytest.mark.parametrize("kind", [kind for kind in ResourceType if kind is not ResourceType.GIFT_CARDS])
def test_freshness_stays_while_nothing_changes(opening: Opening, kind: ResourceType) -> None:
    assert opening().freshness(kind) == opening(page_size=100).freshness(kind)


def test_freshness_changes_with_an_edit_and_with_a_delete(opening: Opening, magento_url: str) -> None:
    source = opening()
    first = source.freshness(ResourceType.CUSTOMERS)
    control(magento_url, "edit", {"list": "customers", "id": 3, "set": {"firstname": "Zoë"}})
    second = source.freshness(ResourceType.CUSTOMERS)
    control(magento_url, "edit", {"list": "customers", "id": 4, "delete": True})
    assert len({first.token, second.token, source.freshness(ResourceType.CUSTOMERS).token}) == 3
    rules = source.freshness(ResourceType.DISCOUNT_CODES).token
    control(magento_url, "edit", {"list": "coupons", "id": 3, "delete": True})
    assert source.freshness(ResourceType.DISCOUNT_CODES).token != rules


@pytest.mark.parametrize(
    "fault", ["http_429", "http_500", "http_503", "truncated_json", "html_error", "hangup", "empty_answer"]
)
def test_what_passes_by_itself_costs_a_second_question_and_no_record(
    opening: Opening, magento_url: str, fault: str
) -> None:
    rule = {"fault": fault, "path": "customers", "times": 1, "after": 1, "retry_after": "0"}
    control(magento_url, "faults", [rule])
    assert len(records(opening(), ResourceType.CUSTOMERS)) == 9
    assert [one["fault"] for one in asked(magento_url)].count(fault) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [("http_429", ThrottledError, "SOURCE_THROTTLED"), ("http_500", RemoteFaultError, "SOURCE_FAULT"),
     ("truncated_json", RemoteFaultError, "UNEXPECTED_ANSWER"), ("wrong_shape", RemoteFaultError, "UNEXPECTED_ANSWER"),
     ("firewall", CredentialsError, "SOURCE_FORBIDDEN")],
)  # fmt: skip
def test_what_lasts_is_told_as_what_it_is(
    opening: Opening, magento_url: str, fault: str, kind: type[GraftportError], code: str
) -> None:
    control(magento_url, "faults", [{"fault": fault, "path": "orders", "retry_after": "0"}])
    with pytest.raises(kind) as refused:
        records(opening(), ResourceType.ORDERS)
    assert refused.value.code == code
    assert not any(secret in str(refused.value) for secret in FOUR.values())


def test_a_page_that_comes_twice_is_an_error_and_not_the_end(opening: Opening, magento_url: str) -> None:
    control(magento_url, "faults", [{"fault": "same_page", "path": "customers/search", "after": 1}])
    with pytest.raises(RemoteFaultError) as refused:
        records(opening(), ResourceType.CUSTOMERS)
    assert refused.value.code == "PAGE_REPEATED"


def test_pages_are_asked_by_id_so_that_none_is_past_the_end(opening: Opening, magento_url: str) -> None:
    records(opening(), ResourceType.CUSTOMERS)
    newest, *pages = [one["query"] for one in asked(magento_url) if one["path"].endswith("customers/search")]
    assert newest["searchCriteria[sortOrders][0][field]"] == "updated_at"
    assert [query["searchCriteria[currentPage]"] for query in pages] == ["1", "1"]
    assert pages[1]["searchCriteria[filter_groups][0][filters][0][condition_type]"] == "gt"
    assert {query["searchCriteria[sortOrders][0][field]"] for query in pages} == {"entity_id"}


def test_a_missing_permission_is_named(opening: Opening, magento_url: str) -> None:
    control(magento_url, "accounts", {"resources": ["Magento_Backend::store", "Magento_Catalog::products"]})
    with pytest.raises(CredentialsError) as refused:
        records(opening(), ResourceType.ORDERS)
    assert refused.value.code == "SOURCE_FORBIDDEN"
    assert "Magento_Sales::actions_view" in refused.value.hint
    results = {result.name: result for result in opening().check()}
    assert results["source products"].ok
    assert not results["source customers"].ok
    assert "Magento_Customer::manage" in results["source customers"].hint


@pytest.mark.parametrize("name", ["consumer_key", "consumer_secret", "access_token", "access_token_secret"])
def test_a_wrong_secret_is_refused_in_magentos_words(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"M_{name.upper()}", "wrong-secret-1")
    with pytest.raises(CredentialsError) as refused:
        records(opening(), ResourceType.ORDERS)
    assert refused.value.code == "SOURCE_UNAUTHORIZED"
    assert "wrong-secret-1" not in str(refused.value)
    first, *rest = opening().check()
    assert not first.ok
    assert rest == []


def test_a_secret_that_is_not_set_is_named_before_anything_is_asked(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("M_CONSUMER_SECRET")
    with pytest.raises(ConfigurationError, match="M_CONSUMER_SECRET is not set"):
        opening()


def test_check_is_content_with_a_good_shop_and_names_a_wrong_store_view_or_address(opening: Opening) -> None:
    good = opening().check()
    assert all(result.ok for result in good), good
    (wrong,) = opening(store_view="fr").check()
    assert "no store view fr" in wrong.detail
    assert "default" in wrong.hint
    (away,) = opening("http://127.0.0.1:9").check()
    assert "CONNECTION_REFUSED" in away.detail


def test_an_address_that_is_not_encrypted_is_told(opening: Opening, magento_url: str) -> None:
    # Another name of this machine.
    told = opening(magento_url.replace("127.0.0.1", "127.1"), **ADMIN).check()
    assert (told[0].name, told[0].ok) == ("source: encryption", True)
    assert "is not encrypted" in told[0].detail
    assert "https://" in told[0].hint
    assert all(result.ok for result in told)
    assert "source: encryption" not in [result.name for result in opening(**ADMIN).check()]


def test_a_shop_that_is_not_there_is_unreachable(opening: Opening) -> None:
    with pytest.raises(UnreachableError):
        records(opening("http://127.0.0.1:9"), ResourceType.ORDERS)


def test_gift_cards_are_read_where_they_are_and_else_refused_with_a_sentence(
    opening: Opening, serving_magento: Serving, tmp_path: Path
) -> None:
    assert ResourceType.GIFT_CARDS not in opening().resource_types()
    for source in (opening(), opening(gift_cards_path="giftcardaccounts/search")):
        with pytest.raises(ConfigurationError) as refused:
            records(source, ResourceType.GIFT_CARDS)
        assert refused.value.code == "NO_GIFT_CARDS"
    with serving_magento("--commerce") as url:
        assert len(records(opening(url, gift_cards_path="giftcardaccounts/search"), ResourceType.GIFT_CARDS)) == 3
    (tmp_path / "cards.csv").write_text("code,balance\nABCDEFGH,5\n")
    beside = opening(files={ResourceType.GIFT_CARDS: FileSpec(path="cards.csv", id_column="code")})
    assert records(beside, ResourceType.GIFT_CARDS)["ABCDEFGH"]["balance"] == "5"
    assert all(result.ok for result in beside.check())


def test_files_beside_the_shop_have_whole_credentials_or_none() -> None:
    given = FileSpec(path="https://files.example/cards.csv", user="env:FILES_USER")
    with pytest.raises(ValidationError, match="either user and password, or token"):
        MagentoSettings(
            type="magento", url="https://a.example", access_token="env:A", files={ResourceType.GIFT_CARDS: given}
        )


def test_a_child_that_is_gone_makes_its_whole_product_invalid(opening: Opening, magento_url: str) -> None:
    control(magento_url, "edit", {"list": "products", "id": 1, "delete": True})
    given = list(opening().read(ResourceType.PRODUCTS, None))
    (bad,) = [item for item in given if isinstance(item, InvalidRow)]
    assert (bad.source_id, bad.code, bad.rows) == ("MG-000", "MISSING_VARIANT_ROW", 5)
    assert len(given) == 24


def test_a_store_view_gives_its_own_texts_by_its_path(opening: Opening, magento_url: str) -> None:
    records(opening(store_view="de"), ResourceType.BLOGS)
    assert {one["path"] for one in asked(magento_url)} == {"/rest/de/V1/cmsPage/search"}


def test_a_stop_ends_a_read(magento_url: str, opening: Opening, tmp_path: Path) -> None:
    opening()
    settings = MagentoSettings.model_validate({"type": "magento", "url": magento_url, **INTEGRATION})
    source = MagentoSource(settings, tmp_path, stop=lambda: True)
    with pytest.raises(UnreachableError) as refused:
        list(source.read(ResourceType.ORDERS, None))
    source.close()
    assert refused.value.code == "STOPPED"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"message": "No %1 in %2", "parameters": ["a", "b"]}, "No a in b"),
        ({"message": "No %fieldName", "parameters": {"fieldName": "sku"}}, "No sku"),
        ({"message": "%1 and %10", "parameters": [str(n) for n in range(1, 11)]}, "1 and 10"),
        ({"message": "Plain"}, "Plain"), ({}, ""), ([], ""), (None, ""),
    ],
)  # fmt: skip
def test_values_are_put_into_a_message(body: Any, text: str) -> None:
    assert magento_words(body) == text
