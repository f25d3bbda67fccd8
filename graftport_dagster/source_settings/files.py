"""`source: {type: files}`: which files hold the rows of which resource type.

How they are read is in `sources/files.py`.
"""

from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Secret, Settings
from graftport_dagster.source_settings.source_model import Platform, SourceModel

# What the native exports give.
_OF_WOOCOMMERCE_EXPORT = (ResourceType.COLLECTIONS, ResourceType.PRODUCTS)
_OF_MAGENTO_EXPORT = (*_OF_WOOCOMMERCE_EXPORT, ResourceType.REDIRECTS)
_OF_SHOPIFY_EXPORTS = (ResourceType.PRODUCTS, ResourceType.CUSTOMERS, ResourceType.ORDERS)


class FileSpec(Settings):
    """One file of rows, or one at an address of the web. What is not given is found out."""

    path: str
    format: Literal["auto", "csv", "json", "jsonl", "excel", "magento_export"] = "auto"
    id_column: str = ""
    separator: str = ""
    encoding: str = ""
    sheet: str = ""
    user: Secret | None = None
    password: Secret | None = None
    token: Secret | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether it is fetched from another computer; an address with a token in it may stand in a secret."""
        return is_web_path(self.path) or self.path.startswith("env:")


def is_web_path(path: str) -> bool:
    """Whether the path is an address of the web."""
    return path.lower().startswith(("https://", "http://"))


def _with_sound_credentials(given: FileSpec | list[FileSpec]) -> FileSpec | list[FileSpec]:
    for spec in given if isinstance(given, list) else [given]:
        named = [spec.user is not None, spec.password is not None, spec.token is not None]
        if named not in ([False, False, False], [True, True, False], [False, False, True]):
            raise ValueError("give either user and password, or token")
        if any(named) and not spec.is_fetched:
            raise ValueError("user, password and token are for a path that begins with https://")
        if is_web_path(spec.path) and "@" in urlsplit(spec.path).netloc:
            raise ValueError("an address holds no user name and no password; give them as secrets")
    return given


# One file of rows, or several that are read one after the other.
FileSpecs = Annotated[FileSpec | list[FileSpec], AfterValidator(_with_sound_credentials)]


def _of_types_that_are_exported(given: Mapping[ResourceType, FileSpecs]) -> Mapping[ResourceType, FileSpecs]:
    if wrong := [str(kind) for kind in given if kind not in _OF_SHOPIFY_EXPORTS]:
        raise ValueError(f"Shopify exports {', '.join(_OF_SHOPIFY_EXPORTS)}, not {', '.join(wrong)}")
    return given


class FilesSettings(SourceModel):
    """Files of rows, relative to `root`, and what Magento, WooCommerce and Shopify export themselves."""

    type: Literal["files"] = "files"
    platform: Platform = "files"
    root: str = "."
    files: Mapping[ResourceType, FileSpecs] = Field(default_factory=dict)
    magento_export: FileSpecs | None = None
    woocommerce_export: FileSpecs | None = None
    shopify_export: Annotated[Mapping[ResourceType, FileSpecs], AfterValidator(_of_types_that_are_exported)] = Field(
        default_factory=dict
    )
    address_suffix: str = ".html"
    hidden_addresses: bool = True
    category_ancestors: bool = False
    attribute_sets: list[str] = Field(default_factory=list)
    max_record_mb: Annotated[float, Field(gt=0)] = 16
    max_download_mb: Annotated[float, Field(gt=0)] = 2048

    def named_types(self) -> tuple[ResourceType, ...]:
        """Those that a file is named for, and those that an export gives."""
        given = set(self.files)
        if self.magento_export or self._has_export_named_as_file:
            given.update(_OF_MAGENTO_EXPORT)
        if self.woocommerce_export:
            given.update(_OF_WOOCOMMERCE_EXPORT)
        given.update(self.shopify_export)
        return tuple(kind for kind in ResourceType if kind in given)

    @property
    def _has_export_named_as_file(self) -> bool:
        products = self.files.get(ResourceType.PRODUCTS, [])
        specs = products if isinstance(products, list) else [products]
        return any(spec.format == "magento_export" for spec in specs)
