"""What a call comes back as, and what of it was sent again, against a server that behaves badly on purpose."""

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graftport_dagster.errors import (
    ConfigurationError,
    CredentialsError,
    ErrorClass,
    GraftportError,
    LoadRejectedError,
    RemoteFaultError,
    RemoteTimeoutError,
    StoppedError,
    ThrottledError,
    UnknownOutcomeError,
    UnreachableError,
)
from graftport_dagster.shopify.client import Answer, Shop
from graftport_dagster.shopify.credentials import AccessToken, ClientCredentials
from graftport_dagster.shopify.documents import document
from graftport_dagster.shopify.refusals import UserError
from tests.shopify.conftest import (
    API_VERSION,
    TOKEN,
    Behaviour,
    Clock,
    MakeShop,
    Request,
    Script,
    answers,
    data,
    failure,
    hang_up,
    http,
    raw,
    reset,
    silence,
    status,
)

CREATE = document("url_redirect_create")
VARIABLES = {"urlRedirect": {"path": "/old", "target": "/new"}}
CREATED = {"urlRedirectCreate": {"urlRedirect": {"id": "gid://shopify/UrlRedirect/1"}, "userErrors": []}}
READ = document("url_redirects")
READ_VARIABLES = {"query": "path:'/old'", "first": 1}

LOSSES: dict[str, Behaviour] = {
    "a reset": reset,
    "a hang-up": hang_up,
    "a 500": status(500, "oops"),
    "a 502 in HTML": status(502, "<html>Bad gateway</html>"),
    "a 503 with Retry-After": status(503, "", Retry_After="1"),
    "a 504": status(504),
    "an internal error": failure("INTERNAL_SERVER_ERROR", "Internal error. Request ID: x", {"urlRedirectCreate": None}),
    "an error without a code": failure(None, "Something odd"),
    "an error nobody has recorded": failure("BRAND_NEW", "Something odd"),
    "a JSON answer cut short": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"data": {', close=True),
    "JSON cut short and sold as whole": raw(http(200, b'{"data": {"urlRedirectCreate": {')),
    "chunks cut short": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", close=True),
    "HTML with status 200": raw(http(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})),
    "an empty body": raw(http(200, b"")),
    "a list": raw(http(200, b"[]")),
    "null data without errors": answers({"data": None}),
    "errors of unknown form": answers({"data": None, "errors": "broken"}),
    "no HTTP at all": raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", close=True),
    "gzip that is none": raw(http(200, b"not gzip", {"Content-Encoding": "gzip"})),
    "a chunk size that is none": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True),
}


def create(shop: Shop, *, repeatable: bool = False) -> Answer:
    return shop.call(CREATE, VARIABLES, repeatable=repeatable)


def caught(kind: type[GraftportError], call: Callable[[], object]) -> GraftportError:
    with pytest.raises(kind) as found:
        call()
    assert type(found.value) is kind, found.value
    assert TOKEN not in str(found.value) + repr(found.value.__dict__)
    return found.value


# --- an answer


def test_an_answer_brings_the_payload_of_its_one_root_field(script: Script, shop: Shop) -> None:
    script.plays(data(CREATED))
    answer = create(shop)
    assert answer.data == CREATED["urlRedirectCreate"]
    assert answer.user_errors == ()
    assert (answer.cost_requested, answer.cost_actual, answer.calls) == (10, 10, 1)
    answer.raise_for_user_errors()


def test_what_is_sent_is_the_document_its_variables_and_the_token(script: Script, shop: Shop) -> None:
    script.plays(data(CREATED))
    create(shop)
    (request,) = script.requests
    assert request.path == f"/admin/api/{API_VERSION}/graphql.json"
    assert request.json == {"query": CREATE, "variables": VARIABLES}
    assert request.headers["x-shopify-access-token"] == TOKEN
    assert request.headers["content-type"] == "application/json"


def test_null_is_an_empty_payload(script: Script, shop: Shop) -> None:
    script.plays(data({"productByIdentifier": None}))
    variables = {"identifier": {"handle": "x"}, "variants": 1, "media": 1}
    assert shop.call(document("product_by_identifier"), variables, repeatable=True).data == {}


def test_several_roots_come_by_alias(script: Script, shop: Shop) -> None:
    script.plays(data({"shop": {"id": "1"}, "locations": {"nodes": []}}))
    variables = {"locations": 10, "publications": 10}
    answer = shop.call(document("preflight"), variables, repeatable=True)
    assert set(answer.data) == {"shop", "locations"}


