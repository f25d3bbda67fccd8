"""Graftport: moves a shop into Shopify, on Dagster.

The migration itself is an ordinary typed library that runs in a REPL; Dagster is a thin
layer over it (`defs/`, `definitions.py`). Imports point downwards only:

    cli → definitions → defs → pipeline → loaders | sources | transform | reports
                → shopify | mappings → store → migration → records → errors

How this code is written is said in CONTRIBUTING.md.
"""
