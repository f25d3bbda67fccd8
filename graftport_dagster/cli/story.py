"""What the story of one record looks like on a terminal.

The story itself is told by `reports/record_story.py`; what tables look like is in
`reports/terminal.py`.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from graftport_dagster.records import JsonObject
from graftport_dagster.reports.terminal import listing, section
from graftport_dagster.reports.wording import moment, printable, printable_json, words

_OUTCOMES = {"errored": "red", "unknown": "yellow", "held": "yellow", "skipped": "dim", "excluded": "dim"}


def story(told: JsonObject) -> RenderableType:
    """Where the record is and why; then source, staging, stores and attempts, oldest first."""
    title = Text.assemble((told["source_id"], "bold"), f"  {told['resource_type']} of {told['migration']}")
    parts: list[RenderableType] = [title, Text(told["where"], style="green" if not told["why"] else "")]
    if told["why"]:
        parts.append(Text(told["why"], style="yellow"))
    parts.extend(_source(told))
    parts.extend(_staged(told))
    parts.extend(part for place in told["stores"] for part in _store(place))
    parts.extend(_incomplete(told))
    if told["attempts"]:
        parts.append(section("Attempts, oldest first", _attempts(told["attempts"])))
    return Group(*parts)


def _source(told: JsonObject) -> Iterator[RenderableType]:
    source = told["source"]
    if source is None:
        return
    rows = f", {source['rows']} rows" if source["rows"] > 1 else ""
    changed = f", changed there {moment(source['updated_at'])}" if source["updated_at"] else ""
    lines: list[RenderableType] = [Text(f"{source['origin'] or 'read'}{rows}{changed}")]
    for version in source["versions"]:
        what = "gone" if version["deleted"] else version["payload_hash"][:8]
        run = f", run {version['run_id'][:8]}" if version["run_id"] else ""
        lines.append(Text(f"{moment(version['at'])}  {what}{run}", style="dim"))
    yield section("Source", *lines, *payload(source.get("payload")))


def _staged(told: JsonObject) -> Iterator[RenderableType]:
    staged = told["staged"]
    if staged is None:
        return
    line = Text(f"{staged['state']} by {staged['mapping_version']}, {moment(staged['at'])}")
    reason = [Text(staged["reason"])] if staged["reason"] else []
    warnings = [Text(f"{one['code']}: {one['message']}", style="yellow") for one in staged["warnings"]]
    yield section("Staged", line, *reason, *warnings, *payload(staged.get("payload")))


def _store(place: JsonObject) -> Iterator[RenderableType]:
    lines: list[RenderableType] = []
    if place["gid"]:
        handle = f", handle {place['handle']}" if place["handle"] else ""
        lines.append(Text(f"{place['gid']}{handle}"))
    if place["link"]:
        lines.append(Text(place["link"], style="cyan"))
    if landed := place["landed"]:
        lines.append(Text(f"landed {moment(landed['at'])} by {landed['mapping_version']}", style="dim"))
    lines.extend(Text(f"{part['part']} {part['part_id']}: {part['gid']}", style="dim") for part in place["parts"])
    lines.extend(
        Text(f"call {step['step']}: {step['state']} since {moment(step['sent_at'])}", style="yellow")
        for step in place["steps"]
    )
    yield section(f"On {place['domain'] or place['store_gid']}", *lines, *payload(place.get("snapshot")))


def _incomplete(told: JsonObject) -> Iterator[RenderableType]:
    for row in told["incomplete"]:
        due = f", next attempt {moment(row['next_attempt_at'])}" if row["next_attempt_at"] else ""
        status = Text(f"{words(row['status'])}, {row['tries']} {'try' if row['tries'] == 1 else 'tries'}{due}")
        message = Text(f"{row['error_class']} {row['code']}: {row['message']}")
        hint = [Text(f"→ {row['hint']}", style="cyan")] if row["hint"] else []
        waits = [
            Text(f"waits for {key['resource_type']} {key['source_id']}: {key['state']}") for key in row["waits_for"]
        ]
        yield section(f"Open since {moment(row['opened_at'])} in {row['phase']}", status, message, *hint, *waits)
    for row in told["extract_errors"]:
        if row["is_open"]:
            hint = [Text(f"→ {row['hint']}", style="cyan")] if row["hint"] else []
            line = Text(f"{row['origin']}: {row['code']}: {row['reason']}")
            yield section("Invalid row of the source", line, *hint, *payload(row.get("raw")))


def _attempts(attempts: list[JsonObject]) -> RenderableType:
    rows = []
    for attempt in attempts:
        outcome = Text(words(attempt["outcome"]), style=_OUTCOMES.get(attempt["outcome"], "green"))
        what = ": ".join(filter(None, (attempt["code"], attempt["path"], attempt["message"] or attempt["reason"])))
        by = ", ".join(filter(None, (attempt["actor"], attempt["asked_because"])))
        run = Text(f"run {attempt['run_id'][:8]}" + (f" by {by}" if by else ""), style="dim")
        note = Group(Text(what), run) if what else run
        rows.append((Text(moment(attempt["at"]), style="dim"), Text(attempt["phase"]), outcome, note))
    return listing(("when (UTC)", "phase", "outcome", ""), rows)


def payload(value: object) -> Iterator[RenderableType]:
    """A payload as it is, below what it belongs to; nothing where there is none."""
    if value is not None:
        text = printable(value) if isinstance(value, str) else printable_json(value)
        yield Padding(Text(text, style="dim"), (1, 0, 0, 0))
