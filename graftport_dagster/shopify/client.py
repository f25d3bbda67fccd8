"""One Shopify store's Admin API: asks within the store's allowance and answers for what was sent.

The promise towards `loaders/`: a call comes back as an answer, or raises an error that says
whether it may have been executed. Sent again here is only what provably was not executed, or
what the caller says may be repeated; verifying what stayed unknown is the loaders' business.
What an answer means is read in `refusals.py`, the points are kept in `throttle.py`.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from graftport_dagster.errors import (
    ConfigurationError,
    GraftportError,
    LoadRejectedError,
    RemoteFaultError,
    RemoteTimeoutError,
    StoppedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
    UnreachableError,
)
from graftport_dagster.migration import SHOPIFY_API_VERSION
from graftport_dagster.records import JsonObject, canonical_json
from graftport_dagster.shopify import refusals
from graftport_dagster.shopify.cost import requested_cost
from graftport_dagster.shopify.credentials import Credentials, Tokens
from graftport_dagster.shopify.documents import PUBLISH_BATCH, publish_call
from graftport_dagster.shopify.pace import Pace
from graftport_dagster.shopify.refusals import UserError
from graftport_dagster.shopify.throttle import CostBucket
from graftport_dagster.shopify.transport import Endpoint, Reply, origin_of

_MAYBE_EXECUTED = (RemoteFaultError, RemoteTimeoutError)
_FAULTS_ENDURED = 4
# Each costs a quarter of a minute or more; a store that only has to be asked slowly refuses once or twice.
_REFUSALS_ENDURED = 8
# Until a store has answered once, it is more likely that its address is wrong than that it will come back.
_FIRST_PATIENCE_SECONDS = 15.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0
_NAP = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What Shopify answered.

    `data`: the payload of the document's one root field, `{}` where Shopify answered null; of a
    document with several, or with a list (`nodes`), field or alias → payload. `user_errors`: those
    of the one root field. Costs in points; `calls` counts how often it was sent; `date` is the HTTP
    header, Shopify's clock.
    """

    data: JsonObject
    user_errors: tuple[UserError, ...]
    cost_requested: float
    cost_actual: float
    calls: int
    date: str = ""

    def raise_for_user_errors(self) -> None:
        """Raise LoadRejectedError where Shopify refused the record."""
        if self.user_errors:
            raise refusals.rejection(self.user_errors)


def read_line(line: JsonObject) -> Answer:
    """What one line of a bulk operation's results answers, as if it had been called; costs nothing.

    Raises as `Shop.call` does for what cannot pass; TransientError for what is to be called after all.
    """
    payload = _with_nodes(next(iter(refusals.read_data(line).values()), None))
    if not isinstance(payload, dict):
        raise RemoteFaultError("A line of a bulk operation's results has no answer.", code="NO_DATA")
    errors = refusals.user_errors_in(payload)
    refusals.raise_if_too_soon(errors)
    return Answer(payload, errors, 0.0, 0.0, 0)


