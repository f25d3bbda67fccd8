"""Which loader loads which resource type."""

from collections.abc import Callable, Mapping

from graftport_dagster.errors import ConfigurationError
from graftport_dagster.loaders.collections import CollectionLoader
from graftport_dagster.loaders.content import BlogLoader
from graftport_dagster.loaders.customers import CustomerLoader
from graftport_dagster.loaders.discounts import DiscountLoader
from graftport_dagster.loaders.gift_cards import GiftCardLoader
from graftport_dagster.loaders.markets import MarketLoader
from graftport_dagster.loaders.orders import OrderLoader
from graftport_dagster.loaders.plan import Loader
from graftport_dagster.loaders.products import ProductLoader
from graftport_dagster.loaders.redirects import RedirectLoader
from graftport_dagster.records import ResourceType

# A loader lives for one load into one store: it may remember what it saw there.
_LOADERS: Mapping[ResourceType, Callable[[], Loader]] = {
    ResourceType.COLLECTIONS: CollectionLoader,
    ResourceType.PRODUCTS: ProductLoader,
    ResourceType.CUSTOMERS: CustomerLoader,
    ResourceType.DISCOUNT_CODES: DiscountLoader,
    ResourceType.GIFT_CARDS: GiftCardLoader,
    ResourceType.ORDERS: OrderLoader,
    ResourceType.BLOGS: BlogLoader,
    ResourceType.MARKETS: MarketLoader,
    ResourceType.REDIRECTS: RedirectLoader,
}


def loadable() -> tuple[ResourceType, ...]:
    """The resource types that can be loaded, in dependency order."""
    return tuple(resource_type for resource_type in ResourceType if resource_type in _LOADERS)


def must_be_loadable(resource_type: ResourceType) -> None:
    """Raises ConfigurationError for a type that cannot be loaded."""
    loader_for(resource_type)


def loader_for(resource_type: ResourceType) -> Loader:
    """A new loader of a type, for one load. Raises ConfigurationError for a type that has none."""
    if resource_type not in _LOADERS:
        raise ConfigurationError(
            f"{resource_type} cannot be loaded into Shopify by this version.", code="NO_LOADER",
            hint=f"It loads: {', '.join(loadable())}.",
        )  # fmt: skip
    return _LOADERS[resource_type]()
