"""The words and figures that every form of a report shares.

Here are sentences made of counts, durations and results, and the one filter through which text
that came from a shop or a vendor passes before it is shown. Where the words stand on a page is
decided in `markdown.py`, `page.py` and `cli/`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from graftport_dagster.records import EQUATIONS, JsonObject, Phase, ResourceType, masked_code

# One that no server would take (`anna@localhost`) tells of a person all the same.
_MAIL = re.compile(r"[\w.+%'-]+@+[\w.-]*\w")
_TELEPHONE = re.compile(r"\+\d[\d ().-]{6,}\d")
# C0 and C1 controls but newline and tab: an escape sequence in a product's title must not steer a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_LONGEST = 2_000
# A gift card's code, perhaps written in groups.
_CARD = re.compile(r"[A-Za-z0-9]([ -]?[A-Za-z0-9]){7,}")


def presentable(text: str) -> str:
    """Text of a shop or a vendor as it may be shown to anybody: mail addresses and telephone numbers masked."""
    return printable(_TELEPHONE.sub("[telephone]", _MAIL.sub("[mail address]", text[: 2 * _LONGEST])))


def printable(text: str) -> str:
    """An id as it may be shown to the operator: controls made harmless, cut at 2,000 characters, nothing masked.

    A mail address may well be an id, and masked it could not be looked up.
    """
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.encode(errors="backslashreplace").decode())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def printable_json(value: object) -> str:
    """A payload as JSON over several lines, whole, with controls escaped as JSON does."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_codes(resource_type: str, value: Any, name: str = "") -> Any:
    """A payload as it may be shown: of a gift card, what looks like its code is masked."""
    if resource_type != ResourceType.GIFT_CARDS:
        return value
    if isinstance(value, dict):
        return {key: without_codes(resource_type, child, key) for key, child in value.items()}
    if isinstance(value, list):
        return [without_codes(resource_type, child, name) for child in value]
    is_code = isinstance(value, str) and "code" in name.lower() and _CARD.fullmatch(value)
    return masked_code(value) if is_code else value


def words(name: str) -> str:
    """`completed_with_errors` → `completed with errors`."""
    return name.replace("_", " ")


def number(value: float) -> str:
    """With thin separators of thousands: 12,345."""
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `42 s`, `3 min 05 s`, `2 h 03 min`; a dash for what has not ended."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(when: str | datetime | None) -> str:
    """`2026-11-21 03:21:04`, in UTC, of a time or its ISO 8601 form; a dash for none."""
    if not when:
        return "–"
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def count_parts(item: JsonObject) -> Iterator[tuple[str, int]]:
    """The summands of a run item's last equation that are not 0, by name: what became of its records."""
    _, summands = EQUATIONS[Phase(item["phase"])][-1]
    yield from ((name, item["counts"][name]) for name in summands if item["counts"].get(name))


def count_total(item: JsonObject) -> int:
    """How many records the item was about: read, or in scope."""
    total, _ = EQUATIONS[Phase(item["phase"])][-1]
    return int(item["counts"].get(total, 0))


def uncounted(item: JsonObject) -> str:
    """What is said where a run item counted no record: there was none, or it ended before the first."""
    return "nothing done" if item["result"] in {"failed", "canceled"} else "nothing to do"


def counts_beside(item: JsonObject) -> Iterator[str]:
    """What stands outside the equation, as phrases: invalid rows, records deleted at the source."""
    counts = item["counts"]
    if counts.get("rows_invalid"):
        yield f"{number(counts['rows_invalid'])} of {number(counts.get('rows_read', 0))} rows invalid"
    if counts.get("deleted_at_source"):
        yield f"{number(counts['deleted_at_source'])} deleted at the source"


def counts_sentence(item: JsonObject) -> str:
    """`191 records: 187 created, 4 errored; 2 deleted at the source`, in the order of the equations."""
    parts = list(count_parts(item))
    told = ", ".join(f"{number(count)} {words(name)}" for name, count in parts)
    if len(parts) > 1:
        told = f"{number(count_total(item))} records: {told}"
    return "; ".join([told or uncounted(item), *counts_beside(item)])


def group_title(group: JsonObject) -> str:
    """`INVALID (DataError) at input.variants[0].price`."""
    error_class = f" ({group['error_class']})" if group["error_class"] else ""
    place = f" at {group['path']}" if group["path"] else ""
    return f"{group['code']}{error_class}{place}"


def troubled(report: JsonObject) -> list[JsonObject]:
    """The items in which something was refused, passed over or warned of; that one was stopped its result says."""
    keys = ("first_skip_reason", "error_groups", "warnings")
    return [
        item
        for item in report["items"]
        if any(item[key] for key in keys) or (item["first_error"] and item["result"] != "canceled")
    ]


def passed_over(item: JsonObject) -> str:
    """What happened to the records that have a reason instead of an error."""
    return "held or skipped" if item["phase"] == Phase.LOAD else "left out"


def firsts(item: JsonObject) -> Iterator[str]:
    """The item's first error and first reason as sentences, where its groups and reasons do not tell them anyway."""
    error, reason = item["first_error"], item["first_skip_reason"]
    if error and not any(group["message"] in error for group in item["error_groups"]):
        yield f"First error: {error}"
    if reason and reason not in item["skip_reasons"]:
        yield f"First {passed_over(item)}: {reason}"


def notes(report: JsonObject) -> list[str]:
    """What the items remark, each once, with the types that say so unless all of that phase do."""
    said: dict[tuple[str, str], list[str]] = {}
    for item in report["items"]:
        for note in item["notes"]:
            said.setdefault((item["phase"], note), []).append(item["resource_type"])
    every = Counter(item["phase"] for item in report["items"])
    return [
        *_missed(report),
        *(
            f"{phase}: {note}" if len(types) == every[phase] else f"{', '.join(types)}, {phase}: {note}"
            for (phase, note), types in said.items()
        ),
    ]


def _missed(report: JsonObject) -> Iterator[str]:
    options = report["options"]
    narrowed = [f"id {source_id}" for source_id in options["source_ids"]]
    if options["error_group"]:
        narrowed.append(f"error group {options['error_group']}")
    if narrowed and report["items"] and not any(map(count_total, report["items"])):
        yield f"No record has {' or '.join(narrowed)}: nothing was in scope."
