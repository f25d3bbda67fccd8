"""Which loader loads which resource type."""

from collections.abc import Mapping

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.loaders.collections import CollectionLoader
from graftport_dagster.loaders.customers import CustomerLoader
from graftport_dagster.loaders.orders import OrderLoader
from graftport_dagster.loaders.plan import Loader
from graftport_dagster.loaders.products import ProductLoader
from graftport_dagster.loaders.redirects import RedirectLoader
from graftport_dagster.records import ResourceType

_LOADERS: Mapping[ResourceType, Loader] = {
    loader.resource_type: loader
    for loader in (CollectionLoader(), CustomerLoader(), OrderLoader(), ProductLoader(), RedirectLoader())
}


def loadable() -> tuple[ResourceType, ...]:
    """The resource types that can be loaded, in dependency order."""
    return tuple(resource_type for resource_type in ResourceType if resource_type in _LOADERS)


def must_be_loadable(resource_type: ResourceType) -> None:
    """Raises ConfigurationError for a type that cannot be loaded."""
    loader_for(resource_type)


def loader_for(resource_type: ResourceType) -> Loader:
    """The loader of a type. Raises ConfigurationError for a type that has none."""
    if resource_type not in _LOADERS:
        raise ConfigurationError(
            f"{resource_type} cannot be loaded into Shopify by this version.", code="NO_LOADER",
            hint=f"It loads: {', '.join(loadable())}.",
        )  # fmt: skip
    return _LOADERS[resource_type]
