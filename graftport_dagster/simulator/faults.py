"""What goes wrong, on request: the faults of networks, of Shopify, and of its limits.

What lives here: rules (which operation, which fault, how likely, how often) and the draw. What
each fault does to an answer is in `server.py`, to a bulk operation in `bulk_work.py`.
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
    "bulk_failed": True, "bulk_expired": True, "bulk_lines_missing": True, "bulk_slow": True,
}  # fmt: skip
# What happens to a whole bulk operation; a rule's `operation` is then the mutation that it runs for each line.
BULK_FAULTS = frozenset({"bulk_failed", "bulk_expired", "bulk_lines_missing", "bulk_slow"})
# Files are struck by rules that name them, and by none about any operation.
UPLOAD, RESULT_FILE = "stagedUpload", "resultFile"
_OF_FILES = ("http_500", "http_502", "http_503", "http_504", "truncated_json", "hangup_midway", "hangup_before_commit")


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
    # commit_after_hangup: how long after; slow: for how long; bulk_slow: for how long each line.
    seconds: float = 2.0
    milliseconds: float = 1000.0
    # bulk_failed: after so many lines; bulk_lines_missing: so many. What the failed one says, and whether it leaves
    # the results that it has.
    lines: int = 0
    error_code: str = "INTERNAL_SERVER_ERROR"
    partial: bool = True
    # http_429: what Retry-After says; None: no such header.
    retry_after: float | None = 1.0
    only_writes: bool = False
    happened: int = 0

    def fits(self, names: Sequence[str], *, writes: bool, in_bulk: bool, of_file: bool) -> bool:
        """True when the rule is about this request."""
        is_named = self.operation in names or (self.operation == "*" and not of_file)
        return is_named and (writes or not self.only_writes) and (self.fault in BULK_FAULTS) == in_bulk


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

    def draw(self, names: Sequence[str], *, writes: bool, in_bulk: bool = False, of_file: bool = False) -> Rule | None:
        """The rule that strikes this request; `in_bulk`: this bulk operation; `of_file`: this file's way."""
        for rule in self.rules:
            if not rule.fits(names, writes=writes, in_bulk=in_bulk, of_file=of_file) or rule.times == 0:
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
    if content.get("operation") in (UPLOAD, RESULT_FILE) and content["fault"] not in _OF_FILES:
        raise UnknownFaultError(f"no file meets {content['fault']!r}; there are {', '.join(_OF_FILES)}")
    return Rule(**content)
