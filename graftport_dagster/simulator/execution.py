"""A request executed: variables, cost, bucket, the parts' functions, and the answer in Shopify's form.

What lives here: the order of these steps, transactions around mutations, `@idempotent`, and what
is answered for a field that no part offers. HTTP is `server.py`'s, faults `faults.py`'s, what a
field means the parts'.
"""

import traceback
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLResolveInfo,
    OperationDefinitionNode,
    execute,
    get_named_type,
)
from graphql.execution.values import get_directive_values

from graftport_dagster.simulator import idempotency
from graftport_dagster.simulator.answers import DOCUMENTATION, Refused, TopLevelError, not_simulated
from graftport_dagster.simulator.coercion import coerce_variables
from graftport_dagster.simulator.connections import page_of
from graftport_dagster.simulator.cost import MUTATION_BASE, SINGLE_QUERY_LIMIT, Costing
from graftport_dagster.simulator.documents import Document, DocumentCache, directive, is_mutation
from graftport_dagster.simulator.limits import check_sizes
from graftport_dagster.simulator.parts import Call, Part, Settings
from graftport_dagster.simulator.schema import AdminSchema
from graftport_dagster.simulator.scopes import check_access
from graftport_dagster.simulator.state import State
from graftport_dagster.simulator.throttle import Throttle

Answer = dict[str, Any]