def _with_nodes(value: Any) -> Any:
    """The value with `nodes` in place of `edges`, which is how a bulk operation's document asks for lists."""
    if isinstance(value, list):
        return [_with_nodes(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(edges := value.get("edges"), list):
        return {"nodes": [_with_nodes(edge["node"]) for edge in edges]}
    return {name: _with_nodes(item) for name, item in value.items()}


class Shop:
    """One store; made once per process and shared by its threads.

    `patience_seconds`: how long one call is tried again before its error is let through; of calls that
    Shopify refuses for their rate, counted from the last call of any thread that it took. While the store
    is silent, only the first call is tried so long (15 seconds if it has never answered), and every other once.
    `connect_seconds`: how long a connection may take. `stop` is asked while waiting, so that a cancel does
    not wait as long.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials,
        api_version: str = SHOPIFY_API_VERSION,
        concurrency: int = 8,
        timeout_seconds: float = 60,
        patience_seconds: float = 120,
        connect_seconds: float = 10,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._endpoint = Endpoint(
            origin_of(url), connections=concurrency, timeout_seconds=timeout_seconds, connect_seconds=connect_seconds,
            clock=clock,
        )  # fmt: skip
        self._path = f"/admin/api/{api_version}/graphql.json"
        self._api_version = api_version
        self._tokens = Tokens(credentials, self._endpoint, clock)
        self._pace = Pace(clock)
        self._bucket = CostBucket(clock=clock, sleep=sleep)
        self._patience_seconds = patience_seconds
        self._stop = stop
        self._clock = clock
        self._sleep = sleep
        self._random = random
        # What Shopify asked beyond our estimate, per document.
        self._surcharges: dict[str, float] = {}
        self._wrong_version: ConfigurationError | None = None
        # When Shopify last took a call; None before the first.
        self._taken_at: float | None = None
        self._is_silent = False

    @property
    def host(self) -> str:
        """The store's host name, for messages."""
        return self._endpoint.host

    def call(self, document: str, variables: JsonObject, *, repeatable: bool, finishes: bool = False) -> Answer:
        """Send one document and bring its answer; thread-safe, waits for the store's points.

        `repeatable`: sending it twice does no harm (an identity, a key or its nature sees to it);
        queries always are. `finishes`: it ends what was begun, and is sent after a stop too, once.
        Raises ThrottledError or UnreachableError (not executed; StoppedError
        after a cancel), UnknownOutcomeError (a mutation that may have been), RemoteFaultError or
        RemoteTimeoutError (a query), LoadRejectedError (this payload), CredentialsError and
        ConfigurationError (nothing else will pass either). userErrors are returned.
        """
        is_query = not document.lstrip().startswith("mutation")
        foreseen = requested_cost(document, variables)
        cost = max(0.0, foreseen + self._surcharges.get(document, 0.0))
        sending = _Sending(
            document, _encoded(document, variables), foreseen, cost, is_query, finishes,
            may_repeat=repeatable or is_query, began=self._clock(),
        )  # fmt: skip
        while True:
            try:
                sending.began += self._awaited_turn(document)
                return self._send(sending)
            except TransientError as error:
                self._wait_after(error, sending)
            except ConfigurationError as error:
                raise self._outcome(error, sending) from error

    def _wait_after(self, error: TransientError, sending: "_Sending") -> None:
        """Until it may be tried again. Raises what the call ends with where it is not."""
        if isinstance(error, StoppedError):
            raise self._outcome(StoppedError(sending.refused_by), sending) from error
        sending.refused_by = error
        if error.code == "TOO_MANY_ATTEMPTS":
            self._slow_down(error, sending)
            return
        if isinstance(error, _MAYBE_EXECUTED):
            sending.lost, sending.faults = error, sending.faults + 1
            if not sending.may_repeat or sending.faults > _FAULTS_ENDURED:
                raise self._outcome(error, sending) from error
        pause = max(error.retry_after, self._random() * min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(sending.calls, 10)))
        if self._gives_up(error, sending.began, pause):
            raise self._outcome(error, sending) from error
        if not self._waited(pause):
            raise self._outcome(StoppedError(error), sending) from error

    def _awaited_turn(self, document: str) -> float:
        """Seconds waited where a store takes few of these calls a minute. Raises StoppedError."""
        seconds = self._pace.turn(document)
        if seconds and not self._waited(seconds):
            raise StoppedError
        return seconds

    def _slow_down(self, error: TransientError, sending: "_Sending") -> None:
        """From now on one at a time. Raises the error where the store takes none at all."""
        sending.refusals += 1
        if sending.refusals > _REFUSALS_ENDURED:
            raise error
        self._pace.refused(sending.document, error.retry_after)

    @property
    def told(self) -> str:
        """What is to be said of the store's pace; "" while there is nothing."""
        return self._pace.told

    def publish(self, items: Sequence[tuple[str, Sequence[Mapping[str, str]]]]) -> list[tuple[UserError, ...]]:
        """Publish objects (GID, `[{"publicationId": …}]`), fifty per call; the userErrors of each, in order.

        Raises as `call` does; repeatable by nature.
        """
        refused: list[tuple[UserError, ...]] = []
        for start in range(0, len(items), PUBLISH_BATCH):
            refused += self._publish_batch(items[start : start + PUBLISH_BATCH])
        return refused

    def close(self) -> None:
        """Close idle connections; calls under way finish."""
        self._endpoint.close()

    def _publish_batch(self, items: Sequence[tuple[str, Sequence[Mapping[str, str]]]]) -> list[tuple[UserError, ...]]:
        document, variables = publish_call(items)
        try:
            answer = self.call(document, variables, repeatable=True)
        except LoadRejectedError as error:
            if len(items) == 1:
                return [(UserError((), error.code, error.message),)]
            # One wrong GID refuses all of them: each half alone finds it.
            half = len(items) // 2
            return [*self._publish_batch(items[:half]), *self._publish_batch(items[half:])]
        if len(items) == 1:
            return [answer.user_errors]
        return [refusals.user_errors_in(answer.data.get(f"p{index}")) for index in range(len(items))]

    def _send(self, sending: "_Sending") -> Answer:
        """One try, with a second one where only the token had run out."""
        if self._wrong_version:
            raise self._wrong_version
        token = self._tokens.current()
        reply, body = self._exchange(sending, token)
        if reply.status == 401 and self._tokens.renew(token):
            reply, body = self._exchange(sending, self._tokens.current())
        answer = body if body is not None else refusals.read_json(reply, host=self.host)
        data = refusals.read_data(answer)
        self._taken_at = self._clock()
        self._wrong_version = refusals.wrong_version(reply, self._api_version)
        if self._wrong_version and sending.is_query:
            raise self._wrong_version
        return _answer(data, refusals.read_cost(answer), sending, reply.headers.get("Date", ""))

    def _exchange(self, sending: "_Sending", token: str) -> tuple[Reply, JsonObject | None]:
        """Book, send, give back; the answer's JSON where it is a good HTTP answer."""
        booking = self._bucket.take(sending.cost, (lambda: False) if sending.finishes else self._stop)
        # An answer that does not come is taken to have used all it asked for.
        used = sending.cost
        cost = None
        sending.calls += 1
        try:
            reply = self._endpoint.post(self._path, sending.body, _HEADERS | {"X-Shopify-Access-Token": token})
            self._is_silent = False
            if reply.status != 200:
                used = 0.0 if reply.status < 500 else used
                return reply, None
            body = refusals.read_json(reply, host=self.host)
        except UnreachableError:
            used = 0.0
            raise
        else:
            if cost := refusals.read_cost(body):
                used = cost.actual
                if cost.requested != sending.cost:
                    self._surcharges[sending.document] = cost.requested - sending.foreseen
            return reply, body
        finally:
            self._bucket.settle(booking, used, cost.allowance if cost else None)

    def _gives_up(self, error: TransientError, began: float, pause: float) -> bool:
        """Whether a call that began then is not tried again after such a pause."""
        patience = self._patience_seconds
        if isinstance(error, ThrottledError):
            # Another process of ours that loads the same store takes turns with this one.
            return self._clock() + pause > max(began, self._taken_at or began) + patience
        if self._taken_at is None:
            patience = min(patience, _FIRST_PATIENCE_SECONDS)
        if not self._is_silent and self._clock() + pause <= began + patience:
            return False
        self._is_silent = self._is_silent or isinstance(error, UnreachableError)
        return True

    def _outcome(self, error: GraftportError, sending: "_Sending") -> GraftportError:
        """What to raise at last: a mutation that was once lost stays unknown, whatever came after."""
        if sending.lost is None or sending.is_query:
            return error
        return UnknownOutcomeError(
            f"It was sent, and no answer came: {sending.lost.message}", code=sending.lost.code,
            hint="It is looked for in Shopify before anything is sent again.",
        )  # fmt: skip

    def _waited(self, seconds: float) -> bool:
        """Whether the pause was sat out; False as soon as the run is asked to stop."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            if self._stop():
                return False
            self._sleep(min(left, _NAP))
        return True


@dataclass(slots=True)
class _Sending:
    """One call under way."""

    document: str
    body: bytes
    foreseen: float
    cost: float
    is_query: bool
    finishes: bool
    may_repeat: bool
    began: float
    calls: int = 0
    # How often no answer came, and the last such error of one that may have been executed.
    faults: int = 0
    lost: TransientError | None = None
    # What the last try failed by.
    refused_by: TransientError | None = None
    # How often it was said to come too soon.
    refusals: int = 0


_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "graftport-dagster",
}


def _encoded(document: str, variables: JsonObject) -> bytes:
    return b'{"query":%b,"variables":%b}' % (orjson.dumps(document), _json(variables))


def _json(variables: JsonObject) -> bytes:
    try:
        return orjson.dumps(variables)
    except TypeError:
        pass
    try:
        # Integers beyond 64 bits are valid JSON, and Shopify's to judge.
        return canonical_json(variables)
    except (TypeError, ValueError) as error:
        raise LoadRejectedError(
            f"The payload cannot be written as JSON: {error}", code="NOT_JSON", path="input",
            hint="Texts must be valid Unicode, values plain JSON.",
        ) from error  # fmt: skip


def _answer(data: JsonObject, cost: refusals.Cost | None, sending: _Sending, date: str) -> Answer:
    requested, actual = (cost.requested, cost.actual) if cost else (sending.cost, sending.cost)
    payload = next(iter(data.values()), None)
    if len(data) != 1 or isinstance(payload, list):
        return Answer(data, (), requested, actual, sending.calls, date)
    errors = refusals.user_errors_in(payload)
    refusals.raise_if_too_soon(errors)
    return Answer(payload if isinstance(payload, dict) else {}, errors, requested, actual, sending.calls, date)
