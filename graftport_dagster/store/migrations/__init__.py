"""How a database comes to have the tables of `store/tables.py`, version by version (alembic)."""
