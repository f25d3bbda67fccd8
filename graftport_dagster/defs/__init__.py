"""Graftport in Dagster: the thin layer that turns the verbs of `pipeline` into assets and jobs.

`factory.build_migration` makes everything of one migration and is the door for other Dagster
projects; `launch` is the door of the command line. Nothing here decides what becomes of a
record: that is `pipeline/` and below, which know nothing of Dagster.
"""
