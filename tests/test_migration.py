"""What is refused of a migration file, in which words, and what is not repeated of it."""

from pathlib import Path

import pytest

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.migration import read_migration
from graftport_dagster.records import ResourceType
from graftport_dagster.settings import resolve_secret

SOURCE = "source: {platform: magento, magento_export: {path: products.csv}}\n"
WOO = "source: {type: woocommerce, url: 'https://a.example', consumer_key: env:A, consumer_secret: env:B, %s}\n"
MAGENTO = "source: {type: magento, access_token: env:TOKEN, %s}\n"
SHOP = "destination: {shop: %s, access_token: env:TOKEN}\n"
SCHEDULE = "schedules: {nightly: {cron: '%s', time_zone: %s}}\n"


def refusal(folder: Path, text: str, name: str = "acme.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_migration(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "There are no settings in it."),
        ("- source\n", "A migration file is settings, `key: value`, no more."),
        ("hello", "A migration file is settings"),
        ("source: 5\n", "source: expects settings below it, `key: value`"),
        ("source: {}\nresource_types: products\n", "resource_types: expects a list"),
        ("source: {}\nresource_types: [produts]\n", "resource_types.0: produts is none of collections,"),
        ("source: {}\nresource_types: [produts]\n", "did you mean products?"),
        ("source: {platfrom: magento}\n", "source.platfrom: unknown key, did you mean platform?"),
        ("source: {magento_export: {pth: a.csv}}\n", "source.magento_export.path: must be given"),
        ("source: {magento_export: {pth: a.csv}}\n", "source.magento_export.pth: unknown key, did you mean path?"),
        ("source: {magento_export: 5}\n", "source.magento_export: expects {path: …}, or a list of those"),
        ("source: {max_record_mb: big}\n", "source.max_record_mb: expects a number"),
        ("source: {}\noptions: {max_deleted_share: 7}\n", "options.max_deleted_share: should be less than"),
        ("destination: {}\n", "source: must be given"),
        ("source: {type: magneto}\n", "source.type: magneto is none of files, magento"),
        ("source: {type: magneto}\n", "did you mean magento?"),
        ("source: {type: magento}\n", "source.url: must be given"),
        (MAGENTO % "url: shop.example", "source.url: write the whole address, like https://shop.example"),
        (MAGENTO % "url: 'https://u:p@shop.example'", "source.url: an address holds no user name"),
        (
            MAGENTO % "url: 'https://shop.example', stor_view: de",
            "source.stor_view: unknown key, did you mean store_view",
        ),
        (MAGENTO % "url: 'https://shop.example', consumer_key: env:A", "source: give an integration's consumer_key"),
        ("source: {type: woocommerce, url: 'https://a.example'}\n", "source.consumer_key: must be given"),
        (WOO % "application_user: env:A", "source: give application_user and application_password, or neither"),
        (WOO % "page_size: 101", "source.page_size: should be less than or equal to 100"),
        (WOO % "order_note: true", "source.order_note: unknown key, did you mean order_notes"),
        ("source: {type: files, file: {}}\n", "source.file: unknown key, did you mean files?"),
        ("source: {files: {customers: {path: a, sheeet: b}}}\n", "customers.sheeet: unknown key, did you mean sheet?"),
        (SOURCE + "settings: {launch: 2026-02-30}\n", "acme.yaml: Not readable as YAML: a date or number that there"),
        (SOURCE + "settings: {icon: !!binary aGk=}\n", "settings: mappings take texts, numbers, true, false, null"),
        (SOURCE + "notifications: {backlog_hours: .inf}\n", "notifications.backlog_hours: should be a finite number"),
        (SOURCE + "notifications: {backlog_hours: 1e300}\n", "backlog_hours: should be less than or equal to 876000"),
        (SOURCE + "retention: {keep_days: 1000000}\n", "retention.keep_days: should be less than or equal to 36500"),
        (SOURCE + "schedules: {reaper: {cron: '0 0 * * *'}}\n", "reaper is the name of a schedule or sensor that is"),
        (SOURCE + "slug: other\n", "slug: unknown key, the file's own name and place say it"),
        (SOURCE + "folder: /\n", "folder: unknown key, the file's own name and place say it"),
        (SOURCE + "schedules: {a b: {cron: '0 * * * *'}}\n", "'a b' is no name of a schedule"),
    ],
)
def test_a_mistake_is_told_with_its_place_in_plain_words(tmp_path: Path, text: str, told: str) -> None:
    sentence = refusal(tmp_path, text)
    assert sentence.startswith("acme.yaml: ")
    assert told in sentence
    assert not any(word in sentence for word in ("FileSpec", "FilesSettings", "dictionary", "Input"))


def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, SOURCE + "pinning: auto\n" + SOURCE)
    assert sentence == "acme.yaml:3:1: Not readable as YAML: source is given twice."
    assert "path is given twice" in refusal(tmp_path, "source: {magento_export: {path: a, path: b}}\n")