def test_a_compressed_answer_is_read(script: Script, shop: Shop) -> None:
    body = gzip.compress(json.dumps({"data": CREATED}).encode())
    script.plays(raw(http(200, body, {"Content-Encoding": "gzip"})))
    assert create(shop).data["urlRedirect"]["id"].endswith("/1")


def test_an_answer_without_cost_counts_as_foreseen(script: Script, shop: Shop) -> None:
    script.plays(raw(http(200, json.dumps({"data": CREATED}).encode())))
    assert create(shop).cost_requested == 10


def test_connections_are_kept_and_used_again(script: Script, shop: Shop) -> None:
    script.plays(data(CREATED))
    for _ in range(5):
        create(shop)
    assert len(script.requests) == 5
    assert script.connections == 1


def test_many_threads_share_one_shop(script: Script, make_shop: MakeShop) -> None:
    script.plays(data(CREATED))
    shop = make_shop(concurrency=8, clock=time.monotonic, sleep=time.sleep)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: create(shop).calls, range(100)))
    assert found == [1] * 100
    assert script.connections <= 8


# --- lost answers


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_a_create_whose_answer_is_lost_is_unknown_and_not_sent_again(
    loss: Behaviour, script: Script, shop: Shop
) -> None:
    script.plays(loss)
    error = caught(UnknownOutcomeError, lambda: create(shop))
    assert error.error_class is ErrorClass.UNKNOWN_OUTCOME
    assert len(script.requests) == 1


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_what_may_be_repeated_is_sent_again_until_it_lands(loss: Behaviour, script: Script, shop: Shop) -> None:
    script.plays(loss, loss, data(CREATED))
    answer = create(shop, repeatable=True)
    assert answer.data["urlRedirect"]
    assert answer.calls == 3


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_a_query_that_never_comes_back_is_the_others_fault(loss: Behaviour, script: Script, shop: Shop) -> None:
    script.plays(loss)
    caught(RemoteFaultError, lambda: shop.call(READ, READ_VARIABLES, repeatable=False))
    assert len(script.requests) == 5


def test_an_answer_that_takes_too_long_is_unknown(script: Script, make_shop: MakeShop) -> None:
    script.plays(silence(0.5))
    error = caught(UnknownOutcomeError, lambda: create(make_shop(timeout_seconds=0.1)))
    assert error.code == "TIMEOUT"


def test_a_query_that_takes_too_long_is_a_timeout(script: Script, make_shop: MakeShop) -> None:
    script.plays(silence(0.3))
    shop = make_shop(timeout_seconds=0.05)
    caught(RemoteTimeoutError, lambda: shop.call(READ, READ_VARIABLES, repeatable=True))


def test_an_answer_that_drips_for_ever_is_given_up(script: Script, make_shop: MakeShop) -> None:
    def drip(connection: socket.socket, request: Request) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.02)

    script.plays(drip)
    shop = make_shop(timeout_seconds=0.2, clock=time.monotonic, sleep=time.sleep)
    started = time.monotonic()
    caught(UnknownOutcomeError, lambda: create(shop))
    assert time.monotonic() - started < 1.5


def test_a_lost_create_stays_unknown_whatever_comes_after(script: Script, make_shop: MakeShop) -> None:
    for after in (status(429, Retry_After="500"), status(401), status(404)):
        script.plays(reset, after)
        shop = make_shop()
        caught(UnknownOutcomeError, lambda shop=shop: create(shop, repeatable=True))  # type: ignore[misc]


def test_a_refusal_after_a_lost_answer_is_still_a_refusal(script: Script, shop: Shop) -> None:
    script.plays(reset, failure("INVALID_VARIABLE", "Variable $urlRedirect of type X was provided invalid value"))
    caught(LoadRejectedError, lambda: create(shop, repeatable=True))


def test_a_call_after_a_lost_one_works(script: Script, shop: Shop) -> None:
    for loss in LOSSES.values():
        script.plays(loss, data(CREATED))
        caught(UnknownOutcomeError, lambda: create(shop))
        assert create(shop).data["urlRedirect"]


