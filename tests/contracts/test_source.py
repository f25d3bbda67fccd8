"""What every source promises, whatever it reads; a new kind of source only adds a maker."""

import hashlib
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
import requests
from sqlalchemy import create_engine, text

from graftport_dagster.errors import ConfigurationError, GraftportError
from graftport_dagster.migration import FileSpec, Migration
from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord, json_hash
from graftport_dagster.source_settings import (
    AnySource,
    FilesSettings,
    MagentoSettings,
    ShopifySettings,
    WooCommerceSettings,
)
from graftport_dagster.source_settings.rest import RestModel
from graftport_dagster.source_settings.sql import SqlRows, SqlSettings
from graftport_dagster.sources.opening import open_source
from graftport_dagster.sources.source import Source

Shop = list[str]  # ids of the records that the shop holds
Writer = Callable[[Path, Shop], None]


def _write_csv(folder: Path, shop: Shop) -> None:
    lines = ["sku,name,note", *(f'{name},Name {name},"line one\nline two, {name}"' for name in shop)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


def _write_jsonl(folder: Path, shop: Shop) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps({"sku": name, "tags": [name]}) + "\n" for name in shop))


def _write_json(folder: Path, shop: Shop) -> None:
    (folder / "rows.json").write_text(json.dumps({"rows": [{"sku": name, "tags": [name]} for name in shop]}, indent=1))


def _write_excel(folder: Path, shop: Shop) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Rows")
    for row in [["sku", "price"], *([name, 12.5] for name in shop)]:
        sheet.append(row)
    book.save(folder / "rows.xlsx")


def _write_magento(folder: Path, shop: Shop) -> None:
    lines = ["sku,product_type,attribute_set_code,name,visibility,price,categories,configurable_variations"]
    for name in shop:
        lines += [
            f"{name}-S,simple,Top,{name} S,Not Visible Individually,10,Root/Men,",
            f'{name},configurable,Top,{name},"Catalog, Search",10,"Root/Men,Root","sku={name}-S,size=S"',
        ]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


def _write_shopify(folder: Path, shop: Shop) -> None:
    lines = ["Handle,Title,Tags,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src"]
    for name in shop:
        lines += [f'{name},Name {name},"a, b",Size,S,{name}-S,9.90,', f"{name},,,,M,{name}-M,9.90,https://x.example/a"]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


def _write_shopify_orders(folder: Path, shop: Shop) -> None:
    lines = ["Name,Currency,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price"]
    for name in shop:
        lines += [f"{name},EUR,20.00,2024-05-01 09:00:00 +0000,1,Mug,10.00", f"{name},,,,1,Cup,10.00"]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


def _write_sql(folder: Path, shop: Shop) -> None:
    """The table of the database that the source reads; its rows come in the order of their numbers."""
    address = os.environ["SHOP_DATABASE"].replace("sqlite:///", f"sqlite:///{folder}/")
    engine = create_engine(address)
    columns = "number INTEGER PRIMARY KEY, sku VARCHAR(40), note VARCHAR(40)"
    with engine.begin() as connection:
        for statement in ("DROP TABLE IF EXISTS person", f"CREATE TABLE person ({columns})"):
            connection.execute(text(statement))
        rows = [{"number": place, "sku": name} for place, name in enumerate(shop)]
        if rows:
            connection.execute(text("INSERT INTO person VALUES (:number, :sku, 'a note')"), rows)
    engine.dispose()


def _fill_woocommerce(folder: Path, shop: Shop) -> None:
    """The simulated shop has these customers, by the numbers in their names, and nothing else."""
    address = (folder / "address.txt").read_text()
    ask = f"{address}/_simulator/edit"
    (pattern,) = requests.get(f"{address}/_simulator/objects?list=customers", timeout=20).json()[:1] or [{}]
    people = [pattern | {"id": number_of(name), "last_name": name} for name in shop]
    for name in ("products", "orders", "coupons", "categories", "posts", "pages"):
        requests.post(ask, json={"list": name, "replace": []}, timeout=20).raise_for_status()
    requests.post(ask, json={"list": "customers", "replace": people}, timeout=20).raise_for_status()


def _fill_magento(folder: Path, shop: Shop) -> None:
    """The simulated shop has these customers, changed on the days of the numbers in their names."""
    address = (folder / "address.txt").read_text()
    people = [
        {"id": number_of(name), "email": f"{name}@example.com", "lastname": name, "group_id": 1,
         "updated_at": f"2024-01-01 00:{number_of(name) // 60 % 60:02}:{number_of(name) % 60:02}"}
        for name in shop
    ]  # fmt: skip
    change = {"list": "customers", "replace": people}
    requests.post(f"{address}/_simulator/edit", json=change, timeout=20).raise_for_status()


