"""The form that every resource type of the simulated shop has.

What lives here: what a part offers (`Part`) and what it is called with (`Call`). The parts are
the modules named in `registry.py`; running them is `execution.py`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graftport_dagster.simulator.answers import invalid_id
from graftport_dagster.simulator.documents import DocumentCache
from graftport_dagster.simulator.state import KeysOf, Object, State, split_gid

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the shop is, apart from what it holds."""

    plan: str = "standard"
    currency: str = "USD"
    shop_name: str = "Simulated Shop"
    api_version: str = "2026-10"
    # None: every scope there is.
    scopes: tuple[str, ...] | None = None
    # Seconds until an asynchronous operation, a job or a file is done.
    processing_seconds: float = 0.0


@dataclass(slots=True)
class Call:
    """One request being executed."""

    state: State
    settings: Settings
    base_url: str
    documents: DocumentCache
    user_errors: list[Object] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    # Mails that were asked for; none is ever sent.
    mails: list[str] = field(default_factory=list)
    wrote: bool = False

    def take(self, gid: str, kind: str) -> Object | None:
        """The object of an id given for a field that takes one type; another type is refused at top level."""
        if split_gid(gid)[0] != kind:
            raise invalid_id(gid)
        return self.state.get(gid)


Resolver = Callable[[Call, Any, Arguments], Any]
Mutation = Callable[[Call, Arguments], Object]


@dataclass(frozen=True, slots=True)
class Part:
    """What one module adds: root fields, mutations, fields of types as `Type.field`, and how objects are found."""

    queries: dict[str, Resolver] = field(default_factory=dict)
    mutations: dict[str, Mutation] = field(default_factory=dict)
    fields: dict[str, Resolver] = field(default_factory=dict)
    keys: dict[str, KeysOf] = field(default_factory=dict)
