"""What reports, runs and errors look like on a terminal: calm at 80 columns, roomier at 120.

Nothing is read or decided here: each function turns a JSON object of `reports/` into something
that rich prints. Text goes in as `Text`, never as markup, because it comes from a shop. Markdown
and HTML are in `reports/`.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graftport_dagster.records import JsonObject
from graftport_dagster.reports.account import report as account
from graftport_dagster.reports.reconciliation import RECONCILED
from graftport_dagster.reports.wording import (
    count_parts,
    count_total,
    counts_beside,
    duration,
    firsts,
    group_title,
    moment,
    notes,
    number,
    passed_over,
    troubled,
    uncounted,
    words,
)  # fmt: skip
from graftport_dagster.store.record_store import RecordStore

REPORT_FOLLOWS = "The run's report:"
"""How a log says that the next lines are a report."""

_RESULTS = {
    "succeeded": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "completed_with_errors": ("!", "yellow"),
    "failed": ("✗", "red"),
    "canceled": ("✗", "red"),
    "running": ("…", "cyan"),
    "queued": ("…", "dim"),
}
_STYLES = {
    "errored": "red", "refused_before": "red", "unknown": "yellow", "held": "yellow", "not_reached": "yellow",
    "unchanged": "dim", "skipped": "dim", "excluded": "dim", "invalid": "red", "skip": "dim",
}  # fmt: skip


def text(store: RecordStore, run_id: str, *, width: int = 100, reports_folder: Path | None = None) -> str:
    """The report as plain text of that many columns, for a log. Raises ConfigurationError for an unknown run."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(terminal(account(store, run_id, reports_folder=reports_folder)))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def terminal(report: JsonObject) -> RenderableType:
    """The report of a run."""
    parts: list[RenderableType] = [_headline(report), _items(report["items"])]
    parts.extend(_troubles(report))
    if lines := notes(report):
        parts.append(section("Notes", *(Text(line) for line in lines)))
    parts.extend(_dry_run(report["verdicts"]))
    if report["reconciliation"]:
        parts.append(section("Where every record is now", _reconciliation(report["reconciliation"])))
    return Group(*parts)


def result_text(result: str, *, short: bool = False) -> Text:
    """`✓ succeeded`, coloured; `short`: `! with errors` instead of `! completed with errors`."""
    sign, style = _RESULTS[result]
    told = words(result)
    return Text(f"{sign} {told.removeprefix('completed ') if short else told}", style=style)


