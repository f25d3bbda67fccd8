"""What Shopify's wording means, over every error that was ever recorded."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    GraftportError,
    LoadRejectedError,
    RemoteFaultError,
    ThrottledError,
)
from graftport_dagster.shopify.refusals import (
    UserError,
    raise_if_too_soon,
    read_cost,
    read_data,
    rejection,
    user_errors_in,
)

SHARED = Path(__file__).parents[2] / "../shared/shopify"


def recorded(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the recorded errors {name} are not beside the project")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.shared
def test_every_recorded_user_error_has_a_code_a_path_and_shopifys_words() -> None:
    for items in recorded("user_errors.json").values():
        for item in items:
            found = rejection([UserError(tuple(item["field"] or ()), item["code"], item["message"])])
            assert re.fullmatch(r"[A-Z][A-Z_0-9]+", found.code), item
            assert found.path.startswith(("input", "identifier"))
            assert " ".join(item["message"].split())[:400] in found.message


@pytest.mark.shared
def test_every_recorded_top_level_error_is_told_apart() -> None:
    kinds: dict[str, set[str]] = {}
    for item in recorded("top_level_errors.json"):
        answer = {"data": None, "errors": [{"message": item["message"], "extensions": {"code": item["code"]}}]}
        with pytest.raises(GraftportError) as found:
            read_data(answer)
        kinds.setdefault(type(found.value).__name__, set()).add(str(item["code"]))
    assert kinds["CredentialsError"] == {"ACCESS_DENIED"}
    assert kinds["RemoteFaultError"] == {"INTERNAL_SERVER_ERROR", "None"}
    assert kinds["ConfigurationError"] == {"NOT_FOUND"}
    assert kinds.keys() == {"CredentialsError", "RemoteFaultError", "ConfigurationError", "LoadRejectedError"}


@pytest.mark.parametrize(
    ("field", "path"),
    [
        (("input", "variants", "1", "price"), "input.variants[1].price"),
        (("title",), "input.title"),
        (("collection", "title"), "input.title"),
        (("order", "lineItems", "0"), "input.lineItems[0]"),
        (("basicCodeDiscount", "code"), "input.code"),
        (("identifier",), "identifier"),
        ((), "input"),
    ],
)
def test_paths_are_those_of_the_staged_record(field: tuple[str, ...], path: str) -> None:
    assert rejection([UserError(field, "INVALID", "no")]).path == path


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Email has already been taken", "TAKEN"),
        ("Code must be unique. Please try a different code.", "TAKEN"),
        ("Handle 'x' already in use. Please provide a new handle.", "TAKEN"),
        ("Title can't be blank", "BLANK"),
        ("is too long (maximum is 255 characters)", "TOO_LONG"),
        ("Product does not exist", "NOT_FOUND"),
        ("Email is invalid", "INVALID"),
        ("Something never seen", "INVALID"),
    ],
)
def test_messages_without_a_code_get_one(message: str, code: str) -> None:
    assert rejection([UserError(("input",), None, message)]).code == code


def test_shopifys_own_code_wins() -> None:
    assert rejection([UserError((), "HANDLE_NOT_UNIQUE", "already in use")]).code == "HANDLE_NOT_UNIQUE"


def test_many_errors_are_one_with_the_first_ones_told() -> None:
    found = rejection([UserError(("tags",), None, f"wrong {n}") for n in range(10)])
    assert "wrong 3" in found.message
    assert "and 6 more" in found.message
    assert "wrong 5" not in found.message


def test_a_message_without_end_is_cut() -> None:
    assert len(rejection([UserError((), None, "x" * 100_000)]).message) < 700


@pytest.mark.parametrize(
    "message", ["Too many attempts. Please try again later.", "Another operation already in progress. Please wait."]
)
def test_a_request_to_wait_is_no_refusal(message: str) -> None:
    with pytest.raises(ThrottledError):
        raise_if_too_soon([UserError((), None, message)])


def test_user_errors_are_found_whatever_the_mutation_calls_them() -> None:
    error = {"field": ["id"], "message": "no", "code": "X"}
    for name in ("userErrors", "mediaUserErrors", "locationActivateUserErrors"):
        assert user_errors_in({"location": None, name: [error]}) == (UserError(("id",), "X", "no"),)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("THROTTLED", ThrottledError), ("ACCESS_DENIED", CredentialsError), ("SHOP_INACTIVE", ConfigurationError),
     ("MAX_COST_EXCEEDED", LoadRejectedError), ("INTERNAL_SERVER_ERROR", RemoteFaultError),
     ("WHATEVER", RemoteFaultError)],
)  # fmt: skip
def test_a_code_has_a_meaning(code: str, kind: type[GraftportError]) -> None:
    with pytest.raises(kind):
        read_data({"errors": [{"message": "m", "extensions": {"code": code}}]})


NOWHERE = {"maximumAvailable": 1, "restoreRate": 1, "currentlyAvailable": 1}


@pytest.mark.parametrize(
    "cost",
    [None, 1, {}, {"requestedQueryCost": "x"}, {"requestedQueryCost": 1, "throttleStatus": {}},
     {"requestedQueryCost": float("nan"), "throttleStatus": NOWHERE}],
)  # fmt: skip
def test_a_cost_that_is_none_is_passed_over(cost: Any) -> None:
    assert read_cost({"extensions": {"cost": cost}}) is None