# --- not sent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_refused_connection_was_not_sent(make_shop: MakeShop, clock: Clock) -> None:
    shop = make_shop(f"http://127.0.0.1:{free_port()}")
    error = caught(UnreachableError, lambda: create(shop))
    assert error.code == "CONNECTION_REFUSED"
    assert "Connection refused" in error.message
    assert 5 < clock.slept <= 15


def test_a_store_that_fell_silent_is_waited_for_once_and_then_asked_once_a_call(
    script: Script, make_shop: MakeShop, clock: Clock
) -> None:
    script.plays(data(CREATED))
    shop = make_shop(script.url)
    create(shop)
    script.stop()
    caught(UnreachableError, lambda: shop.call(READ, READ_VARIABLES, repeatable=True))
    assert 60 < clock.slept <= 120
    slept = clock.slept
    caught(UnreachableError, lambda: shop.call(READ, READ_VARIABLES, repeatable=True))
    assert clock.slept == slept


def test_an_answer_carries_shopifys_own_time(script: Script, shop: Shop) -> None:
    script.plays(raw(http(200, json.dumps({"data": CREATED}).encode(), {"Date": "Sat, 21 Nov 2026 10:00:00 GMT"})))
    assert create(shop).date == "Sat, 21 Nov 2026 10:00:00 GMT"


def test_a_name_that_does_not_resolve_was_not_sent(make_shop: MakeShop) -> None:
    shop = make_shop("http://no-such-shop.invalid", patience_seconds=0)
    assert caught(UnreachableError, lambda: create(shop)).code == "NAME_NOT_RESOLVED"


def test_a_failed_tls_handshake_was_not_sent(make_shop: MakeShop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak_no_tls() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=speak_no_tls)
        thread.start()
        shop = make_shop(f"https://127.0.0.1:{listener.getsockname()[1]}", patience_seconds=0)
        error = caught(UnreachableError, lambda: create(shop))
        thread.join()
    assert error.code == "TLS_FAILED"


def test_a_handshake_that_never_ends_was_not_sent(make_shop: MakeShop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        error = caught(UnreachableError, lambda: create(make_shop(url, patience_seconds=0, timeout_seconds=0.1)))
    assert error.code == "CONNECT_TIMEOUT"


def test_a_store_that_comes_up_while_we_wait_is_reached(make_shop: MakeShop, script: Script, clock: Clock) -> None:
    script.plays(data(CREATED))
    port = free_port()
    up = threading.Event()
    forwarder: list[socket.socket] = []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.slept > 5 and not up.is_set():
            up.set()
            forwarder.append(socket.create_server(("127.0.0.1", port)))
            threading.Thread(target=answer_once, daemon=True).start()

    def answer_once() -> None:
        connection, _ = forwarder[0].accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(http(200, json.dumps({"data": CREATED}).encode()))

    answer = create(make_shop(f"http://127.0.0.1:{port}", sleep=sleep))
    forwarder[0].close()
    assert answer.data["urlRedirect"]
    assert answer.calls > 1


# --- asked to wait


def test_throttled_waits_as_long_as_the_missing_points_take(script: Script, shop: Shop, clock: Clock) -> None:
    throttled = answers(
        {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]},
        requested=10, actual=None, available=-490,
    )  # fmt: skip
    script.plays(throttled, data(CREATED))
    assert create(shop).calls == 2
    assert clock.slept == pytest.approx((10 + 490 + 1000) / 100)  # what it lacks, and what is left to others


def test_429_waits_as_long_as_it_says(script: Script, shop: Shop, clock: Clock) -> None:
    script.plays(status(429, "slow down", Retry_After="7"), data(CREATED))
    assert create(shop).calls == 2
    assert 7 <= clock.slept < 8


def test_429_with_a_date_waits_until_then_by_the_answers_own_clock(script: Script, shop: Shop, clock: Clock) -> None:
    dates = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Retry_After": "Sat, 21 Nov 2026 10:00:09 GMT"}
    script.plays(status(429, "", **dates), data(CREATED))
    create(shop)
    assert 9 <= clock.slept < 10


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", ""])
def test_a_retry_after_that_is_none_is_passed_over(value: str, script: Script, shop: Shop, clock: Clock) -> None:
    script.plays(status(429, "", Retry_After=value), data(CREATED))
    create(shop)
    assert clock.slept < 2


