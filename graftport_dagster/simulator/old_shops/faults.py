"""What goes wrong on request: the ways a shop behind a host, a cache and a firewall fails.

What lives here: rules and the draw. What each does to an answer is in `front.py`.
"""

import random
from dataclasses import dataclass, fields
from typing import Any

FAULTS = (
    "http_429", "http_500", "http_502", "http_503", "html_error", "firewall", "truncated_json", "empty_answer",
    "wrong_shape", "same_page", "hangup", "slow",
)  # fmt: skip


class UnknownFaultError(ValueError):
    """A rule that cannot be followed; the message says why."""


@dataclass(slots=True)
class Rule:
    """One fault, for paths that contain `path`."""

    fault: str
    path: str = ""
    probability: float = 1.0
    # How often at most (None: for ever), and how many fitting requests pass first.
    times: int | None = None
    after: int = 0
    # What Retry-After says; None: no such header.
    retry_after: str | None = "1"
    milliseconds: float = 1000.0


class Faults:
    """The rules in force; the first that fits and is drawn strikes."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by intent
        self.rules: list[Rule] = []

    def load(self, content: Any) -> None:
        """Takes a rule, or a list of them; an empty list removes all. Raises UnknownFaultError."""
        rules = [_rule(it) for it in (content if isinstance(content, list) else [content])]
        self.rules = [] if content == [] else [*self.rules, *rules]

    def draw(self, path: str) -> Rule | None:
        """The rule that strikes this request."""
        for rule in self.rules:
            if rule.path not in path or rule.times == 0:
                continue
            if rule.after > 0:
                rule.after -= 1
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule
        return None


def _rule(content: Any) -> Rule:
    known = {it.name for it in fields(Rule)}
    if not isinstance(content, dict) or content.keys() - known:
        raise UnknownFaultError(f"a rule is an object of {', '.join(sorted(known))}")
    if content.get("fault") not in FAULTS:
        raise UnknownFaultError(f"there is no fault {content.get('fault')!r}; there are {', '.join(FAULTS)}")
    return Rule(**content)
