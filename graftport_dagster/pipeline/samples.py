"""A masked sample of what an extract read, for audit: what the source gave, with no person in it.

What is personal, and how it is masked, is in `personal.py`. The salt is made for each sample and kept nowhere.
"""

import json
import random
import secrets
from collections.abc import Sequence
from pathlib import Path

from graftport_dagster.personal import mask_id, mask_payload, mask_words
from graftport_dagster.records import ResourceType, SourceRecord


class Sample:
    """Some of the records of one type, each as likely as every other, however many there are."""

    def __init__(self, resource_type: ResourceType, size: int) -> None:
        self._type = resource_type
        self._size = size
        self._seen = 0
        self._chosen: list[SourceRecord] = []

    def see(self, records: Sequence[SourceRecord]) -> None:
        """Looks at the next ones."""
        for record in records if self._size else ():
            self._seen += 1
            if len(self._chosen) < self._size:
                self._chosen.append(record)
            elif (place := random.randrange(self._seen)) < self._size:  # noqa: S311 - no secret rests on it
                self._chosen[place] = record

    def write(self, folder: Path) -> None:
        """Writes them masked into `sample-<type>.jsonl`, for the owner alone; nothing where there are none."""
        if not self._chosen:
            return
        salt = secrets.token_bytes(32)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"sample-{self._type}.jsonl"
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for record in self._chosen:
                row = {
                    "source_id": mask_id(record.source_id, self._type, salt),
                    "origin": mask_words(record.origin, salt),
                    "payload": mask_payload(record.payload, self._type, salt),
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