def test_patience_ends_and_the_wait_that_is_left_is_told(script: Script, shop: Shop, clock: Clock) -> None:
    script.plays(status(429, Retry_After="600"))
    error = caught(ThrottledError, lambda: create(shop))
    assert isinstance(error, ThrottledError)
    assert error.retry_after == 600
    assert error.error_class is ErrorClass.RATE_LIMIT
    assert clock.slept == 0
    assert len(script.requests) == 1


def test_endless_throttling_ends_with_our_patience(script: Script, shop: Shop, clock: Clock) -> None:
    script.plays(failure("THROTTLED", "Throttled"))
    caught(ThrottledError, lambda: create(shop))
    assert 60 < clock.slept <= 121


def test_throttling_is_endured_as_long_as_shopify_takes_other_calls_of_ours(
    script: Script, make_shop: MakeShop, clock: Clock
) -> None:
    throttled, taken = failure("THROTTLED", "Throttled"), data(CREATED)
    script.plays(*[throttled] * 40, taken)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(script.requests) % 10 == 5:
            with script.lock:
                script.behaviours.insert(0, taken)
            create(shop)

    shop = make_shop(script.url, sleep=sleep)
    assert create(shop).calls > 30
    assert clock.slept > 121


def test_too_many_attempts_is_a_request_to_wait(script: Script, shop: Shop, clock: Clock) -> None:
    refused = {"userErrors": [{"field": None, "message": "Too many attempts. Please try again later."}]}
    script.plays(data({"urlRedirectCreate": refused}), data(CREATED))
    assert create(shop).calls == 2
    assert clock.slept >= 15


def test_calls_of_which_a_store_takes_few_a_minute_are_spaced_and_wait_beyond_all_patience(
    script: Script, shop: Shop, clock: Clock
) -> None:
    refused = data({"urlRedirectCreate": {"userErrors": [{"field": None, "message": "Too many attempts."}]}})
    script.plays(data(CREATED), refused, refused, *[data(CREATED)] * 20, data({"urlRedirects": {"nodes": []}}))
    create(shop)
    assert shop.told == ""
    began = clock()
    for _ in range(20):
        create(shop)
    assert 20 * 12 <= clock() - began <= 20 * 12 + 30
    assert shop.told == "the store takes 5 of them a minute"
    slept = clock.slept
    shop.call(READ, READ_VARIABLES, repeatable=True)
    assert clock.slept == slept


def test_a_store_that_takes_no_call_at_all_is_given_up_with_its_words(script: Script, shop: Shop, clock: Clock) -> None:
    refused = data({"urlRedirectCreate": {"userErrors": [{"field": None, "message": "Too many attempts."}]}})
    script.plays(*[refused] * 100)
    error = caught(ThrottledError, lambda: create(shop))
    assert error.code == "TOO_MANY_ATTEMPTS"
    assert clock.slept < 600


def test_a_cancel_ends_the_wait_for_a_turn(script: Script, make_shop: MakeShop, clock: Clock) -> None:
    refused = data({"urlRedirectCreate": {"userErrors": [{"field": None, "message": "Too many attempts."}]}})
    script.plays(refused, data(CREATED))
    shop = make_shop(stop=lambda: clock.slept >= 3)
    assert "Too many attempts" in caught(StoppedError, lambda: create(shop)).message
    assert len(script.requests) == 1


def test_the_daily_variant_limit_is_let_through_at_once(script: Script, shop: Shop, clock: Clock) -> None:
    script.plays(failure("VARIANT_THROTTLE_EXCEEDED", "Daily variant creation limit reached"))
    error = caught(ThrottledError, lambda: create(shop))
    assert error.code == "VARIANT_THROTTLE_EXCEEDED"
    assert clock.slept == 0


def test_a_cancel_ends_the_wait(script: Script, make_shop: MakeShop, clock: Clock) -> None:
    script.plays(status(429, Retry_After="100"))
    shop = make_shop(stop=lambda: clock.slept >= 1)
    assert "429" in caught(StoppedError, lambda: create(shop)).message
    assert clock.slept < 2


def test_after_a_cancel_nothing_is_sent(script: Script, make_shop: MakeShop) -> None:
    script.plays(data(CREATED))
    error = caught(StoppedError, lambda: create(make_shop(stop=lambda: True)))
    assert error.code == "STOPPED"
    assert script.requests == []


# --- refusals


