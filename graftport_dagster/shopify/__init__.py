"""Shopify's Admin API as this project speaks it.

`client.py` asks and sends, within the allowance that `throttle.py` keeps and at the price that
`cost.py` foresees; `refusals.py` says what an answer that is not a success means. `payload.py`
checks what is to be sent against Shopify's own schema (`admin_2026-10.json.gz`, reduced by
`trim_schema.py`, licence beside it). The documents are in `documents/`, one operation each, and
below it the fields that several of them ask alike; `documents.py` reads them. What belongs into
which call for which record is in `loaders/`.
"""
