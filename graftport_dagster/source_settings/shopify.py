"""`source: {type: shopify}`: another Shopify shop, asked over its Admin API.

How it is read is in `sources/shopify/`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from graftport_dagster.settings import Secret
from graftport_dagster.source_settings.beside import WithFiles
from graftport_dagster.source_settings.source_model import Platform


class ShopifySettings(WithFiles):
    """The shop and how to prove oneself: an access token, or the credentials of an app of its own organisation.

    `bulk_queries`: whether Shopify is asked to write whole types into files; pages otherwise.
    `overlap_minutes`: how far an incremental read goes back behind the last one, for Shopify's search runs behind.
    """

    type: Literal["shopify"]
    platform: Platform = "shopify"
    shop: str
    access_token: Secret | None = None
    client_id: Secret | None = None
    client_secret: Secret | None = None
    api_version: str = "2026-10"
    bulk_queries: bool = True
    overlap_minutes: Annotated[float, Field(ge=0)] = 15
    timeout_seconds: Annotated[float, Field(gt=0)] = 60

    @model_validator(mode="after")
    def _one_way_in(self) -> "ShopifySettings":
        credentials = (self.client_id is not None, self.client_secret is not None)
        if credentials[0] != credentials[1] or credentials[0] == (self.access_token is not None):
            raise ValueError("give either access_token, or client_id and client_secret")
        return self