def _fill_shopify(folder: Path, shop: Shop) -> None:
    """The simulated shop has these customers: who is missing is made, who is too many deleted."""
    address = (folder / "address.txt").read_text()
    numbers = shopify_numbers(address)
    new = [
        f'a{place}: customerSet(input: {{email: "{name.lower()}@example.com", firstName: "{name}"}})'
        " { userErrors { message } }"
        for place, name in enumerate(name for name in shop if name.lower() not in numbers)
    ]
    old = [
        f'd{number}: customerDelete(input: {{id: "gid://shopify/Customer/{number}"}}) {{ userErrors {{ message }} }}'
        for name, number in numbers.items()
        if name not in {each.lower() for each in shop}
    ]
    asked = [*new, *old]
    for place in range(0, len(asked), 100):
        document = f"mutation {{ {' '.join(asked[place:][:100])} }}"
        answer = requests.post(
            f"{address}/admin/api/2026-10/graphql.json", json={"query": document},
            headers={"X-Shopify-Access-Token": "x"}, timeout=60,
        ).json()  # fmt: skip
        assert "errors" not in answer, answer
        assert not any(each["userErrors"] for each in answer["data"].values()), answer


def shopify_numbers(address: str) -> dict[str, str]:
    """The numbers of the simulated shop's customers by their names."""
    people = requests.get(f"{address}/_simulator/objects?type=Customer", timeout=30).json()
    return {each["email"].partition("@")[0]: each["id"].rpartition("/")[2] for each in people}


def number_of(name: str) -> int:
    return int(name.partition("-")[2]) + 1


PLAIN = ResourceType.CUSTOMERS
# Shops that are asked over a network: nobody may answer, and one without customers is a shop all the same.
ASKED = {
    "woocommerce": "woocommerce_url", "magento_rest": "magento_url", "shopify": "old_shop_url",
    "shopify_in_pages": "old_shop_url",
}  # fmt: skip
SERVER = Path(__file__).parents[1] / "sources" / "file_server.py"
_SQL = SqlSettings(
    type="sql", url="env:SHOP_DATABASE",
    queries={PLAIN: SqlRows(query="SELECT sku, note FROM person ORDER BY number", id_column="sku")},
)  # fmt: skip
MAKERS: dict[str, tuple[Writer, AnySource, ResourceType]] = {
    "csv": (_write_csv, FilesSettings(files={PLAIN: FileSpec(path="rows.csv")}), PLAIN),
    "jsonl": (_write_jsonl, FilesSettings(files={PLAIN: FileSpec(path="rows.jsonl")}), PLAIN),
    "json": (_write_json, FilesSettings(files={PLAIN: FileSpec(path="rows.json")}), PLAIN),
    "excel": (_write_excel, FilesSettings(files={PLAIN: FileSpec(path="rows.xlsx")}), PLAIN),
    "magento": (
        _write_magento, FilesSettings(platform="magento", magento_export=FileSpec(path="rows.csv")),
        ResourceType.PRODUCTS,
    ),
    "magento_rest": (
        _fill_magento,
        MagentoSettings(
            type="magento", url="http://127.0.0.1:9", admin_user="env:MAGENTO_USER",
            admin_password="env:MAGENTO_PASSWORD", attempts=1,
        ),
        PLAIN,
    ),
    "web": (_write_csv, FilesSettings(files={PLAIN: FileSpec(path="env:SHOP_ADDRESS")}), PLAIN),
    "shopify": (
        _fill_shopify, ShopifySettings(type="shopify", shop="http://127.0.0.1:9", access_token="env:OLD_TOKEN"), PLAIN,
    ),
    "shopify_in_pages": (
        _fill_shopify,
        ShopifySettings(
            type="shopify", shop="http://127.0.0.1:9", access_token="env:OLD_TOKEN", bulk_queries=False,
        ),
        PLAIN,
    ),
    "shopify_products_csv": (
        _write_shopify,
        FilesSettings(platform="shopify", shopify_export={ResourceType.PRODUCTS: FileSpec(path="rows.csv")}),
        ResourceType.PRODUCTS,
    ),
    "shopify_orders_csv": (
        _write_shopify_orders,
        FilesSettings(platform="shopify", shopify_export={ResourceType.ORDERS: FileSpec(path="rows.csv")}),
        ResourceType.ORDERS,
    ),
    "sql": (_write_sql, _SQL, PLAIN),
    "mariadb": (_write_sql, _SQL, PLAIN),
    "woocommerce": (
        _fill_woocommerce,
        WooCommerceSettings(
            type="woocommerce", url="http://127.0.0.1:9", consumer_key="env:WOO_KEY", consumer_secret="env:WOO_SECRET",
            sign_in="header", attempts=1,
        ),
        PLAIN,
    ),
}  # fmt: skip


