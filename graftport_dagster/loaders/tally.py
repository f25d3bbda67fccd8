"""What a load counted and spent."""

from collections import Counter
from dataclasses import dataclass, field

from graftport_dagster.records import Outcome


@dataclass
class Tally:
    """What a load counted and spent. `seen`: the sum of `outcomes`. `fatal`: what stopped it, if anything did."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    calls: int = 0
    cost: float = 0.0
    fatal: Exception | None = None
    # How many records' main steps bulk operations have carried, and how many operations.
    in_bulk: int = 0
    operations: int = 0

    @property
    def seen(self) -> int:
        """Records that have an outcome."""
        return self.outcomes.total()

    def and_before(self, earlier: "Tally") -> "Tally":
        """The same with what was done before it."""
        self.outcomes.update(earlier.outcomes)
        self.calls, self.cost = self.calls + earlier.calls, self.cost + earlier.cost
        return self
