"""`source: {type: magento}`: a Magento 2 shop, asked over its REST API.

How it is read is in `sources/magento/`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from graftport_dagster.records import ResourceType
from graftport_dagster.settings import Secret
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.source_settings.rest import RestModel
from graftport_dagster.source_settings.source_model import Platform


class MagentoSettings(RestModel, WithFiles):
    """Where the shop is and how to prove oneself: an integration's four secrets, its access token alone, or an admin.

    `overlap_minutes`: how far an incremental read goes back behind the last one, for clocks that differ.
    `files`: types that are read from files beside the shop, such as the posts of a blog module.
    """

    type: Literal["magento"]
    platform: Platform = "magento"
    store_view: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")] = "all"
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    access_token: Secret | None = None
    access_token_secret: Secret | None = None
    admin_user: Secret | None = None
    admin_password: Secret | None = None
    page_size: Annotated[int, Field(ge=1, le=300)] = 100
    overlap_minutes: Annotated[float, Field(ge=0)] = 15
    address_suffix: str = ".html"
    hidden_addresses: bool = True
    redirect_store_views: list[str] = Field(default_factory=list)
    gift_cards_path: str = ""

    @model_validator(mode="after")
    def _one_way_in(self) -> "MagentoSettings":
        signing = (self.consumer_key, self.consumer_secret, self.access_token_secret)
        admin = (self.admin_user, self.admin_password)
        signed = all(signing) and self.access_token and not any(admin)
        bearer = self.access_token and not any(signing) and not any(admin)
        as_admin = all(admin) and not any(signing) and not self.access_token
        if not (signed or bearer or as_admin):
            raise ValueError(
                "give an integration's consumer_key, consumer_secret, access_token and access_token_secret; "
                "or access_token alone; or admin_user and admin_password"
            )
        return self

    def named_types(self) -> tuple[ResourceType, ...]:
        """All but gift cards, unless it is said where they are: Magento Open Source has none."""
        has_cards = self.gift_cards_path or ResourceType.GIFT_CARDS in self.files
        return tuple(kind for kind in ResourceType if kind is not ResourceType.GIFT_CARDS or has_cards)