@dataclass(slots=True)
class Question:
    """A request as read from its body, with what became of it so far."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None
    app: str
    document: Document
    operation: OperationDefinitionNode | None = None
    root_fields: list[str] = field(default_factory=list)
    refusal: Answer | None = None
    cost: int = 0
    charged: float | None = None
    outcome: str = ""
    wrote: bool = False
    failures: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)


class Engine:
    """The shop's mind: answers one question at a time."""

    def __init__(
        self, schema: AdminSchema, state: State, parts: Sequence[Part], settings: Settings, throttle: Throttle
    ) -> None:
        self._schema = schema
        self._state = state
        self._settings = settings
        self._throttle = throttle
        self._documents = DocumentCache(schema.graphql)
        self._costing = Costing(schema.graphql)
        self._queries = {name: it for part in parts for name, it in part.queries.items()}
        self._mutations = {name: it for part in parts for name, it in part.mutations.items()}
        self._fields = {tuple(name.split(".")): it for part in parts for name, it in part.fields.items()}

    def read(self, body: Answer, app: str) -> Question:
        """The question in a request body, or its refusal, before anything is executed or booked."""
        document = self._documents.read(body["query"])
        question = Question(body["query"], body.get("variables") or {}, body.get("operationName"), app, document)
        chosen = document.operation(question.operation_name)
        if isinstance(chosen, OperationDefinitionNode):
            question.operation = chosen
            question.root_fields = [it.name.value for it in document.root_fields(chosen)]
        if document.errors:
            question.refusal, question.outcome = {"errors": document.errors}, "invalid document"
        elif question.operation is None:
            question.refusal, question.outcome = {"errors": [chosen]}, "invalid document"
        return question

    def answer(self, question: Question, base_url: str) -> Answer:
        """Executes a question, unless it is refused; never raises."""
        if question.refusal is not None or question.operation is None:
            return question.refusal or {}
        try:
            variables = coerce_variables(self._schema.graphql, question.operation, question.variables)
            check_sizes(question.document.root_fields(question.operation), variables)
        except TopLevelError as error:
            question.outcome = str((error.extensions or {}).get("code"))
            return {"errors": [error.formatted]}
        question.cost = self._costing.requested(question.document, question.operation, variables)
        if question.cost > SINGLE_QUERY_LIMIT:
            question.outcome = "MAX_COST_EXCEEDED"
            return {"errors": [_too_costly(question.cost)]}
        if not self._throttle.take(question.app, question.cost):
            return self.throttled(question)
        return self._execute(question, variables, base_url)

    def throttled(self, question: Question) -> Answer:
        """The answer to a question that the bucket does not hold; nothing was executed."""
        question.outcome = "THROTTLED"
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": DOCUMENTATION}}
        return {"errors": [error], "extensions": {"cost": self._cost(question, None)}}

    def too_many_attempts(self, question: Question) -> Answer:
        """The userError that a store on trial answers over its own limits; nothing was executed."""
        question.outcome = "too many attempts"
        refused = {"field": None, "message": "Too many attempts. Please try again later.", "code": None}
        operation = question.operation
        data = {}
        for node in question.document.root_fields(operation) if operation else ():
            data[node.alias.value if node.alias else node.name.value] = {"userErrors": [refused]}
        return {"data": data, "extensions": {"cost": self._cost(question, MUTATION_BASE)}}

    def _execute(self, question: Question, variables: dict[str, Any], base_url: str) -> Answer:
        result, call = self._run(question, variables, base_url)
        errors = [self._formatted(error, call) for error in result.errors or ()]
        question.wrote, question.failures, question.mails = call.wrote, call.failures, call.mails
        charged = self._charged(question, call)
        self._throttle.give_back(question.app, question.cost - charged)
        question.charged = charged
        question.outcome = _outcome(errors, call)
        answer: Answer = {"data": result.data}
        if errors:
            answer["errors"] = errors
        answer["extensions"] = {"cost": self._cost(question, charged)}
        return answer

    def line(self, text: str, variables: dict[str, Any], base_url: str) -> Answer:
        """Executes one line of a bulk operation: no cost, no bucket; its data or its errors."""
        question = self.read({"query": text, "variables": variables}, "")
        if question.refusal is not None or question.operation is None:
            return question.refusal or {}
        try:
            coerced = coerce_variables(self._schema.graphql, question.operation, variables)
            check_sizes(question.document.root_fields(question.operation), coerced)
        except TopLevelError as error:
            return {"errors": [error.formatted]}
        result, call = self._run(question, coerced, base_url)
        errors = [self._formatted(error, call) for error in result.errors or ()]
        return {"data": result.data, "errors": errors} if errors else {"data": result.data}

    def _run(self, question: Question, variables: dict[str, Any], base_url: str) -> tuple[ExecutionResult, Call]:
        operation, syntax = question.operation, question.document.syntax
        assert operation is not None  # noqa: S101 - looked at by the caller
        assert syntax is not None  # noqa: S101 - likewise
        call = Call(self._state, self._settings, base_url, self._documents)
        name = operation.name.value if operation.name else None
        result = execute(
            self._schema.graphql, syntax, None, call, variables, name, self._resolve, _type_of,
            is_awaitable=lambda _: False,
        )  # fmt: skip
        assert isinstance(result, ExecutionResult)  # noqa: S101 - nothing here is awaitable
        return result, call

    def _charged(self, question: Question, call: Call) -> float:
        if question.operation and is_mutation(question.operation) and call.user_errors and not call.wrote:
            return min(question.cost, MUTATION_BASE * len(question.root_fields))
        return question.cost

    def _cost(self, question: Question, charged: float | None) -> Answer:
        return {
            "requestedQueryCost": question.cost,
            "actualQueryCost": None if charged is None else int(charged),
            "throttleStatus": self._throttle.status(question.app),
        }

    def _resolve(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        parent, name = info.parent_type.name, info.field_name
        call: Call = info.context
        if parent == "Mutation":
            return self._mutate(info, call, name, arguments)
        if parent == "QueryRoot":
            check_access(call, self._schema.required_access, name)
            query = self._queries.get(name)
            if query is None:
                raise not_simulated(f"the query '{name}'")
            return query(call, None, arguments)
        resolver = self._fields.get((parent, name))
        if resolver is None and ("id" in source or name == "shop"):
            # What objects of many types have; a payload has no id.
            resolver = self._fields.get(("*", name))
        if resolver is not None:
            return resolver(call, source, arguments)
        return source[name] if name in source else _absent(info, arguments)

    def _mutate(self, info: GraphQLResolveInfo, call: Call, name: str, arguments: Answer) -> Answer:
        check_access(call, self._schema.required_access, name)
        mutation = self._mutations.get(name)
        if mutation is None:
            raise not_simulated(f"the mutation '{name}'")
        key = _idempotency_key(info.field_nodes[0], info)
        idempotency.check_required(name, key)
        try:
            with self._state.transaction():
                payload = idempotency.once(call, name, key, arguments, mutation)
        except Refused as refusal:
            call.user_errors.extend(refusal.errors)
            return {"userErrors": refusal.errors}
        call.wrote = True
        errors = payload.setdefault("userErrors", [])
        call.user_errors.extend(errors)
        return payload

    def _formatted(self, error: GraphQLError, call: Call) -> Answer:
        original = error.original_error
        if original is None or isinstance(original, GraphQLError):
            return dict(error.formatted)
        call.failures.append("".join(traceback.format_exception(original)))
        return internal_error()


def internal_error() -> Answer:
    """The entry of `errors` when Shopify itself fails."""
    request_id = f"{uuid.uuid4()}-1790000000"
    message = (
        "Internal error. Looks like something went wrong on our end.\n"
        f"Request ID: {request_id} (include this in support requests)."
    )
    return {"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}}


def _too_costly(cost: int) -> Answer:
    message = f"Query cost is {cost}, which exceeds the single query max cost limit ({SINGLE_QUERY_LIMIT})."
    extensions = {
        "code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": SINGLE_QUERY_LIMIT, "documentation": DOCUMENTATION,
    }  # fmt: skip
    return {"message": message, "extensions": extensions}


def _idempotency_key(node: FieldNode, info: GraphQLResolveInfo) -> str | None:
    if directive(node, "idempotent") is None:
        return None
    definition = info.schema.get_directive("idempotent")
    values = get_directive_values(definition, node, info.variable_values) if definition else None
    return str(values["key"]) if values else None


def _type_of(value: Any, *_: Any) -> str | None:
    return value.get("__typename") or value["id"].split("/")[3] if isinstance(value, dict) else None


def _outcome(errors: Sequence[Answer], call: Call) -> str:
    if errors:
        return str(errors[0].get("extensions", {}).get("code", "error"))
    return "user errors" if call.user_errors else "ok"


def _absent(info: GraphQLResolveInfo, arguments: Answer) -> Any:
    """What a field holds of which this shop has nothing."""
    declared = info.return_type
    if not isinstance(declared, GraphQLNonNull):
        return None
    if isinstance(declared.of_type, GraphQLList):
        return []
    name = get_named_type(declared).name
    if name.endswith("Connection"):
        return page_of([], arguments)
    if name in {"Boolean", "Int", "Count"}:
        return {"Boolean": False, "Int": 0, "Count": {"count": 0, "precision": "EXACT"}}[name]
    raise not_simulated(f"the field '{info.parent_type.name}.{info.field_name}'")
