"""A run's report as one HTML file that needs nothing else: no script, no font, no network.

It can be mailed to a merchant or kept with a build. Only the form is decided here; the facts
are in `account.py`, the sentences in `wording.py`. Every text is escaped on its way in.
"""

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from graftport_dagster.records import JsonObject, Outcome
from graftport_dagster.reports.account import report
from graftport_dagster.reports.reconciliation import RECONCILED
from graftport_dagster.reports.wording import (
    count_parts,
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

# How an outcome looks in a bar: done, as it was, waiting for something, refused.
_TONES = {
    "wait": {Outcome.HELD, Outcome.UNKNOWN, Outcome.NOT_REACHED},
    "bad": {Outcome.ERRORED, Outcome.REFUSED_BEFORE},
    "same": {Outcome.UNCHANGED, Outcome.EXCLUDED, Outcome.SKIPPED, Outcome.DISCARDED, Outcome.SUPERSEDED},
}
_RESULT_TONES = {
    "succeeded": "done", "unchanged": "same", "completed_with_errors": "wait", "failed": "bad", "canceled": "bad",
    "running": "same", "queued": "same",
}  # fmt: skip

_STYLE = """
:root { color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1f2328; --soft: #656d76; --line: #e4e4e1;
  --done: #2f855a; --same: #b6bcc3; --wait: #c58a1b; --bad: #c2413a; }
@media (prefers-color-scheme: dark) { :root {
  --page: #16181b; --card: #1d2024; --ink: #e4e6e8; --soft: #9aa2ab; --line: #2f343a;
  --done: #57b586; --same: #565d66; --wait: #d9a441; --bad: #e5706a; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2.25rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .35rem; }
p { margin: .35rem 0; } .soft { color: var(--soft); } code { font-size: .9em; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem;
  margin: 0 0 .75rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .38rem .9rem .38rem 0; border-top: 1px solid var(--line); vertical-align: top; }
tr:first-child > th { border-top: 0; color: var(--soft); font-weight: 500; white-space: nowrap; }
.figure { text-align: right; white-space: nowrap; }
svg { display: block; height: .4rem; margin: .35rem 0 .2rem; } svg.wide { width: 22rem; max-width: 100%; }
svg.narrow { width: 6rem; }
.done { fill: var(--done); } .same { fill: var(--same); } .wait { fill: var(--wait); } .bad { fill: var(--bad); }
.track { fill: var(--line); } .chip { display: inline-block; font-size: .85rem; white-space: nowrap; }
.chip::before { content: ""; display: inline-block; width: .6em; height: .6em; border-radius: 50%;
  margin-right: .45em; background: var(--tone); }
.chip.done { --tone: var(--done); } .chip.same { --tone: var(--same); }
.chip.wait { --tone: var(--wait); } .chip.bad { --tone: var(--bad); }
ul { margin: .2rem 0; padding-left: 1.1rem; } li { margin: .45rem 0; }
"""


def html(store: RecordStore, run_id: str, *, reports_folder: Path | None = None) -> str:
    """The report of a run as a whole HTML document. Raises ConfigurationError for a run that is not there."""
    told = report(store, run_id, reports_folder=reports_folder)
    title = escape(f"{told['migration']}: {words(told['result'])}")
    sections = (_headline(told), _items(told), _trouble(told), _notes(told), _verdicts(told), _reconciliation(told))
    body = "\n".join(line for section in sections for line in section)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def write_page(store: RecordStore, run_id: str, folder: Path) -> Path:
    """Writes the report of a run as `report.html` into its folder below this one, readable by its owner only."""
    path = folder / run_id / "report.html"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(html(store, run_id, reports_folder=folder), encoding="utf-8")
    return path


def _chip(result: str) -> str:
    return f'<span class="chip {_RESULT_TONES[result]}">{escape(words(result))}</span>'


def _tone(outcome: str) -> str:
    return next((tone for tone, outcomes in _TONES.items() if outcome in outcomes), "done")


def _bar(segments: Iterable[tuple[str, float, str]], total: float, label: str, *, kind: str = "narrow") -> str:
    """A horizontal bar of (tone, amount, title) segments out of a total; `label` is what a screen reader says."""
    rects, at = ['<rect class="track" width="100" height="7" rx="2"/>'], 0.0
    for tone, amount, title in segments:
        width = max(100 * amount / total, 0.8) if total else 0.0
        rects.append(
            f'<rect class="{tone}" x="{at:.2f}" width="{width:.2f}" height="7"><title>{escape(title)}</title></rect>'
        )
        at += width
    return (
        f'<svg class="{kind}" viewBox="0 0 {max(at, 100.0):.2f} 7" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{"".join(rects)}</svg>'
    )


def _row(cells: Iterable[str], *, tag: str = "td", figures_from: int = 99) -> str:
    classes = ((' class="figure"' if at >= figures_from else "", cell) for at, cell in enumerate(cells))
    return f"<tr>{''.join(f'<{tag}{kind}>{cell}</{tag}>' for kind, cell in classes)}</tr>"


def _table(title: str, titles: Iterable[str], rows: list[str], *, figures_from: int = 99) -> Iterator[str]:
    if rows:
        yield f'<h2>{title}</h2><div class="card"><table>'
        yield _row(titles, tag="th", figures_from=figures_from)
        yield from rows
        yield "</table></div>"


def _headline(told: JsonObject) -> Iterator[str]:
    kind = "Dry run" if told["dry_run"] else "Run"
    yield f"<h1>{escape(told['migration'])}</h1>"
    yield f"<p>{_chip(told['result'])}</p>"
    cost = sum(item["api_cost"] for item in told["items"])
    calls = sum(item["api_calls"] for item in told["items"])
    would = "a load would take " if told["dry_run"] else ""
    word = "call" if calls == 1 else "calls"
    asked = f" · {would}{number(calls)} {word} to Shopify, {number(cost)} points" if calls else ""
    yield (
        f'<p class="soft">{kind} <code>{escape(told["run_id"])}</code> · {moment(told["started_at"])} UTC · '
        f"{duration(told['seconds'])}{asked}</p>"
    )
    if told["first_error"]:
        yield f"<p>First error: {escape(told['first_error'])}</p>"


def _items(told: JsonObject) -> Iterator[str]:
    longest = max((item["seconds"] or 0 for item in told["items"]), default=0)
    dearest = max((item["api_cost"] for item in told["items"]), default=0)
    rows, before = [], ""
    for item in told["items"]:
        cells = list(_item_cells(item, longest, dearest))
        name = "" if item["resource_type"] == before else escape(item["resource_type"])
        before = item["resource_type"]
        rows.append(_row([name, *cells], figures_from=5))
    titles = ("type", "phase", "result", "records", "time", "points")
    return _table("What was done", titles, rows, figures_from=5)


def _item_cells(item: JsonObject, longest: float, dearest: float) -> Iterator[str]:
    parts = list(count_parts(item))
    sentence = counts_sentence(item)
    yield escape(item["phase"])
    yield _chip(item["result"])
    segments = [(_tone(name), float(count), f"{number(count)} {words(name)}") for name, count in parts]
    mapping = f' <span class="soft">by {escape(item["mapping_version"])}</span>' if item["mapping_version"] else ""
    yield escape(sentence) + mapping + _bar(segments, sum(count for _, count in parts), sentence, kind="wide")
    took = duration(item["seconds"])
    yield took + _bar([("same", item["seconds"] or 0, took)], longest, f"took {took}")
    cost = number(item["api_cost"])
    bar = _bar([("same", item["api_cost"], f"{cost} points")], dearest, f"{cost} points")
    yield cost + bar if item["api_calls"] else ""


def _trouble(told: JsonObject) -> Iterator[str]:
    items = troubled(told)
    if items:
        yield "<h2>What needs a look</h2>"
    for item in items:
        yield f'<div class="card"><h3>{escape(item["resource_type"])}, {escape(item["phase"])}</h3>'
        yield from (f"<p>{escape(line)}</p>" for line in firsts(item))
        yield "<ul>"
        told_so = passed_over(item)
        yield from (f"<li>{number(n)} × {told_so}: {escape(why)}</li>" for why, n in item["skip_reasons"].items())
        yield from (_group(group, "") for group in item["error_groups"])
        yield from (_group(group, "Warning: ") for group in item["warnings"])
        yield "</ul></div>"


def _notes(told: JsonObject) -> Iterator[str]:
    if lines := notes(told):
        yield "<h2>Notes</h2><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"


def _group(group: JsonObject, kind: str) -> str:
    samples = ", ".join(f"<code>{escape(presentable(sample))}</code>" for sample in group["sample_ids"])
    remedy = f"<br>{escape(group['hint'])}" if group["hint"] else ""
    return (
        f"<li>{kind}{number(group['count'])} × <strong>{escape(group_title(group))}</strong>"
        f'<br>{escape(group["message"])}{remedy}<br><span class="soft">for example {samples}</span></li>'
    )


def _verdicts(told: JsonObject) -> Iterator[str]:
    rows = [_row(_verdict_cells(verdict), figures_from=2) for verdict in told["verdicts"]]
    yield from _table("What a load would do", ("type", "records", "points", "time"), rows, figures_from=2)
    for verdict in told["verdicts"]:
        if verdict["diffs"]:
            yield f'<h2>First changes of {escape(verdict["resource_type"])}</h2><div class="card"><table>'
            yield _row(("record", "field", "now", "then"), tag="th")
            yield from (_row(cells) for diff in verdict["diffs"] for cells in _diff_cells(diff))
            yield "</table></div>"


def _verdict_cells(verdict: JsonObject) -> Iterator[str]:
    tones = {"create": "done", "update": "done", "skip": "same", "held": "wait", "invalid": "bad"}
    told = [(name, count, f"{number(count)} {name}") for name, count in verdict["verdicts"].items()]
    sentence = ", ".join(phrase for _, _, phrase in told)
    yield escape(verdict["resource_type"])
    segments = [(tones.get(name, "same"), float(count), phrase) for name, count, phrase in told]
    yield escape(sentence) + _bar(segments, sum(count for _, count, _ in told), sentence, kind="wide")
    yield number(verdict["cost"])
    yield duration(verdict["seconds"])


def _diff_cells(diff: JsonObject) -> Iterator[tuple[str, ...]]:
    record = f"<code>{escape(presentable(diff['source_id']))}</code>"
    for field in diff["fields"]:
        values = (escape(_short(field[side])) if side in field else "changed" for side in ("old", "new"))
        yield (record, f"<code>{escape(field['path'])}</code>", *values)


def _short(value: object) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 120 else text[:119] + "…"


def _reconciliation(told: JsonObject) -> Iterator[str]:
    rows = []
    for row in told["reconciliation"]:
        landed = f"{number(row['landed'])} of {number(row['source'])} on the store"
        bar = _bar([("done", row["landed"], landed)], row["source"], landed)
        rows.append(
            _row([escape(row["resource_type"]), bar, *(number(row[key]) for key in RECONCILED)], figures_from=2)
        )
    titles = ("type", "", "in the source", "staged", "excluded", "on the store", "pending", "open errors")
    return _table("Where every record is now", titles, rows, figures_from=2)
