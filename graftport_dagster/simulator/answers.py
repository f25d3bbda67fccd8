"""The two ways Shopify says no: a top-level error, and userErrors inside a payload.

What lives here: both as exceptions, with Shopify's codes. Who raises them is everywhere else;
`execution.py` turns them into an answer.
"""

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

DOCUMENTATION = "https://shopify.dev/api/usage/rate-limits"


class TopLevelError(GraphQLError):
    """An entry of `errors`; the field it is raised in becomes null, and its parents as the schema says."""

    def __init__(self, code: str, message: str, **extensions: Any) -> None:
        super().__init__(message, extensions={"code": code, **extensions})


class Refused(Exception):  # noqa: N818 - an answer rather than a failure
    """A mutation's userErrors; what it wrote so far is undone and the payload's objects are null."""

    def __init__(self, errors: Sequence[dict[str, Any]]) -> None:
        super().__init__("; ".join(error["message"] for error in errors))
        self.errors = list(errors)


def user_error(field: Sequence[str | int] | None, message: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    """One userError; Shopify writes indexes in the path as strings."""
    path = None if field is None else [str(step) for step in field]
    return {"field": path, "message": message, "code": code, **more}


def refuse(field: Sequence[str | int] | None, message: str, code: str | None = None, **more: Any) -> Refused:
    """A refusal with a single userError, to be raised."""
    return Refused([user_error(field, message, code, **more)])


def not_simulated(what: str) -> TopLevelError:
    """What Shopify would do and this simulator does not."""
    return TopLevelError("SIMULATOR_NOT_SUPPORTED", f"The simulator does not execute {what}; Shopify would.")


def invalid_id(gid: str) -> TopLevelError:
    """A well-formed id of another type than the field takes."""
    return TopLevelError("RESOURCE_NOT_FOUND", f"Invalid id: {gid}")
