"""What held records wait for: which wait no more, and which wait for what can never come.

The rows are written beside the incomplete record of a held one (`incomplete.py`); what a record
refers to is found in `loaders/references.py`.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, and_, func, or_, select, update

from graftport_dagster.errors import ErrorClass
from graftport_dagster.records import Outcome, Phase, shown_id
from graftport_dagster.store.tables import identities, incomplete_records, source_records, staged_records, waits

Node = tuple[str, str]
_PENDING, _CYCLE, _NEVER = "REFERENCE_PENDING", "REFERENCE_CYCLE", "REFERENCE_NEVER"
_SHOWN = 5


def released(migration: str, store_gid: str | None = None) -> Select[Any]:
    """(store_gid, resource_type, source_id) of held records whose references have all landed since."""
    query = (
        select(waits.c.store_gid, waits.c.resource_type, waits.c.source_id)
        .select_from(waits.outerjoin(identities, _landed()))
        .where(waits.c.migration == migration)
        .group_by(waits.c.store_gid, waits.c.resource_type, waits.c.source_id)
        .having(func.count() == func.count(identities.c.gid))
    )
    return query if store_gid is None else query.where(waits.c.store_gid == store_gid)


def _landed() -> Any:
    return and_(
        identities.c.migration == waits.c.migration,
        identities.c.store_gid == waits.c.store_gid,
        identities.c.resource_type == waits.c.for_type,
        identities.c.source_id == waits.c.for_id,
        identities.c.part == waits.c.for_part,
        identities.c.part_id == waits.c.for_part_id,
    )


@dataclass
class _Held:
    """Held records of one migration on one store, and what each waits for still."""

    waits_for: dict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[Node, set[tuple[str, str, str, str]]] = field(default_factory=lambda: defaultdict(set))

    @property
    def targets(self) -> set[Node]:
        return {target for targets in self.waits_for.values() for target in targets}


def judge(connection: Connection, migration: str, store_gid: str, enabled: Collection[str]) -> dict[str, int]:
    """Tells apart what waits in a circle, or for what never comes, in the held ones' code, message and hint.

    Returns how many there are of each code. `enabled`: the types that the migration moves.
    """
    held = _held(connection, migration, store_gid)
    verdicts = {node: (_NEVER, why) for node, why in _never(connection, migration, store_gid, held, enabled).items()}
    circles = _circles({node: targets for node, targets in held.waits_for.items() if node not in verdicts})
    verdicts |= {node: (_CYCLE, _round(node, held.waits_for, circles)) for node in circles}
    _write(connection, migration, store_gid, verdicts)
    counts: dict[str, int] = {}
    for code, _ in verdicts.values():
        counts[code] = counts.get(code, 0) + 1
    return counts


def awaited(connection: Connection, migration: str, store_gid: str, resource_type: str) -> dict[str, int]:
    """Resource type → how many held records of one type wait for some of it that has not landed."""
    query = (
        select(waits.c.for_type, func.count(waits.c.source_id.distinct()))
        .select_from(waits.outerjoin(identities, _landed()))
        .where(
            waits.c.migration == migration, waits.c.store_gid == store_gid, waits.c.resource_type == resource_type,
            identities.c.gid.is_(None),
        )
        .group_by(waits.c.for_type)
    )  # fmt: skip
    return {row[0]: row[1] for row in connection.execute(query)}


def _held(connection: Connection, migration: str, store_gid: str) -> _Held:
    query = (
        select(waits.c.resource_type, waits.c.source_id, waits.c.for_type, waits.c.for_id, waits.c.for_part,
               waits.c.for_part_id)
        .select_from(waits.outerjoin(identities, _landed()))
        .where(waits.c.migration == migration, waits.c.store_gid == store_gid, identities.c.gid.is_(None))
    )  # fmt: skip
    held = _Held()
    for row in connection.execute(query):
        node, target = (row[0], row[1]), (row[2], row[3])
        held.waits_for[node].add(target)
        if row[4]:
            held.parts[node].add((row[2], row[3], row[4], row[5]))
    return held


def _never(
    connection: Connection, migration: str, store_gid: str, held: _Held, enabled: Collection[str]
) -> dict[Node, str]:
    """Held record → why what it waits for cannot come; also of those that wait for such a one."""
    gone: dict[Node, str] = {}
    for resource_type in {target[0] for target in held.targets}:
        wanted = {target[1] for target in held.targets if target[0] == resource_type}
        if resource_type not in enabled:
            gone |= {(resource_type, name): f"{resource_type} are not moved by this migration" for name in wanted}
            continue
        gone |= {
            (resource_type, name): why
            for name, why in _gone(connection, migration, store_gid, resource_type).items()
            if name in wanted
        }
    never = {
        node: f"{_named(target)}: {gone[target]}"
        for node, targets in held.waits_for.items()
        for target in sorted(targets)
        if target in gone
    }
    never |= _missing_parts(connection, migration, store_gid, held)
    return _spread(held.waits_for, never)


def _gone(connection: Connection, migration: str, store_gid: str, resource_type: str) -> dict[str, str]:
    """Source id → why it will not land: left out by the mapping, gone from the source, given up."""
    staged, source, rows = staged_records.c, source_records.c, incomplete_records.c
    found: dict[str, str] = {}
    excluded = select(staged.source_id, staged.reason).where(
        staged.migration == migration, staged.dry_run_id == "", staged.resource_type == resource_type,
        staged.state == "excluded",
    )  # fmt: skip
    found |= {
        row[0]: f"the mapping leaves it out ({row[1] or 'no reason given'})" for row in connection.execute(excluded)
    }
    deleted = select(source.source_id).where(
        source.migration == migration, source.dry_run_id == "", source.resource_type == resource_type,
        source.deleted_seq > 0,
    )  # fmt: skip
    found |= dict.fromkeys(connection.execute(deleted).scalars(), "it is gone from the source")
    given_up = select(rows.source_id, rows.resolution).where(
        rows.migration == migration, rows.resource_type == resource_type, rows.phase == str(Phase.LOAD),
        rows.status == "discarded", rows.store_gid == store_gid,
    )  # fmt: skip
    return found | {row[0]: f"it was given up ({row[1]})" for row in connection.execute(given_up)}


def _missing_parts(connection: Connection, migration: str, store_gid: str, held: _Held) -> dict[Node, str]:
    """Those that wait for a part which its record, landed as it is, does not have."""
    wanted = {part[:2] for parts in held.parts.values() for part in parts}
    there: set[Node] = set()
    for resource_type in {node[0] for node in wanted}:
        query = select(identities.c.source_id).where(
            identities.c.migration == migration, identities.c.store_gid == store_gid,
            identities.c.resource_type == resource_type, identities.c.part == "",
        )  # fmt: skip
        there |= {(resource_type, name) for name in connection.execute(query).scalars()}
    return {
        node: f"{_named(part[:2])} has landed, and has no {part[2]} {part[3]}"
        for node, parts in held.parts.items()
        for part in sorted(parts)
        if part[:2] in there and part[:2] not in held.waits_for
    }


def _spread(waits_for: Mapping[Node, set[Node]], never: dict[Node, str]) -> dict[Node, str]:
    """What waits for one that never comes never comes either."""
    behind: dict[Node, set[Node]] = defaultdict(set)
    for node, targets in waits_for.items():
        for target in targets:
            behind[target].add(node)
    to_do = list(never)
    while to_do:
        node = to_do.pop()
        for other in behind[node] - never.keys():
            never[other] = f"{_named(node)} waits itself for what never comes"
            to_do.append(other)
    return never


def _named(node: Node) -> str:
    return f"{node[0]} {shown_id(*node)}"


def _circles(waits_for: Mapping[Node, set[Node]]) -> set[Node]:
    """Nodes that wait, over others or not, for themselves, and what lies between two such circles."""
    left = set(waits_for)
    for towards in (lambda node: waits_for[node], _turned(waits_for)):
        left = _trimmed(left, towards)
    return left


def _turned(waits_for: Mapping[Node, set[Node]]) -> Callable[[Node], set[Node]]:
    behind: dict[Node, set[Node]] = defaultdict(set)
    for node, targets in waits_for.items():
        for target in targets:
            behind[target].add(node)
    return lambda node: behind[node]


def _trimmed(nodes: set[Node], towards: Callable[[Node], set[Node]]) -> set[Node]:
    """Without those from which no way stays within, until none goes any more."""
    while loose := {node for node in nodes if not towards(node) & nodes}:
        nodes = nodes - loose
    return nodes


def _round(node: Node, waits_for: Mapping[Node, set[Node]], circles: set[Node]) -> str:
    way = [node]
    while len(way) <= _SHOWN:
        following = sorted(waits_for[way[-1]] & circles)
        way.append(node if node in following else following[0])
        if way[-1] == node:
            break
    more = " → …" if way[-1] != node else ""
    return " → ".join(map(_named, way)) + more


def _write(
    connection: Connection, migration: str, store_gid: str, verdicts: Mapping[Node, tuple[str, str]]
) -> None:  # fmt: skip
    rows = incomplete_records.c
    held = and_(
        rows.migration == migration, rows.store_gid == store_gid, rows.phase == str(Phase.LOAD),
        rows.outcome == str(Outcome.HELD), rows.error_class == str(ErrorClass.MISSING_REFERENCE),
        or_(rows.status == "unresolved", rows.status == "in_progress"),
    )  # fmt: skip
    for row in connection.execute(
        select(rows.resource_type, rows.source_id, rows.code, rows.message).where(held)
    ).all():
        code, why = verdicts.get((row.resource_type, row.source_id), ("", ""))
        if not code and row.code not in (_CYCLE, _NEVER):
            continue
        message = {
            _CYCLE: f"It waits for itself: {why}.",
            _NEVER: f"It waits for what never comes. {why[:1].upper()}{why[1:]}.",
        }.get(code, "It waits for others to land.")
        if (row.code, row.message) == (code or _PENDING, message):
            continue
        hint = "Take the reference out in the mapping, or move what it needs." if code else "It is sent once they have."
        one = and_(held, rows.resource_type == row.resource_type, rows.source_id == row.source_id)
        values = {"code": code or _PENDING, "message": message, "hint": hint}
        connection.execute(update(incomplete_records).where(one).values(values))
