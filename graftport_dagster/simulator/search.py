"""Shopify's search language over the shop's objects.

What lives here: `query:` texts (terms, quotes, comparisons, prefixes, AND OR NOT, parentheses)
and their evaluation over what each resource type offers to be searched. What search does not
know yet is decided in `state.py`. A filter that a type does not offer is ignored with its
term, as Shopify does.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graftport_dagster.simulator.answers import TopLevelError
from graftport_dagster.simulator.state import Object, State

Values = Callable[[Object, str], Iterable[Any] | None]
# None: a filter that the type does not offer, which decides nothing.
Predicate = Callable[[Object], bool | None]

# Outside of quotes a colon ends a value, as Shopify asks for it to be escaped: a bare time is cut at its hours.
_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<not>-)(?=[\w'"(])|(?P<field>[\w.]+):(?P<op>>=|<=|>|<)?"""
    r"""(?P<value>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:\\.|[^\s():\\])*)"""
    r"""|(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s()]+))"""
)
_TIMES = frozenset({"created_at", "updated_at", "published_at", "processed_at"})


@dataclass(frozen=True, slots=True)
class Searchable:
    """How a type is searched: the values of a field (None: no such field) and its key spaces that answer at once."""

    kind: str
    values: Values
    keys: dict[str, str]


def search(state: State, what: Searchable, query: str | None) -> Iterator[Object]:
    """Objects that a query text finds; all where it is empty."""
    tokens = list(_tokens(query or ""))
    if not tokens:
        yield from state.all(what.kind)
        return
    if state.settled(what.kind) and (found := _by_key(state, what, tokens)) is not None:
        yield from found
        return
    parser = _Parser(tokens, what.values)
    matches = parser.expression()
    yield from (it for it in state.searchable(what.kind) if matches(it) is not False)


def _by_key(state: State, what: Searchable, tokens: list[dict[str, str]]) -> Iterator[Object] | None:
    """Exact terms over one indexed field, as `handle:x` or `sku:a OR sku:b`, without reading everything."""
    terms = [token for token in tokens if token.get("text", "").upper() != "OR"]
    alternatives = len(terms) == 1 or len(tokens) == 2 * len(terms) - 1
    exact = all(it.get("field") in what.keys and not it.get("op") for it in terms)
    if not (alternatives and exact) or any("*" in it["value"] for it in terms):
        return None
    gids = dict.fromkeys(
        gid for it in terms for gid in state.find(what.keys[it["field"]], _unquote(it["value"]).lower())
    )
    return (found for gid in gids if (found := state.get(gid)) is not None)


def _tokens(query: str) -> Iterator[dict[str, str]]:
    position = 0
    query = query.strip()
    while position < len(query):
        match = _TOKEN.match(query, position)
        if match is None or match.end() == position:
            return
        position = match.end()
        yield {name: text for name, text in match.groupdict().items() if text is not None}


class _Parser:
    """Recursive descent: OR under AND (also by standing side by side) under NOT."""

    def __init__(self, tokens: list[dict[str, str]], values: Values) -> None:
        self._tokens = tokens
        self._values = values
        self._at = 0

    def expression(self) -> Predicate:
        choices = [self._all()]
        while self._word() == "OR":
            self._at += 1
            choices.append(self._all())
        return choices[0] if len(choices) == 1 else lambda it: any(choice(it) is not False for choice in choices)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._at < len(self._tokens) and self._word() != "OR" and self._tokens[self._at].get("paren") != ")":
            if self._word() == "AND":
                self._at += 1
                continue
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda it: all(part(it) is not False for part in parts)

    def _one(self) -> Predicate:
        if self._at >= len(self._tokens):
            return lambda _: True
        token = self._tokens[self._at]
        self._at += 1
        if "not" in token or token.get("text", "").upper() == "NOT":
            inner = self._one()
            return lambda it: None if (held := inner(it)) is None else not held
        if token.get("paren") == "(":
            inner = self.expression()
            self._at += 1
            return inner
        if "paren" in token:
            return lambda _: True
        return _term(token, self._values)

    def _word(self) -> str:
        return self._tokens[self._at].get("text", "").upper() if self._at < len(self._tokens) else ""


def _term(token: dict[str, str], values: Values) -> Predicate:
    field, operator = token.get("field", "default"), token.get("op", "")
    wanted = _unquote(token["value"] if "field" in token else token["text"])
    compare = _comparison(field, operator, wanted)

    def matches(it: Object) -> bool | None:
        offered = values(it, field)
        return None if offered is None else any(compare(value) for value in offered if value is not None)

    return matches


def _comparison(field: str, operator: str, wanted: str) -> Callable[[Any], bool]:
    if field in _TIMES:
        return _time_comparison(field, operator, wanted)
    if operator:
        return lambda value: _ordered(_number(value), operator, _number(wanted))
    text = wanted.lower()
    if text == "*":
        return lambda value: value != ""
    if text.endswith("*"):
        return lambda value: str(value).lower().startswith(text[:-1])
    if field in {"default", "title"}:
        words = re.findall(r"\w+", text)
        return lambda value: all(word in re.findall(r"\w+", str(value).lower()) for word in words)
    return lambda value: str(value).lower() == text


def _time_comparison(field: str, operator: str, wanted: str) -> Callable[[Any], bool]:
    moment = _moment(wanted)
    if moment is None:
        raise TopLevelError("BAD_REQUEST", f"Invalid timestamp for query filter `{field}`.")
    return lambda value: _ordered(_moment(str(value)), operator or "=", moment)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _ordered(left: Any, operator: str, right: Any) -> bool:
    if left is None or right is None:
        return False
    results = {"=": left == right, ">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}
    return bool(results[operator])


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return re.sub(r"\\(.)", r"\1", text)
