"""The record store, the only memory of a migration. Its door is `record_store.py`."""
