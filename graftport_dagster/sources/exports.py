"""The exports that shop systems write themselves, each as the source of files asks for it.

Which files make up which types, how such a file is recognised, and when it is put together: once,
when it is first asked for. What rows and cells mean is in `magento_export`, `woocommerce_export`
and `shopify_export`; which export a migration has is for `files` to say.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graftport_dagster.records import InvalidRow, ResourceType, SourceRecord
from graftport_dagster.source_settings.files import FileSpec, FilesSettings
from graftport_dagster.sources import shopify_export
from graftport_dagster.sources.file_bytes import refusal
from graftport_dagster.sources.magento_export import REQUIRED_COLUMNS, TYPES, MagentoExport
from graftport_dagster.sources.magento_index import MagentoIndex, RowRules
from graftport_dagster.sources.row_files import OpenRows, open_rows
from graftport_dagster.sources.shopify_cells import column_of
from graftport_dagster.sources.shopify_export import ShopifyExport
from graftport_dagster.sources.woocommerce_cells import REQUIRED_COLUMNS as WOOCOMMERCE_COLUMNS
from graftport_dagster.sources.woocommerce_export import TYPES as WOOCOMMERCE_TYPES
from graftport_dagster.sources.woocommerce_export import WooCommerceExport

_Read = Iterator[SourceRecord | InvalidRow]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where files lie and how they are opened: a spec's paths, a path's name in messages, bytes of a row at most."""

    paths: Callable[[FileSpec], list[Path]]
    name: Callable[[Path], str]
    limit: int
    scratch: Path | None

    @contextmanager
    def rows(self, path: Path, spec: FileSpec) -> Iterator[OpenRows]:
        """The rows of a file, which is a CSV whatever its name says."""
        with open_rows(path, spec.model_copy(update={"format": "csv"}), self.limit) as opened:
            yield opened


class NativeExport(Protocol):
    """One export; `types` that it gives, and under which setting it is named."""

    setting: str
    types: tuple[ResourceType, ...]

    def specs(self, resource_type: ResourceType) -> list[FileSpec]:
        """The files that its records are made of, its own first."""

    def own(self, resource_type: ResourceType) -> list[FileSpec]:
        """The files whose rows are its records; none where they are another type's too, which is named first."""

    def recognise(self, resource_type: ResourceType, opened: OpenRows) -> str:
        """The column of ids. Raises ConfigurationError (HEADER) for a file that is no such export."""

    def read(self, resource_type: ResourceType) -> _Read:
        """Every record."""

    def unreadable(self, resource_type: ResourceType) -> bool:
        """After `read` began: whether a damaged row may hide which records there are."""

    def close(self) -> None:
        """Deletes what putting it together left; it may be read again."""


def named_exports(settings: FilesSettings, magento: Sequence[FileSpec], desk: Desk) -> list[NativeExport]:
    """Those that the settings name; `magento`: the specs of Magento's, wherever they stand."""
    found: list[NativeExport] = []
    if magento:
        found.append(MagentoFiles(list(magento), settings, desk))
    if settings.woocommerce_export:
        found.append(WooCommerceFiles(as_list(settings.woocommerce_export), desk))
    if settings.shopify_export:
        given = {kind: as_list(specs) for kind, specs in settings.shopify_export.items()}
        found.append(ShopifyFiles(given, desk))
    return found


def as_list(specs: FileSpec | Sequence[FileSpec] | None) -> list[FileSpec]:
    """The files of a setting that takes one or several."""
    if specs is None:
        return []
    return [specs] if isinstance(specs, FileSpec) else list(specs)


class MagentoFiles:
    """Magento's product export."""

    setting = "magento_export"
    types: tuple[ResourceType, ...] = TYPES

    def __init__(self, specs: list[FileSpec], settings: FilesSettings, desk: Desk) -> None:
        self._specs = specs
        self._settings = settings
        self._desk = desk
        self._index: MagentoIndex | None = None

    def specs(self, resource_type: ResourceType) -> list[FileSpec]:
        """All files give all types."""
        del resource_type
        return self._specs

    def own(self, resource_type: ResourceType) -> list[FileSpec]:
        """They are the products'."""
        return self._specs if resource_type is ResourceType.PRODUCTS else []

    def recognise(self, resource_type: ResourceType, opened: OpenRows) -> str:
        """By the columns without which a product is none."""
        del resource_type
        hint = f"It must have {', '.join(REQUIRED_COLUMNS)}; a plain table belongs under `source.files`."
        _require(opened, REQUIRED_COLUMNS, "a product export of Magento", hint)
        return "sku"

    def read(self, resource_type: ResourceType) -> _Read:
        """The export as it was when it was first asked for; indexed once."""
        if self._index is None:
            index = MagentoIndex(RowRules(frozenset(self._settings.attribute_sets)), self._desk.scratch)
            with _closed_on_error(index.close):
                for spec in self._specs:
                    for path in self._desk.paths(spec):
                        self._index_file(index, path, spec)
                index.finish()
            self._index = index
        export = MagentoExport(
            self._index, address_suffix=self._settings.address_suffix,
            hidden_addresses=self._settings.hidden_addresses, category_ancestors=self._settings.category_ancestors,
        )  # fmt: skip
        yield from export.read(resource_type)

    def _index_file(self, index: MagentoIndex, path: Path, spec: FileSpec) -> None:
        with self._desk.rows(path, spec) as opened:
            _identify(opened, self.recognise(ResourceType.PRODUCTS, opened))
            index.begin_file(opened.columns)
            for row in opened.rows:
                index.add(row, f"{self._desk.name(path)}:{row.line}")
            index.end_file(sound=opened.is_sound)

    def unreadable(self, resource_type: ResourceType) -> bool:
        """As the index says."""
        del resource_type
        return self._index is not None and self._index.unreadable

    def close(self) -> None:
        """Deletes the index."""
        if self._index is not None:
            self._index.close()
        self._index = None