def test_a_tab_is_told_without_repeating_the_line_it_is_in(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, "destination:\n\taccess_token: shpat_0123456789abcdef\n")
    assert sentence.startswith("acme.yaml:2:1: Not readable as YAML: ")
    assert sentence.endswith("YAML is indented with spaces, never with tabs.")
    assert "shpat" not in sentence
    assert "\n" not in sentence


def test_a_secret_in_clear_text_is_refused_and_not_repeated(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, SOURCE + "destination: {shop: a.myshopify.com, access_token: shpat_012345}\n")
    assert "destination.access_token: write a secret as env:NAME or file:PATH" in sentence
    assert "shpat" not in sentence


def test_what_is_no_text_in_utf_8_is_refused_as_that(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"^acme\.yaml: Not readable: it is no text in UTF-8\."):
        read_migration(path)


@pytest.mark.parametrize("shop", ["not a shop!!", "http://127.0.0.1:99999", "'https://'", "'simulator://my shop'"])
def test_what_is_no_address_of_a_store_is_refused_when_the_file_is_read(tmp_path: Path, shop: str) -> None:
    sentence = refusal(tmp_path, SOURCE + SHOP % shop)
    assert "destination.shop: write it as <shop>.myshopify.com" in sentence


@pytest.mark.parametrize(
    "shop", ["acme.myshopify.com", "https://acme.myshopify.com/", "http://127.0.0.1:4010", "http://[::1]:4010",
             "simulator://", "simulator://rehearsal_2"],
)  # fmt: skip
def test_every_usual_form_of_an_address_is_taken(tmp_path: Path, shop: str) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(SOURCE + SHOP % f"'{shop}'", encoding="utf-8")
    assert read_migration(path).destination.shop == shop


@pytest.mark.parametrize(
    "cron", ["x y", "* * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * feb-foo *", "*/0 * * * *"]
)
def test_a_cron_line_that_means_nothing_is_refused(tmp_path: Path, cron: str) -> None:
    assert "schedules.nightly.cron: five fields of a cron line" in refusal(tmp_path, SOURCE + SCHEDULE % (cron, "UTC"))


@pytest.mark.parametrize("cron", ["0 * * * *", "*/15 8-18/2 1,15 JAN-mar mon,fri", "5 4 * * 7"])
def test_a_cron_line_may_hold_lists_ranges_steps_and_names(tmp_path: Path, cron: str) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(SOURCE + SCHEDULE % (cron, "Europe/Vienna"), encoding="utf-8")
    assert read_migration(path).schedules["nightly"].cron == cron


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc", "''"])
def test_a_time_zone_that_is_not_known_is_refused(tmp_path: Path, zone: str) -> None:
    assert "schedules.nightly.time_zone: no time zone of that name" in refusal(
        tmp_path, SOURCE + SCHEDULE % ("0 * * * *", zone)
    )


@pytest.mark.parametrize(
    ("files", "cards"), [("{}", False), ("{gift_cards: {path: cards.csv}}", True)], ids=["alone", "a file beside it"]
)
def test_woocommerce_moves_gift_cards_only_from_a_file_beside_it(tmp_path: Path, files: str, cards: bool) -> None:
    shop = "url: https://shop.example, consumer_key: env:K, consumer_secret: env:S"
    (tmp_path / "shop.yaml").write_text(f"source: {{type: woocommerce, {shop}, files: {files}}}")
    named = read_migration(tmp_path / "shop.yaml").source.named_types()
    assert (ResourceType.GIFT_CARDS in named) is cards
    assert ResourceType.PRODUCTS in named


@pytest.mark.parametrize(
    ("source", "types"),
    [
        ("magento_export: {path: p.csv}", "collections products redirects"),
        ("files: {products: {path: p.csv, format: magento_export}}", "collections products redirects"),
        ("magento_export: {path: p.csv}, files: {orders: {path: o.csv}}", "collections products orders redirects"),
        ("files: {orders: {path: o.csv}}", "orders"),
        ("woocommerce_export: {path: p.csv}", "collections products"),
    ],
)
def test_a_file_of_files_moves_the_types_that_it_has_rows_for(tmp_path: Path, source: str, types: str) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(f"source: {{platform: magento, {source}}}\n", encoding="utf-8")
    assert [str(kind) for kind in read_migration(path).source.named_types()] == types.split()


def test_settings_reach_mappings_as_json_whatever_yaml_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(SOURCE + "settings: {categories: {12: Shoes}, since: 2026-11-21}\n", encoding="utf-8")
    migration = read_migration(path)
    assert migration.settings == {"categories": {"12": "Shoes"}, "since": "2026-11-21"}
    assert len(migration.settings_hash) == 40


def test_a_secret_file_that_is_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="The secret file token is absent, unreadable, no text or empty"):
        resolve_secret("file:token", base=tmp_path)
