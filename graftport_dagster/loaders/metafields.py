"""Metafields as steps of their own, for objects whose main call does not take them.

`metafieldsSet` names what it writes (owner, namespace, key), so it may be sent again freely; it
takes 25 at a time, all or none. Metafields that are not named stay as they are.
"""

from collections.abc import Iterator

from graftport_dagster.loaders.plan import Caller, Plan, Step
from graftport_dagster.records import JsonObject, json_hash
from graftport_dagster.shopify.documents import document

MOST = 25


def steps(plan: Plan) -> Iterator[Step]:
    """The steps that write the envelope's `metafields`."""
    given = plan.envelope.get("metafields") or ()
    for start in range(0, len(given), MOST):
        few = list(given[start : start + MOST])

        def variables(plan: Plan, _: Caller, few: list[JsonObject] = few) -> JsonObject:
            return {"metafields": [{"ownerId": plan.gid, **metafield} for metafield in few]}

        yield Step(
            key=f"metafields:{start}" if start else "metafields", path="metafields", digest=json_hash(few),
            document=document("metafields_set"), variables=variables,
        )  # fmt: skip
