"""The kinds of sources that a migration file can name: one module of settings for each, told apart by `type`.

A new kind is a `SourceModel` in a module of its own, one line in `AnySource` and one in
`sources/opening.py`; its mistakes are worded by `mistakes.py` without further ado.
"""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from graftport_dagster.source_settings.files import FilesSettings
from graftport_dagster.source_settings.magento import MagentoSettings
from graftport_dagster.source_settings.shopify import ShopifySettings
from graftport_dagster.source_settings.source_model import SourceModel
from graftport_dagster.source_settings.sql import SqlSettings
from graftport_dagster.source_settings.woocommerce import WooCommerceSettings

__all__ = [
    "AnySource", "FilesSettings", "MagentoSettings", "ShopifySettings", "SourceModel", "SqlSettings",
    "WooCommerceSettings",
]  # fmt: skip


def _type_of(source: Any) -> str | None:
    """Files where the type is not given; None for what are no settings at all."""
    if isinstance(source, dict):
        return str(source.get("type", "files"))
    return getattr(source, "type", None)


AnySource = Annotated[
    Annotated[FilesSettings, Tag("files")]
    | Annotated[MagentoSettings, Tag("magento")]
    | Annotated[ShopifySettings, Tag("shopify")]
    | Annotated[SqlSettings, Tag("sql")]
    | Annotated[WooCommerceSettings, Tag("woocommerce")],
    Discriminator(_type_of),
]  # fmt: skip
