"""Tells Postgres's planner how large a table has become, where waiting for autovacuum would cost a night.

A table that has just been filled counts as empty until it is analysed, and a migration that is
new in a large database counts as absent; joins are then planned as if each had one row, which
takes time by the square of the rows. Autovacuum looks once a minute, and only after a tenth
of a table has changed. SQLite needs none of this: it always follows the key.
"""

from collections import defaultdict

_FIRST = 1_000
_FACTOR = 4


class Growth:
    """Counts the rows written by this process to each table, and says which tables to analyse."""

    def __init__(self) -> None:
        self._written: dict[str, int] = defaultdict(int)
        self._next: dict[str, int] = defaultdict(lambda: _FIRST)

    def note(self, table: str, rows: int) -> None:
        """So many rows were written."""
        self._written[table] += rows

    def take_due(self) -> list[str]:
        """The tables that have grown by a factor of four since they were last given."""
        due = sorted(table for table, rows in self._written.items() if rows >= self._next[table])
        for table in due:
            self._next[table] = self._written[table] * _FACTOR
        return due
