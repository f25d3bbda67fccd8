"""`source: {type: woocommerce}`: a WooCommerce shop, asked over its REST API and WordPress's.

How it is read is in `sources/woocommerce/`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Secret
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.source_settings.rest import RestModel
from graftport_dagster.source_settings.source_model import Platform


class WooCommerceSettings(RestModel, WithFiles):
    """Where the shop is, its API key, and for drafts and private posts an application password of WordPress.

    `sign_in`: how the key is sent; `auto` is a header over https and a signature (OAuth 1.0a) over http.
    `files`: types that are read from files beside the shop, such as gift cards, which WooCommerce itself has not.
    """

    type: Literal["woocommerce"]
    platform: Platform = "woocommerce"
    consumer_key: Secret
    consumer_secret: Secret
    sign_in: Literal["auto", "header", "query", "oauth"] = "auto"
    application_user: Secret | None = None
    application_password: Secret | None = None
    # Pages overlap by one record, so that a page of one would never get on.
    page_size: Annotated[int, Field(ge=2, le=100)] = 100
    overlap_minutes: Annotated[float, Field(ge=0)] = 15
    customer_role: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")] = "all"
    order_notes: bool = False
    category_base: str = "product-category"

    @model_validator(mode="after")
    def _user_and_password(self) -> "WooCommerceSettings":
        if (self.application_user is None) != (self.application_password is None):
            raise ValueError("give application_user and application_password, or neither")
        return self

    def named_types(self) -> tuple[ResourceType, ...]:
        """All but gift cards, unless a file beside the shop has them: WooCommerce itself has none."""
        has_cards = ResourceType.GIFT_CARDS in self.files
        return tuple(kind for kind in ResourceType if kind is not ResourceType.GIFT_CARDS or has_cards)
