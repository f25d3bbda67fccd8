"""What goes wrong, on request: the faults of networks, of Shopify, and of its limits.

What lives here: rules (which operation, which fault, how likely, how often) and the draw. What
each fault does to an answer is in `server.py`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

# Whether the request is executed all the same.
FAULTS: dict[str, bool] = {
    "http_429": False, "throttled": False, "too_many_attempts": False, "token_revoked": False,
    "variant_limit": False,
    "http_500": False, "http_502": False, "http_503": False, "http_504": False, "html_error": False,
    "internal_error": False, "reset_before_commit": False, "hangup_before_commit": False,
    "http_500_after_commit": True, "http_502_after_commit": True, "http_503_after_commit": True,
    "http_504_after_commit": True, "html_error_after_commit": True, "internal_error_after_commit": True,
    "wrong_content_type": True, "truncated_json": True, "empty_answer": True, "hangup_midway": True,
    "reset_after_commit": True, "hangup_after_commit": True, "commit_after_hangup": True, "slow": True,
}  # fmt: skip


class UnknownFaultError(ValueError):
    """A rule that cannot be followed; the message says why."""


@dataclass(slots=True)
class Rule:
    """One fault, for an operation (a root field or an operation's name; `*`: any)."""

    fault: str
    operation: str = "*"
    probability: float = 1.0
    # How often it happens at most (None: for ever), and how many fitting requests pass first.
    times: int | None = None
    after: int = 0
    # commit_after_hangup: how long after; slow: for how long.
    seconds: float = 2.0
    milliseconds: float = 1000.0
    # http_429: what Retry-After says; None: no such header.
    retry_after: float | None = 1.0
    only_writes: bool = False
    happened: int = 0

    def fits(self, names: Sequence[str], *, writes: bool) -> bool:
        """True when the rule is about this request."""
        return (self.operation == "*" or self.operation in names) and (writes or not self.only_writes)


class Faults:
    """The rules in force; the first that fits and is drawn decides a request."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by intent
        self.rules: list[Rule] = []

    def load(self, content: Any) -> None:
        """Takes rules: one, a list, or `{"seed", "faults": [...], "replace": true}`; raises UnknownFaultError."""
        if isinstance(content, dict) and "fault" not in content:
            unknown = content.keys() - {"seed", "faults", "replace"}
            if unknown:
                raise UnknownFaultError(f"not a setting of faults: {', '.join(sorted(unknown))}")
            rules = [_rule(it) for it in content.get("faults", ())]
            if "seed" in content:
                self._random.seed(content["seed"])
            if content.get("replace", False):
                self.rules.clear()
        else:
            rules = [_rule(it) for it in (content if isinstance(content, list) else [content])]
        self.rules.extend(rules)

    def draw(self, names: Sequence[str], *, writes: bool) -> Rule | None:
        """The rule that strikes this request."""
        for rule in self.rules:
            if not rule.fits(names, writes=writes) or rule.times == 0:
                continue
            if rule.after > 0:
                rule.after -= 1
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.happened += 1
            if rule.times is not None:
                rule.times -= 1
            return rule
        return None


def _rule(content: Any) -> Rule:
    if not isinstance(content, dict):
        raise UnknownFaultError(f"a rule is an object with fault, operation, …, not {content!r}")
    known = {it.name for it in fields(Rule)} - {"happened"}
    if unknown := content.keys() - known:
        raise UnknownFaultError(f"a rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
    if content.get("fault") not in FAULTS:
        raise UnknownFaultError(f"there is no fault {content.get('fault')!r}; there are {', '.join(FAULTS)}")
    return Rule(**content)
