"""A run's report as Markdown, for Dagster's metadata, a chat or a ticket.

Only the form is decided here; the facts are in `account.py`, the sentences in `wording.py`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from graftport_dagster.records import JsonObject, RunItem
from graftport_dagster.reports.account import item_account, report
from graftport_dagster.reports.reconciliation import RECONCILED
from graftport_dagster.reports.wording import (
    counts_sentence,
    duration,
    firsts,
    group_title,
    moment,
    notes,
    number,
    passed_over,
    presentable,
    troubled,
    words,
)  # fmt: skip
from graftport_dagster.store.record_store import RecordStore

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]#|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def markdown(store: RecordStore, run_id: str, *, reports_folder: Path | None = None) -> str:
    """The report of a run as GitHub's Markdown. Raises ConfigurationError for a run that is not there."""
    told = report(store, run_id, reports_folder=reports_folder)
    sections = (_headline(told), _items(told), _trouble(told), _notes(told), _verdicts(told), _reconciliation(told))
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def item_markdown(item: RunItem) -> str:
    """One item of a run, for its materialization."""
    told: JsonObject = {"items": [item_account(item)]}
    sections = (_items(told), _trouble(told))
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _text(value: object) -> str:
    """Text that Markdown shows as it is, in one line."""
    return " ".join(str(value).split()).translate(_SPECIAL)


def _table(titles: Sequence[str], rows: Iterator[Sequence[object]], *, numbers_from: int = 99) -> Iterator[str]:
    body = [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows]
    if body:
        yield f"| {' | '.join(titles)} |"
        yield f"|{'|'.join(' ---: ' if column >= numbers_from else ' --- ' for column in range(len(titles)))}|"
        yield from body


def _headline(told: JsonObject) -> Iterator[str]:
    kind = "Dry run" if told["dry_run"] else "Run"
    yield f"**{_text(told['migration'])}: {words(told['result'])}**"
    yield ""
    yield f"{kind} `{told['run_id']}`, {moment(told['started_at'])} UTC, {duration(told['seconds'])}"
    if told["first_error"]:
        yield ""
        yield f"First error: {_text(told['first_error'])}"


def _items(told: JsonObject) -> Iterator[str]:
    rows = (
        (item["resource_type"], item["phase"], words(item["result"]), counts_sentence(item),
         item["mapping_version"] or "", duration(item["seconds"]))
        for item in told["items"]
    )  # fmt: skip
    return _table(("type", "phase", "result", "records", "mapping", "time"), rows)


def _trouble(told: JsonObject) -> Iterator[str]:
    for item in troubled(told):
        yield f"**{_text(item['resource_type'])}, {item['phase']}**"
        yield ""
        yield from (f"- {_text(line)}" for line in firsts(item))
        for reason, count in item["skip_reasons"].items():
            yield f"- {number(count)} × {passed_over(item)}: {_text(reason)}"
        for kind, groups in (("", item["error_groups"]), ("Warning: ", item["warnings"])):
            yield from (f"- {kind}{_group(group)}" for group in groups)
        yield ""


def _notes(told: JsonObject) -> Iterator[str]:
    yield from (f"- {_text(note)}" for note in notes(told))


def _group(group: JsonObject) -> str:
    remedy = f" *{_text(group['hint'])}*" if group["hint"] else ""
    samples = ", ".join(_text(presentable(sample)) for sample in group["sample_ids"])
    return f"{number(group['count'])} × {_text(group_title(group))}: {_text(group['message'])}{remedy} ({samples})"


def _verdicts(told: JsonObject) -> Iterator[str]:
    rows = (
        (verdict["resource_type"], ", ".join(f"{number(n)} {name}" for name, n in verdict["verdicts"].items()),
         number(verdict["cost"]), duration(verdict["seconds"]))
        for verdict in told["verdicts"]
    )  # fmt: skip
    return _table(("type", "a load would", "API cost", "time at 100 points/s"), rows, numbers_from=2)


def _reconciliation(told: JsonObject) -> Iterator[str]:
    rows = ((row["resource_type"], *(number(row[column]) for column in RECONCILED)) for row in told["reconciliation"])
    titles = ("type", "in the source", "staged", "excluded", "on the store", "pending", "open errors")
    return _table(titles, rows, numbers_from=1)
