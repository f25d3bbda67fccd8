"""Mappings: the texts that turn source records into Shopify's input, and the language they are in.

`Mapping` compiles and evaluates one text; `registry.py` decides which text and version is used
now; the packaged defaults are `<platform>/<resource_type>.jsonata`. Running a mapping over many
records, within limits, is in `transform/`.
"""

from graftport_dagster.mappings.functions import FUNCTIONS, MappingFunction
from graftport_dagster.mappings.language import UNDEFINED
from graftport_dagster.mappings.mapping import Evaluation, Mapping

__all__ = ["FUNCTIONS", "UNDEFINED", "Evaluation", "Mapping", "MappingFunction"]
