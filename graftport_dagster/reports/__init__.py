"""What a run did, told as data, Markdown and HTML, and what is still open, told as rows.

`report` is the one object that scripts read; `markdown` and `html` tell the same to people.
Everything shown passes through `wording.presentable`, so that no mail address, telephone number
or control character of a shop's data leaves the record store by this way. Single tables for a terminal
are put together in `cli/`; what is counted, and how a run's result follows from it, is in `records.py`.
"""

from graftport_dagster.reports.account import report
from graftport_dagster.reports.admin_links import AdminLinks
from graftport_dagster.reports.incomplete_record import incomplete_record
from graftport_dagster.reports.markdown import item_markdown, markdown
from graftport_dagster.reports.open_errors import ERROR_COLUMNS, group_errors, open_errors, write_errors_csv
from graftport_dagster.reports.page import html, write_page
from graftport_dagster.reports.reconciliation import reconciliation
from graftport_dagster.reports.record_story import record_story

__all__ = [
    "ERROR_COLUMNS", "AdminLinks", "group_errors", "html", "incomplete_record", "item_markdown", "markdown",
    "open_errors", "reconciliation", "record_story", "report", "write_errors_csv", "write_page",
]  # fmt: skip