REFUSALS: dict[str, tuple[Behaviour, type[GraftportError], str]] = {
    "401": (status(401, "[API] Invalid API key"), CredentialsError, "INVALID_TOKEN"),
    "402": (status(402), ConfigurationError, "STORE_FROZEN"),
    "403": (status(403), CredentialsError, "FORBIDDEN"),
    "404": (status(404, "Not Found"), ConfigurationError, "NO_SUCH_STORE"),
    "406": (status(406), ConfigurationError, "HTTP_406"),
    "413": (status(413), LoadRejectedError, "TOO_LARGE"),
    "423": (status(423), ConfigurationError, "STORE_LOCKED"),
    "430": (status(430), ConfigurationError, "SECURITY_REJECTION"),
    "a redirect": (status(301, Location="https://elsewhere.example/"), ConfigurationError, "HTTP_301"),
    "no scope": (
        failure("ACCESS_DENIED", "Access denied for x field. Required access: `write_orders` access scope."),
        CredentialsError, "ACCESS_DENIED",
    ),
    "too dear": (failure("MAX_COST_EXCEEDED", "Query cost is 1200"), LoadRejectedError, "MAX_COST_EXCEEDED"),
    "too long a list": (failure("MAX_INPUT_SIZE_EXCEEDED", "2049"), LoadRejectedError, "MAX_INPUT_SIZE_EXCEEDED"),
    "an unknown field": (failure("undefinedField", "Field 'x' doesn't exist"), LoadRejectedError, "undefinedField"),
    "no definition": (
        failure("NOT_FOUND", "Metafield definition of type 'id' is required when using custom ids."),
        ConfigurationError, "DEFINITION_MISSING",
    ),
    "a closed store": (failure("SHOP_INACTIVE", "closed"), ConfigurationError, "SHOP_INACTIVE"),
}  # fmt: skip


