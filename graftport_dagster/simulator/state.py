"""All that the simulated shop holds, in one SQLite file.

What lives here: objects by id, the keys they are found by, numbers for new ids, the log of
requests, and what search saw a while ago. What an object contains is for the modules of the
resource types (`products.py`, `collections.py`, …) to say; they register how each is found.
"""

import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

Object = dict[str, Any]
KeysOf = Callable[[Object], Iterable[tuple[str, str]]]

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (type TEXT PRIMARY KEY, last INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (type TEXT, number INTEGER, body BLOB, PRIMARY KEY (type, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (space TEXT, value TEXT, gid TEXT, place INTEGER,
  PRIMARY KEY (space, value, gid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (number INTEGER PRIMARY KEY, body BLOB);
"""
_LOGGED_REQUESTS = 200_000


def gid_of(kind: str, number: int | str) -> str:
    """Shopify's global id."""
    return f"gid://shopify/{kind}/{number}"


def split_gid(gid: str) -> tuple[str, int]:
    """The type and number in a global id; number -1 where it is none of ours."""
    _, _, rest = gid.partition("gid://shopify/")
    kind, _, number = rest.partition("/")
    number = number.partition("?")[0]
    return kind, int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        # Ids are counted in memory, so a shop belongs to one process; one that is just ending is waited for.
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")
        database.executescript(_TABLES)
    except sqlite3.DatabaseError as error:
        database.close()
        reason = "another simulator serves it" if "locked" in str(error) else str(error)
        raise OSError(f"{path} cannot be the shop: {reason}") from error
    return database


class State:
    """The shop's memory.

    Every write is made inside `transaction`, is on disk for any later process when it ends
    (a killed simulator loses nothing; a lost machine may), and is undone when it raises.
    """

    def __init__(
        self,
        path: Path,
        keys_of: dict[str, KeysOf],
        *,
        search_lag_seconds: float = 0.0,
        shop_number: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = _opened(path)
        self._keys_of = keys_of
        self._clock = clock
        self._lag = search_lag_seconds
        self._earlier: deque[tuple[float, str, int, bytes | None]] = deque()
        self._numbers: dict[str, int] = dict(self._db.execute("SELECT type, last FROM numbers"))
        self._used_numbers: set[str] = set()
        self._requests: list[tuple[int, bytes]] = []
        self._last_request: int = self._db.execute("SELECT coalesce(max(number), 0) FROM requests").fetchone()[0]
        self.shop_number = self._identify(shop_number)
        self._offset = (self.shop_number % 9000 + 1000) * 1_000_000_000

    def _identify(self, shop_number: int | None) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE name = 'shop'").fetchone()
        if row is not None:
            return int(row[0])
        number = shop_number if shop_number is not None else 10_000_000_000 + secrets.randbelow(89_999_999_999)
        self._db.execute("INSERT INTO meta VALUES ('shop', ?)", (str(number),))
        return number

    def close(self) -> None:
        """Nothing may be asked afterwards."""
        self.flush_requests()
        self._db.close()

    def now(self) -> str:
        """The time as Shopify writes it."""
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; within another, a part of that."""
        if self._db.in_transaction:
            with self.savepoint():
                yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            for kind in self._used_numbers:
                self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (kind, self._numbers[kind]))
            self._used_numbers.clear()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction that is undone alone when it raises."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
            raise
        self._db.execute("RELEASE part")

    def new_id(self, kind: str) -> str:
        """An id never given before; those of two shops differ, as Shopify's do."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        self._used_numbers.add(kind)
        return gid_of(kind, self._offset + self._numbers[kind])

    def get(self, gid: str) -> Object | None:
        """The object as last written, a copy of its own."""
        row = self._db.execute("SELECT body FROM objects WHERE type = ? AND number = ?", split_gid(gid)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def put(self, body: Object) -> None:
        """Writes an object whole, by its `id`; an object read with `get` and changed keeps its keys right."""
        gid = body["id"]
        kind, number = split_gid(gid)
        before = {(space, value) for space, value in body.get("_keys", ())}
        keys_of = self._keys_of.get(kind)
        after = dict.fromkeys(keys_of(body)) if keys_of else {}
        for space, value in before - after.keys():
            self._db.execute("DELETE FROM keys WHERE space = ? AND value = ? AND gid = ?", (space, value, gid))
        added = [(space, value, gid, self._next_place()) for space, value in after if (space, value) not in before]
        if added:
            self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?, ?)", added)
        body["_keys"] = list(after)
        self._remember(kind, number)
        self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", (kind, number, orjson.dumps(body)))

    def delete(self, body: Object) -> None:
        """Removes an object read with `get`."""
        kind, number = split_gid(body["id"])
        for space, value in body.get("_keys", ()):
            self._db.execute("DELETE FROM keys WHERE space = ? AND value = ? AND gid = ?", (space, value, body["id"]))
        self._remember(kind, number)
        self._db.execute("DELETE FROM objects WHERE type = ? AND number = ?", (kind, number))

    def _next_place(self) -> int:
        self._numbers["_place"] = self._numbers.get("_place", 0) + 1
        self._used_numbers.add("_place")
        return self._numbers["_place"]

    def find(self, space: str, value: str) -> list[str]:
        """Ids of the objects with this key, those that got it first in front."""
        rows = self._db.execute("SELECT gid FROM keys WHERE space = ? AND value = ? ORDER BY place", (space, value))
        return [row[0] for row in rows]

    def find_one(self, space: str, value: str) -> Object | None:
        """The object with this key, for keys that only one has."""
        row = self._db.execute("SELECT gid FROM keys WHERE space = ? AND value = ?", (space, value)).fetchone()
        return None if row is None else self.get(row[0])

    def count(self, kind: str) -> int:
        """How many objects of a type there are."""
        return int(self._db.execute("SELECT count(*) FROM objects WHERE type = ?", (kind,)).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """How many objects there are, by type."""
        return dict(self._db.execute("SELECT type, count(*) FROM objects GROUP BY type"))

    def all(self, kind: str, *, after: int = 0, backwards: bool = False) -> Iterator[Object]:
        """Objects of a type by id, from behind a number on; read in pieces, so that writes may come between."""
        comparison, order = ("<", "DESC") if backwards else (">", "ASC")
        edge = after or (2**62 if backwards else 0)
        sql = (
            f"SELECT number, body FROM objects WHERE type = ? AND number {comparison} ? "  # noqa: S608 - two fixed words
            f"ORDER BY number {order} LIMIT 300"
        )
        while rows := self._db.execute(sql, (kind, edge)).fetchall():
            for number, body in rows:
                edge = number
                yield orjson.loads(body)

    def searchable(self, kind: str) -> Iterator[Object]:
        """Objects of a type as search knows them: as they were a lag ago."""
        earlier = self._earlier_bodies(kind)
        for body in self.all(kind):
            number = split_gid(body["id"])[1]
            if number not in earlier:
                yield body
            elif (old := earlier[number]) is not None:
                yield orjson.loads(old)
        for number, old in earlier.items():
            if old is not None and self.get(gid_of(kind, number)) is None:
                yield orjson.loads(old)

    def settled(self, kind: str) -> bool:
        """True when search knows every object of the type as it is now."""
        return not self._earlier_bodies(kind)

    def _remember(self, kind: str, number: int) -> None:
        if self._lag <= 0:
            return
        row = self._db.execute("SELECT body FROM objects WHERE type = ? AND number = ?", (kind, number)).fetchone()
        self._earlier.append((self._clock(), kind, number, None if row is None else row[0]))

    def _earlier_bodies(self, kind: str) -> dict[int, bytes | None]:
        while self._earlier and self._earlier[0][0] <= self._clock() - self._lag:
            self._earlier.popleft()
        bodies: dict[int, bytes | None] = {}
        for _, changed_kind, number, body in self._earlier:
            if changed_kind == kind:
                bodies.setdefault(number, body)
        return bodies

    def log(self, entry: Object) -> int:
        """Notes a request: on disk at once if it wrote, else within a hundred requests."""
        self._last_request += 1
        entry["number"] = self._last_request
        self._requests.append((self._last_request, orjson.dumps(entry)))
        if entry.get("wrote") or len(self._requests) >= 100:
            self.flush_requests()
        return self._last_request

    def request_count(self) -> int:
        """How many requests were noted since the state was made or cleared."""
        self.flush_requests()
        return int(self._db.execute("SELECT count(*) FROM requests").fetchone()[0])

    def flush_requests(self) -> None:
        """Puts noted requests on disk."""
        if not self._requests:
            return
        with self.transaction():
            self._db.executemany("INSERT INTO requests VALUES (?, ?)", self._requests)
            self._db.execute("DELETE FROM requests WHERE number <= ?", (self._last_request - _LOGGED_REQUESTS,))
        self._requests.clear()

    def requests(self, after: int, limit: int) -> list[Object]:
        """Noted requests in the order they came, from behind a number on."""
        self.flush_requests()
        rows = self._db.execute("SELECT body FROM requests WHERE number > ? ORDER BY number LIMIT ?", (after, limit))
        return [orjson.loads(row[0]) for row in rows]

    def clear(self) -> None:
        """Forgets all objects and requests; shop and numbers stay, so that no id ever comes twice."""
        with self.transaction():
            for table in ("objects", "keys", "requests"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - three fixed words
        self._earlier.clear()
        self._requests.clear()
