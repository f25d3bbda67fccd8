"""A Shopify Admin API to rehearse against: a server of its own, with a shop in a file.

What lives here: everything of the simulator and nothing of the rest of this package; it shares
no code with the client, and reads Shopify's schema as data. It is used as a process (`python -m
graftport_dagster.simulator`), from Python (`serve`), or shared by all processes of a project (`ensure`).
"""

from graftport_dagster.simulator.embedded import SimulatorNotStartedError, ensure
from graftport_dagster.simulator.hosting import serve

__all__ = ["SimulatorNotStartedError", "ensure", "serve"]
