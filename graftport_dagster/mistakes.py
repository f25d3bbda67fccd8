"""Every mistake of a migration file in words of that file, from pydantic's complaints about it.

Models are walked as they are, so that a new setting, or a new kind of source, needs no word here.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

# A file is one specification or a list of them; pydantic names the two, and complains of the one not meant as well.
_EITHER = ("FileSpec", "list[FileSpec]")
_EXPECTED = {
    "missing": "must be given",
    "union_tag_not_found": "expects settings below it, `key: value`",
    "model_attributes_type": "expects settings below it, `key: value`",
    "model_type": "expects settings below it, `key: value`",
    "dict_type": "expects settings below it, `key: value`",
    "mapping_type": "expects settings below it, `key: value`",
    "list_type": "expects a list, `[first, second]`",
    "string_type": "expects a text; what looks like a number or a date stands in quotes",
    "bool_parsing": "expects true or false",
    "bool_type": "expects true or false",
    "int_parsing": "expects a whole number",
    "int_type": "expects a whole number",
    "int_from_float": "expects a whole number",
    "float_parsing": "expects a number",
    "float_type": "expects a number",
}


def mistakes(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Every mistake once, each with its place. `model`: what the whole file was meant to be."""
    items = error.errors(include_url=False)
    wrong_kind = [item for item in items if item["loc"] and item["loc"][-1] in _EITHER]
    rest = [item for item in items if item not in wrong_kind]
    within = {_parents(item) for item in rest}
    told = [_mistake(item, model) for item in rest]
    misplaced = dict.fromkeys(_parents(item) for item in wrong_kind)
    untold = [place for place in misplaced if not any(other[: len(place)] == place for other in within)]
    return told + [f"{'.'.join(place)}: expects {{path: …}}, or a list of those" for place in untold]


def _parents(item: Any) -> tuple[str, ...]:
    """Where it stands in the file: pydantic names the kind of source as well, as if it were a key."""
    place = tuple(str(part) for part in item["loc"] if part not in _EITHER)
    return (place[0], *place[2:]) if place[:1] == ("source",) else place


def _mistake(item: Any, model: type[BaseModel]) -> str:
    *parents, last = _parents(item) or ("",)
    place = ".".join([*parents, last])
    kind = item["type"]
    if kind in {"enum", "literal_error"}:
        return f"{place}: {_none_of(str(item['input']), item['ctx']['expected'])}"
    if kind == "union_tag_invalid":
        return f"{place}.type: {_none_of(item['ctx']['tag'], item['ctx']['expected_tags'])}"
    if kind != "extra_forbidden":
        return f"{place}: {_EXPECTED.get(kind) or item['msg'].removeprefix('Value error, ').removeprefix('Input ')}"
    near = difflib.get_close_matches(last, _known_keys(item["loc"][:-1], model), n=1)
    return f"{place}: unknown key" + (f", did you mean {near[0]}?" if near else "")


def _none_of(given: str, expected: str) -> str:
    words = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(given, words, n=1)
    return f"{given[:40]} is none of {', '.join(words)}" + (f"; did you mean {near[0]}?" if near else "")


def _known_keys(place: Sequence[object], model: type[BaseModel]) -> list[str]:
    """The keys that may stand there. Keys of mappings and places in lists lead to the model that was met last."""
    models = [model]
    for part in place:
        if len(models) > 1:
            models = [one for one in models if part in get_args(one.model_fields["type"].annotation)]
        elif models and part in models[0].model_fields:
            models = list(_models_in(models[0].model_fields[str(part)].annotation)) or models
    return list(models[0].model_fields) if models else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    found = [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
    for part in get_args(annotation):
        found += _models_in(part)
    yield from dict.fromkeys(found)