class Sourced:
    """One kind of source over a folder that the test fills."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.kind = kind
        self._write, self._settings, self.resource_type = MAKERS[kind]
        self._opened: list[Source] = []
        self.is_asked = kind in ASKED
        self.address = ""

    def fill(self, shop: Shop) -> None:
        if self.address:
            (self.folder / "address.txt").write_text(self.address)
            name = "url" if isinstance(self._settings, RestModel) else "shop"
            self._settings = self._settings.model_copy(update={name: self.address})
        self._write(self.folder, shop)

    def ids(self, shop: Shop) -> list[str]:
        """The ids of these in this source."""
        if isinstance(self._settings, ShopifySettings):
            numbers = shopify_numbers(self.address)
            return [numbers[name.lower()] for name in shop]
        return [str(number_of(name)) for name in shop] if self.is_asked else shop

    def break_down(self) -> None:
        """The shop answers nobody any more, or something in its place does."""
        if isinstance(self._settings, ShopifySettings):
            requests.post(f"{self.address}/_simulator/revoke", json={"token": "x"}, timeout=20).raise_for_status()
            return
        fault = {"fault": "firewall"}
        requests.post(f"{self.address}/_simulator/faults", json=fault, timeout=20).raise_for_status()

    def open(self, *, patience: float = math.inf) -> Source:
        """`patience`: having asked so often whether it is to stop, it is."""
        migration = Migration(slug="shop", folder=self.folder, source=self._settings)
        asked = itertools.count()
        source = open_source(migration, stop=lambda: next(asked) >= patience)
        self._opened.append(source)
        return source

    def read(self) -> list[SourceRecord | InvalidRow]:
        return list(self.open().read(self.resource_type, None))

    def close(self) -> None:
        for source in self._opened:
            source.close()


@pytest.fixture(scope="module")
def file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serves the folders of all tests of this process."""
    served = str(tmp_path_factory.getbasetemp())
    process = subprocess.Popen([sys.executable, str(SERVER), served], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(params=sorted(MAKERS))
def sourced(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sourced]:
    is_mariadb = request.param == "mariadb"
    monkeypatch.setenv("SHOP_DATABASE", request.getfixturevalue("mariadb_url") if is_mariadb else "sqlite:///shop.db")
    if request.param == "web":
        served = tmp_path.relative_to(request.getfixturevalue("tmp_path_factory").getbasetemp())
        monkeypatch.setenv("SHOP_ADDRESS", f"{request.getfixturevalue('file_server')}/etag/{served}/rows.csv")
    made = Sourced(request.param, tmp_path)
    if made.is_asked:
        monkeypatch.setenv("OLD_TOKEN", "x")
        monkeypatch.setenv("WOO_KEY", "ck_simulated")
        monkeypatch.setenv("WOO_SECRET", "cs_simulated")
        monkeypatch.setenv("MAGENTO_USER", "admin")
        monkeypatch.setenv("MAGENTO_PASSWORD", "admin_simulated1")
        made.address = request.getfixturevalue(ASKED[request.param])
    yield made
    made.close()


def ids_of(given: list[SourceRecord | InvalidRow]) -> list[str]:
    assert all(isinstance(item, SourceRecord) for item in given), given
    return [item.source_id for item in given]


def test_every_record_is_given_once_under_its_own_id(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2", "C-3"])
    assert ids_of(sourced.read()) == sourced.ids(["A-1", "B-2", "C-3"])


def test_reading_twice_gives_the_same_records(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2"])
    source = sourced.open()
    first, second = (list(source.read(sourced.resource_type, None)) for _ in range(2))
    assert first == second == sourced.read()


def test_ids_and_payloads_do_not_depend_on_the_order_of_the_shop(sourced: Sourced) -> None:
    def hashes() -> dict[str, str]:
        return {item.source_id: json_hash(item.payload) for item in sourced.read() if isinstance(item, SourceRecord)}

    sourced.fill(["A-1", "B-2", "C-3"])
    before = hashes()
    sourced.fill(["C-3", "A-1", "B-2"])
    assert hashes() == before


def test_payloads_are_json_and_rows_are_counted(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2"])
    for item in sourced.read():
        assert isinstance(item, SourceRecord)
        assert json.loads(json.dumps(item.payload)) == item.payload
        assert item.rows >= 1
        assert item.origin


def test_records_come_as_a_stream(sourced: Sourced) -> None:
    sourced.fill([f"A-{number}" for number in range(500)])
    given = sourced.open().read(sourced.resource_type, None)
    first = next(given)
    assert isinstance(first, SourceRecord)
    assert iter(given) is given
    assert len(list(given)) == 499


def test_abandoning_a_read_leaves_the_source_usable(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2", "C-3"])
    source = sourced.open()
    next(source.read(sourced.resource_type, None))
    assert len(list(source.read(sourced.resource_type, None))) == 3


def test_an_empty_shop_is_refused_because_it_would_say_that_all_is_gone(sourced: Sourced) -> None:
    sourced.fill([])
    if sourced.is_asked:
        # It says itself that there are none, and the write brake looks at what that would delete.
        assert sourced.read() == []
        return
    with pytest.raises(ConfigurationError) as refused:
        sourced.read()
    assert refused.value.code in {"NO_ROWS", "FILE_EMPTY"}
    assert refused.value.hint


def test_what_is_not_there_is_refused_with_a_sentence(sourced: Sourced) -> None:
    # Shopify is asked again for a quarter of a minute, unless it is told to stop: here once it has been asked.
    patience = 3 if sourced.kind.startswith("shopify") else math.inf
    with pytest.raises(GraftportError) as refused:
        list(sourced.open(patience=patience).read(sourced.resource_type, None))
    absent = {"mariadb": "QUERY"}.get(sourced.kind, "FILE_ABSENT")
    asked = "CONNECTION_REFUSED" if patience == math.inf else "STOPPED"
    assert refused.value.code == (asked if sourced.is_asked else absent)
    if sourced.is_asked:
        assert "refused the connection" in refused.value.message
    failed = [result for result in sourced.open(patience=patience).check() if not result.ok]
    assert failed
    assert all(result.detail and result.hint for result in failed)


def test_check_is_content_with_a_good_shop_and_names_what_is_wrong_with_a_bad_one(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2"])
    results = sourced.open().check()
    assert results
    assert all(result.ok for result in results)
    sourced.fill([])
    if sourced.is_asked:
        sourced.break_down()
    assert not all(result.ok for result in sourced.open().check())


def test_freshness_changes_exactly_when_the_content_does(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2"])
    first = sourced.open().freshness(sourced.resource_type)
    for path in sourced.folder.iterdir():
        os.utime(path, (1, 1))
    touched = sourced.open().freshness(sourced.resource_type)
    assert (touched.token, touched.kind) == (first.token, first.kind)
    sourced.fill(["A-1", "B-3"])
    assert sourced.open().freshness(sourced.resource_type).token != first.token


def test_freshness_returns_with_the_content(tmp_path: Path) -> None:
    made = Sourced("csv", tmp_path)
    tokens = []
    for shop in (["A-1"], ["B-2"], ["A-1"]):
        made.fill(shop)
        tokens.append(made.open().freshness(made.resource_type).token)
    assert tokens[0] == tokens[2] != tokens[1]


def test_types_are_given_in_dependency_order(sourced: Sourced) -> None:
    types = sourced.open().resource_types()
    assert sourced.resource_type in types
    assert list(types) == [kind for kind in ResourceType if kind in types]


def test_a_type_without_rows_in_this_source_is_refused(sourced: Sourced) -> None:
    sourced.fill(["A-1"])
    source = sourced.open()
    if ResourceType.GIFT_CARDS in source.resource_types():
        # It has such rows in general, and says that there are none now.
        assert list(source.read(ResourceType.GIFT_CARDS, None)) == []
        return
    with pytest.raises(ConfigurationError):
        list(source.read(ResourceType.GIFT_CARDS, None))


def test_a_sound_source_allows_conclusions_about_what_is_gone(sourced: Sourced) -> None:
    sourced.fill(["A-1", "B-2"])
    source = sourced.open()
    list(source.read(sourced.resource_type, None))
    assert source.conclusive(sourced.resource_type)
    cursor = source.cursor(sourced.resource_type)
    if cursor is not None:
        # Where a later read may start; it brings at least what changed last.
        assert ids_of(list(source.read(sourced.resource_type, cursor)))[-1:] == sourced.ids(["B-2"])


def test_nothing_is_written_to_the_source(sourced: Sourced) -> None:
    def contents() -> dict[str, tuple[str, int]]:
        return {
            path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in sourced.folder.iterdir()
        }

    sourced.fill(["A-1", "B-2"])
    before = contents()
    source = sourced.open()
    source.check()
    source.freshness(sourced.resource_type)
    for resource_type in source.resource_types():
        list(source.read(resource_type, None))
    source.close()
    assert contents() == before


def test_closing_twice_or_without_reading_does_no_harm(sourced: Sourced) -> None:
    sourced.fill(["A-1"])
    source = sourced.open()
    source.close()
    source.close()
    list(source.read(sourced.resource_type, None))
    source.close()