def listing(
    titles: Sequence[str], rows: Iterable[Sequence[RenderableType]], *, figures: Iterable[int] = (),
    whole: Iterable[int] = (),
) -> Table:  # fmt: skip
    """A plain table: dim titles, no rules; `figures` stand to the right, `whole` columns are never broken."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column, title in enumerate(titles):
        is_figure = column in figures
        table.add_column(
            title, justify="right" if is_figure else "left", no_wrap=is_figure or column in whole, overflow="fold"
        )
    for row in rows:
        table.add_row(*row)
    return table


def section(title: str, *body: RenderableType) -> RenderableType:
    """A bold title with an empty line before it, its body indented."""
    return Group(Text(), Text(title, style="bold"), *(Padding(part, (0, 0, 0, 2)) for part in body))


def error_group(group: JsonObject, *, kind: str = "", beside: str = "") -> RenderableType:
    """Count and cause on one line; below it the message, what to do, and some ids."""
    lines = [Text.assemble((f"{number(group['count'])} × ", "bold"), kind, group_title(group))]
    lines.append(Text(group["message"]))
    if group["hint"]:
        lines.append(Text(f"→ {group['hint']}", style="cyan"))
    if group["sample_ids"]:
        more = ", …" if group["count"] > len(group["sample_ids"]) else ""
        lines.append(Text(f"{', '.join(map(str, group['sample_ids']))}{more}", style="dim"))
    if beside:
        lines.append(Text(beside, style="dim"))
    return Group(lines[0], *(Padding(line, (0, 0, 0, 4)) for line in lines[1:]))


def _headline(report: JsonObject) -> RenderableType:
    kind = "dry run" if report["dry_run"] else "run"
    first = Text.assemble((report["migration"], "bold"), "  ", result_text(report["result"]))
    facts = [f"{kind} {report['run_id']}", f"{moment(report['started_at'])} UTC", duration(report["seconds"])]
    if calls := sum(item["api_calls"] for item in report["items"]):
        cost = sum(item["api_cost"] for item in report["items"])
        told = f"{number(calls)} {'call' if calls == 1 else 'calls'}, {number(cost)} points"
        facts.append(f"a load would take {told}" if report["dry_run"] else told)
    lines = [first, Text(" · ".join(facts), style="dim")]
    if report["first_error"] and not any(item["first_error"] == report["first_error"] for item in report["items"]):
        lines.append(Text(f"First error: {report['first_error']}", style="red"))
    return Group(*lines, Text())


def _items(items: Sequence[JsonObject]) -> RenderableType:
    rows, before = [], ""
    for item in items:
        resource_type = item["resource_type"]
        name = Text("" if resource_type == before else resource_type)
        rows.append(
            (
                name,
                Text(item["phase"]),
                result_text(item["result"], short=True),
                _counts(item),
                duration(item["seconds"]),
            )
        )
        before = resource_type
    return listing(("type", "phase", "result", "records", "time"), rows, figures=(4,), whole=(0, 1, 2))


def _counts(item: JsonObject) -> Text:
    parts = list(count_parts(item))
    text = Text()
    if len(parts) > 1:
        text.append(f"{number(count_total(item))}: ", style="dim")
    told = [Text(f"{number(count)} {words(name)}", style=_STYLES.get(name, "")) for name, count in parts]
    text.append_text(Text(", ").join(told) if told else Text(uncounted(item), style="dim"))
    for beside in counts_beside(item):
        text.append(f"; {beside}")
    if item["mapping_version"]:
        text.append(f"{'  ' if len(parts) < 2 else chr(10)}{item['mapping_version']}", style="dim")
    return text


def _troubles(report: JsonObject) -> Iterator[RenderableType]:
    for item in troubled(report):
        yield section(f"{item['resource_type']}, {item['phase']}", *_trouble(item))


def _trouble(item: JsonObject) -> Iterator[RenderableType]:
    yield from (Text(line, style="yellow") for line in firsts(item))
    for reason, count in item["skip_reasons"].items():
        yield Text.assemble((f"{number(count)} × ", "bold"), f"{passed_over(item)}: {reason}")
    yield from (error_group(group) for group in item["error_groups"])
    yield from (error_group(group, kind="warning ") for group in item["warnings"])


def _dry_run(verdicts: Sequence[JsonObject]) -> Iterator[RenderableType]:
    if not verdicts:
        return
    rows = []
    for verdict in verdicts:
        told = [Text(f"{number(n)} {name}", style=_STYLES.get(name, "")) for name, n in verdict["verdicts"].items()]
        rows.append(
            (verdict["resource_type"], Text(", ").join(told), number(verdict["cost"]), duration(verdict["seconds"]))
        )
    titles = ("type", "records", "points", "time on the Standard plan")
    yield section("What a load would do", listing(titles, rows, figures=(2, 3)))
    for verdict in verdicts:
        if verdict["diffs"]:
            yield section(f"First changes of {verdict['resource_type']}", *_diffs(verdict["diffs"]))


def _diffs(diffs: Sequence[JsonObject], shown: int = 5) -> Iterator[RenderableType]:
    for diff in diffs[:shown]:
        yield Text(diff["source_id"], style="bold")
        for field in diff["fields"]:
            told = Text.assemble((field["path"], "dim"))
            if "old" in field:
                told = Text.assemble(told, ": ", (_short(field["old"]), "red"), " → ", (_short(field["new"]), "green"))
            yield Padding(told, (0, 0, 0, 2))


def _short(value: object) -> str:
    text = "nothing" if value is None else " ".join(str(value).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _reconciliation(rows: Sequence[JsonObject]) -> RenderableType:
    styles = {"errors_open": "red", "pending": "yellow"}
    lines = [
        (row["resource_type"],
         *(Text(number(row[key]), style=styles.get(key, "") if row[key] else "dim") for key in RECONCILED))
        for row in rows
    ]  # fmt: skip
    titles = ("type", "source", "staged", "excluded", "on store", "pending", "open errors")
    return listing(titles, lines, figures=range(1, 7))