@pytest.mark.parametrize(("behaviour", "kind", "code"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_told_in_words_and_not_sent_again(
    behaviour: Behaviour, kind: type[GraftportError], code: str, script: Script, shop: Shop
) -> None:
    script.plays(behaviour)
    error = caught(kind, lambda: create(shop, repeatable=True))
    assert error.code == code
    assert error.hint
    assert len(script.requests) == 1


def test_a_missing_scope_is_named(script: Script, shop: Shop) -> None:
    script.plays(failure("ACCESS_DENIED", "Access denied for x field. Required access: `write_orders` access scope."))
    assert "write_orders" in caught(CredentialsError, lambda: create(shop)).message


def test_an_invalid_variable_is_placed_in_the_payload(script: Script, shop: Shop) -> None:
    problems = [{"path": ["variants", 3, "price"], "explanation": "Could not coerce"}]
    message = "Variable $input of type ProductSetInput! was provided invalid value for variants.3.price"
    script.plays(failure("INVALID_VARIABLE", message, problems=problems, value={"title": "secret of a person"}))
    error = caught(LoadRejectedError, lambda: create(shop))
    assert error.path == "input.variants[3].price"
    assert "secret of a person" not in str(error)


def test_of_several_errors_the_gravest_decides(script: Script, shop: Shop) -> None:
    errors = [{"message": "m", "extensions": {"code": code}} for code in ("undefinedField", "ACCESS_DENIED")]
    script.plays(answers({"data": None, "errors": errors}))
    caught(CredentialsError, lambda: create(shop))


def test_user_errors_are_returned_and_become_a_rejection(script: Script, shop: Shop) -> None:
    refused = [
        {"field": ["urlRedirect", "path"], "message": "Path has already been taken", "code": None},
        {"field": None, "message": "Target can't be blank", "code": "BLANK"},
    ]
    script.plays(data({"urlRedirectCreate": {"urlRedirect": None, "userErrors": refused}}))
    answer = create(shop)
    assert answer.user_errors[0] == UserError(("urlRedirect", "path"), None, "Path has already been taken")
    with pytest.raises(LoadRejectedError) as found:
        answer.raise_for_user_errors()
    assert (found.value.code, found.value.path) == ("TAKEN", "input.path")
    assert "Target can't be blank" in found.value.message


def test_another_api_version_stops_a_query(script: Script, shop: Shop) -> None:
    script.plays(answers({"data": {"urlRedirects": {"nodes": []}}}, version="2027-01"))
    error = caught(ConfigurationError, lambda: shop.call(READ, READ_VARIABLES, repeatable=True))
    assert "2026-10" in error.message
    assert "2027-01" in error.message


def test_another_api_version_does_not_lose_a_create_that_landed(script: Script, shop: Shop) -> None:
    script.plays(answers({"data": CREATED}, version="2027-01"))
    assert create(shop).data["urlRedirect"]
    assert caught(ConfigurationError, lambda: create(shop)).code == "API_VERSION"
    assert len(script.requests) == 1


def test_a_payload_that_is_no_json_is_refused_before_it_is_sent(script: Script, shop: Shop) -> None:
    for value in ("\ud800", object(), {1: 2, None: 3}):
        caught(LoadRejectedError, lambda value=value: shop.call(CREATE, {"urlRedirect": value}, repeatable=False))  # type: ignore[misc]
    assert script.requests == []


def test_integers_beyond_64_bits_are_sent_exactly(script: Script, shop: Shop) -> None:
    script.plays(data(CREATED))
    shop.call(CREATE, {"urlRedirect": {"path": 2**70}}, repeatable=False)
    assert str(2**70).encode() in script.requests[0].body


def test_a_document_outside_the_shipped_schema_is_a_mistake_of_ours(shop: Shop) -> None:
    with pytest.raises(KeyError, match="storefrontAccessTokenDelete"):
        shop.call("mutation { storefrontAccessTokenDelete { userErrors { field } } }", {}, repeatable=False)


# --- addresses and credentials


@pytest.mark.parametrize("url", ["", "ftp://x.myshopify.com", "https://admin.shopify.com/store/x", "http://x.myshopify.com",
                                 "https://x:port", "https://[x"])  # fmt: skip
def test_what_is_no_address_of_a_store_is_said(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Shop(url, credentials=AccessToken(TOKEN))


@pytest.mark.parametrize("url", ["x.myshopify.com", "https://x.myshopify.com/admin", "https://x.myshopify.com"])
def test_a_stores_address_is_taken_in_any_usual_form(url: str) -> None:
    assert Shop(url, credentials=AccessToken(TOKEN)).host == "x.myshopify.com"


@pytest.mark.parametrize("token", ["", "two words", "line\nend", "tökén"])
def test_a_token_that_cannot_be_one_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(CredentialsError) as found:
        Shop("x.myshopify.com", credentials=AccessToken(token))
    assert not token or token not in str(found.value)


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(AccessToken(TOKEN)) + repr(ClientCredentials("app", "hush"))
    assert TOKEN not in shown
    assert "hush" not in shown


def oauth(token: str, expires_in: float = 86399) -> Behaviour:
    body = json.dumps({"access_token": token, "scope": "write_products", "expires_in": expires_in}).encode()
    return raw(http(200, body, {"Content-Type": "application/json"}))


APP = ClientCredentials("app", "hush")


def test_client_credentials_are_changed_for_a_token_once(script: Script, make_shop: MakeShop) -> None:
    shop = make_shop(credentials=APP)
    script.plays(oauth("first"), data(CREATED))
    create(shop)
    create(shop)
    paths = [request.path for request in script.requests]
    assert paths[0] == "/admin/oauth/access_token"
    assert len(paths) == 3
    assert script.requests[0].body == b"grant_type=client_credentials&client_id=app&client_secret=hush"
    assert script.requests[1].headers["x-shopify-access-token"] == "first"


def test_a_token_is_renewed_before_it_runs_out(script: Script, make_shop: MakeShop, clock: Clock) -> None:
    shop = make_shop(credentials=APP)
    script.plays(oauth("first", 3600), data(CREATED), oauth("second"), data(CREATED))
    create(shop)
    clock.now += 3100
    create(shop)
    assert script.requests[-1].headers["x-shopify-access-token"] == "second"


def test_a_token_that_ran_out_early_is_renewed_once_and_the_call_sent(script: Script, make_shop: MakeShop) -> None:
    shop = make_shop(credentials=APP)
    script.plays(oauth("first"), status(401), oauth("second"), data(CREATED))
    assert create(shop).calls == 2
    script.plays(status(401), oauth("third"), status(401))
    caught(CredentialsError, lambda: create(shop))


def test_refused_client_credentials_are_said(script: Script, make_shop: MakeShop) -> None:
    script.plays(status(400, '{"error": "invalid_client", "error_description": "hush is wrong"}'))
    error = caught(CredentialsError, lambda: create(make_shop(credentials=APP)))
    assert "invalid_client" in error.message
    assert "hush" not in str(error)


@pytest.mark.parametrize("bad", [reset, status(500), raw(http(200, b"{}")), raw(http(200, b"<html>"))])
def test_a_token_that_cannot_be_fetched_means_nothing_was_sent(bad: Any, script: Script, make_shop: MakeShop) -> None:
    script.plays(bad)
    error = caught(UnreachableError, lambda: create(make_shop(credentials=APP)))
    assert error.code == "NO_TOKEN"
    script.plays(bad, oauth("late"), data(CREATED))
    assert create(make_shop(credentials=APP)).data["urlRedirect"]


# --- publishing many


PUBLICATION = [{"publicationId": "gid://shopify/Publication/1"}]


def publishes(wrong: set[str]) -> Behaviour:
    def behave(connection: socket.socket, request: Request) -> None:
        variables = request.json["variables"]
        ids = [variables[f"id{index}"] for index in range(len(variables) // 2)]
        if wrong & set(ids):
            content: Any = {"errors": [{"message": "Invalid id", "extensions": {"code": "RESOURCE_NOT_FOUND"}}]}
        else:
            refused = [{"field": ["id"], "message": "Resource does not exist"}]
            content = {"data": {f"p{index}": {"userErrors": refused if "gone" in gid else []}
                                for index, gid in enumerate(ids)}}  # fmt: skip
        connection.sendall(http(200, json.dumps(content).encode()))

    return behave


def test_publications_are_joined_fifty_to_a_call(script: Script, shop: Shop) -> None:
    script.plays(publishes(set()))
    refused = shop.publish([(f"gid://shopify/Product/{n}", PUBLICATION) for n in range(120)])
    assert refused == [()] * 120
    assert len(script.requests) == 3


def test_each_publication_has_its_own_errors(script: Script, shop: Shop) -> None:
    script.plays(publishes(set()))
    refused = shop.publish([(gid, PUBLICATION) for gid in ("a", "gone", "b")])
    assert [len(errors) for errors in refused] == [0, 1, 0]


def test_one_wrong_object_does_not_refuse_the_others(script: Script, shop: Shop) -> None:
    script.plays(publishes({"13"}))
    refused = shop.publish([(str(n), PUBLICATION) for n in range(20)])
    assert [index for index, errors in enumerate(refused) if errors] == [13]
    assert refused[13][0].code == "RESOURCE_NOT_FOUND"


def test_nothing_to_publish_sends_nothing(script: Script, shop: Shop) -> None:
    assert shop.publish([]) == []
    assert script.requests == []


# --- fuzz


def test_no_answer_whatever_makes_the_client_crash_or_hang(script: Script, make_shop: MakeShop) -> None:
    dice = random.Random(20261121)
    good = http(200, json.dumps({"data": CREATED, "extensions": {"cost": {"requestedQueryCost": 10}}}).encode())
    shop = make_shop(timeout_seconds=1)
    for _ in range(300):
        spoiled = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            spoiled[dice.randrange(len(spoiled))] = dice.randrange(256)
        content = bytes(spoiled[: dice.randint(0, len(spoiled))])
        script.plays(raw(content, close=True))
        try:
            create(shop)
        except GraftportError as error:
            assert error.code  # noqa: PT017 - any of ours will do


HOSTILE: list[Any] = [
    {"data": {"urlRedirectCreate": []}},
    {"data": {"urlRedirectCreate": {"userErrors": "no list"}}},
    {"data": {"urlRedirectCreate": {"userErrors": [None, 1, {"field": "text"}]}}},
    {"data": {"urlRedirectCreate": None}, "extensions": {"cost": "dear"}},
    {"data": {"urlRedirectCreate": None}, "extensions": {"cost": {"throttleStatus": []}}},
    {"data": {"urlRedirectCreate": None}, "extensions": []},
    {"data": {"urlRedirectCreate": None}, "errors": [1, None]},
    {"data": {}, "errors": [{"message": None, "extensions": []}]},
    {"data": {}},
]


@pytest.mark.parametrize("content", HOSTILE)
def test_json_of_any_shape_is_an_answer_or_an_error_of_ours(content: Any, script: Script, shop: Shop) -> None:
    script.plays(raw(http(200, json.dumps(content).encode())))
    try:
        answer = create(shop)
    except GraftportError:
        return
    assert isinstance(answer.data, dict)
