"""Whole lists, page by page, with nothing lost or doubled while the shop is being edited.

Lists are asked by ascending id and by offset, each page beginning with the last thing of the one
before. When that one is not where it was, things before it were removed and the rest moved up:
reading goes back until the thread is found again. What is new has a higher id and comes at the
end. What is no page (another shape, ids out of order, the same page again, fewer things than the
shop says there are) is an error and never the end.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from graftport_dagster.sources.rest_reader import Answer
from graftport_dagster.sources.woocommerce.asking import Asking, unexpected

Params = Mapping[str, str | int]
_BY_ID: Params = {"orderby": "id", "order": "asc"}


@dataclass(slots=True)
class Reading:
    """One reading of a list: when it began, by the shop's own clock."""

    began: datetime | None = None

    def note(self, answer: Answer) -> None:
        """Takes the time from the first answer."""
        if self.began is None:
            try:
                self.began = parsedate_to_datetime(answer.headers.get("date", ""))
            except ValueError:
                self.began = datetime.now(UTC)


def every(
    asking: Asking, path: str, params: Params, size: int, reading: Reading | None = None
) -> Iterator[dict[str, Any]]:
    """Every thing of a list once, by ascending id; raises RemoteFaultError where the pages do not fit together."""
    reading = reading or Reading()
    last, offset = 0, 0
    before: list[int] = []
    while True:
        things, answer = asking.get_list(path, {**params, **_BY_ID, "per_page": size, "offset": offset})
        reading.note(answer)
        total = total_of(path, answer)
        ids = [thing["id"] for thing in things]
        _check(path, ids, before, offset, total)
        if offset and (not ids or ids[0] > last):
            offset, before = max(0, offset - size), []
            continue
        for thing in things:
            if thing["id"] > last:
                last = thing["id"]
                yield thing
        if offset + len(things) >= total:
            return
        before, offset = ids, offset + len(things) - 1


def _check(path: str, ids: list[int], before: list[int], offset: int, total: int) -> None:
    if any(first >= second for first, second in pairwise(ids)):
        raise unexpected(path, "a page that is not in the order of ids")
    if ids and ids == before:
        raise unexpected(path, "the same page again")
    if not ids and offset < total:
        raise unexpected(path, f"an empty page, though it says that there are {total}")
    if offset == 0 and len(ids) > total:
        raise unexpected(path, f"{len(ids)} things, though it says that there are {total}")


def total_of(path: str, answer: Answer) -> int:
    """How many things the list has, as its header says. Raises RemoteFaultError where there is no such header."""
    text = answer.headers.get("x-wp-total", "")
    if not text.isdecimal():
        raise unexpected(path, "no X-WP-Total, which says how many there are")
    return int(text)