class WooCommerceFiles:
    """WooCommerce's product export."""

    setting = "woocommerce_export"
    types: tuple[ResourceType, ...] = WOOCOMMERCE_TYPES

    def __init__(self, specs: list[FileSpec], desk: Desk) -> None:
        self._specs = specs
        self._desk = desk
        self._export: WooCommerceExport | None = None

    def specs(self, resource_type: ResourceType) -> list[FileSpec]:
        """All files give all types."""
        del resource_type
        return self._specs

    def own(self, resource_type: ResourceType) -> list[FileSpec]:
        """They are the products'."""
        return self._specs if resource_type is ResourceType.PRODUCTS else []

    def recognise(self, resource_type: ResourceType, opened: OpenRows) -> str:
        """By the English names of its columns."""
        del resource_type
        hint = "Export all columns, with the language of your WordPress profile set to English: its names are read."
        _require(opened, WOOCOMMERCE_COLUMNS, "a product export of WooCommerce", hint)
        return "ID"

    def read(self, resource_type: ResourceType) -> _Read:
        """The export as it was when it was first asked for; indexed once."""
        if self._export is None:
            export = WooCommerceExport(self._desk.scratch)
            with _closed_on_error(export.close):
                for spec in self._specs:
                    for path in self._desk.paths(spec):
                        with self._desk.rows(path, spec) as opened:
                            _identify(opened, self.recognise(resource_type, opened))
                            for row in opened.rows:
                                export.add(row, self._desk.name(path))
                export.finish()
            self._export = export
        yield from self._export.read(resource_type)

    def unreadable(self, resource_type: ResourceType) -> bool:
        """As the export says."""
        del resource_type
        return self._export is not None and self._export.unreadable

    def close(self) -> None:
        """Deletes what was put together."""
        if self._export is not None:
            self._export.close()
        self._export = None


class ShopifyFiles:
    """Shopify's exports: a file, or several, per type; orders look up products and customers in theirs."""

    setting = "shopify_export"

    def __init__(self, specs: Mapping[ResourceType, list[FileSpec]], desk: Desk) -> None:
        self._given = specs
        self._desk = desk
        self.types = tuple(kind for kind in shopify_export.TYPES if kind in specs)
        self._made: dict[ResourceType, ShopifyExport] = {}

    def specs(self, resource_type: ResourceType) -> list[FileSpec]:
        """Its own, of orders all."""
        return [spec for kind in self._needed(resource_type) for spec in self._given[kind]]

    def _needed(self, resource_type: ResourceType) -> list[ResourceType]:
        looked_up = [kind for kind in self.types if kind is not resource_type]
        return [resource_type, *(looked_up if resource_type is ResourceType.ORDERS else [])]

    def own(self, resource_type: ResourceType) -> list[FileSpec]:
        """Those named for the type."""
        return self._given[resource_type]

    def recognise(self, resource_type: ResourceType, opened: OpenRows) -> str:
        """By the columns that every such export has, in its older and its newer names."""
        names = {_plain(resource_type, column): column for column in reversed(opened.columns)}
        absent = [column for column in shopify_export.REQUIRED_COLUMNS[resource_type] if column not in names]
        if absent:
            raise refusal(
                opened.path, f"Not an export of {resource_type} from Shopify: it has no column {', '.join(absent)}.",
                "HEADER", "Export it in Shopify's admin, as plain CSV, with the admin's language set to English.",
            )  # fmt: skip
        return next(names[column] for column in shopify_export.ID_COLUMNS[resource_type] if column in names)

    def read(self, resource_type: ResourceType) -> _Read:
        """The exports as they were when the type was first asked for; put together once."""
        if resource_type not in self._made:
            export = ShopifyExport(self._desk.scratch)
            with _closed_on_error(export.close):
                for kind in self._needed(resource_type):
                    self._add_files(export, kind)
                export.finish()
            self._made[resource_type] = export
        yield from self._made[resource_type].read(resource_type)

    def _add_files(self, export: ShopifyExport, kind: ResourceType) -> None:
        for spec in self._given[kind]:
            for path in self._desk.paths(spec):
                with self._desk.rows(path, spec) as opened:
                    _identify(opened, self.recognise(kind, opened))
                    export.begin_file()
                    for row in opened.rows:
                        export.add(kind, row, self._desk.name(path))

    def unreadable(self, resource_type: ResourceType) -> bool:
        """As the export says."""
        return resource_type in self._made and self._made[resource_type].unreadable(resource_type)

    def close(self) -> None:
        """Deletes what was put together."""
        for export in self._made.values():
            export.close()
        self._made.clear()


def _plain(resource_type: ResourceType, column: str) -> str:
    return column_of(column) if resource_type is ResourceType.PRODUCTS else column.strip().lower()


def _identify(opened: OpenRows, column: str) -> None:
    if opened.csv is not None:
        opened.csv.identify_by(column)


def _require(opened: OpenRows, columns: Sequence[str], what: str, hint: str) -> None:
    if absent := [column for column in columns if column not in opened.columns]:
        raise refusal(opened.path, f"Not {what}: it has no column {', '.join(absent)}.", "HEADER", hint)


@contextmanager
def _closed_on_error(close: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        close()
        raise
