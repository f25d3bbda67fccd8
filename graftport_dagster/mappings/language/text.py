"""JSONata's text functions, and JavaScript's regular expressions in Python's.

Where jsonata-python differs from the reference (case folding, escapes in replacements, Unicode
classes, groups in `$split`), what stands here is the reference's behaviour. Functions of numbers,
arrays and objects are in `standard.py`.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from jsonata.functions import Functions
from jsonata.regex_engine import RegexFlags

from graftport_dagster.mappings.language.calls import Function, Regex, invoke
from graftport_dagster.mappings.language.failure import Failure
from graftport_dagster.mappings.language.values import Sequence, is_number, number_text

_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")
_CLASS_ESCAPES = {"d": "0-9", "w": "a-zA-Z0-9_"}
_URL_SAFE = "~@#$&()*!+=:;,.?/'-_"
_COMPONENT_SAFE = "~()*!.'-_"


def compile_regex(pattern: str, flags: RegexFlags) -> Regex:
    """A regular expression as JavaScript reads it. Raises Failure S0303 for one that Python cannot read."""
    python_flags = (re.IGNORECASE if flags.case_insensitive else 0) | (re.MULTILINE if flags.multiline else 0)
    try:
        return Regex(re.compile(_translated(pattern, multiline=flags.multiline), python_flags))
    except re.error as error:
        raise Failure("S0303", message=f"The regular expression /{pattern}/ is not understood: {error}.") from None


def _translated(pattern: str, *, multiline: bool) -> str:
    out, position, in_class = [], 0, False
    while position < len(pattern):
        piece, taken, in_class = _piece(pattern, position, in_class=in_class, multiline=multiline)
        out.append(piece)
        position += taken
    return "".join(out)


def _piece(pattern: str, position: int, *, in_class: bool, multiline: bool) -> tuple[str, int, bool]:
    """One token translated: its Python text, how much of the pattern it took, whether a class is open now."""
    char, pair = pattern[position], pattern[position : position + 2]
    if char == "\\":
        return _escape(pair, in_class=in_class), len(pair), in_class
    if in_class:
        return ("\\[" if char == "[" else char), 1, char != "]"
    if pattern.startswith("[^]", position):
        return r"[\s\S]", 3, False
    if pattern.startswith("[]", position):
        return r"(?!)", 2, False
    if char == "[":
        return ("[^", 2, True) if pair == "[^" else ("[", 1, True)
    if char == "$" and not multiline:
        return r"\Z", 1, False
    if _NAMED_GROUP.match(pattern, position):
        return "(?P<", 3, False
    return char, 1, False


def _escape(pair: str, *, in_class: bool) -> str:
    letter = pair[1:]
    if letter in _CLASS_ESCAPES:
        inner = _CLASS_ESCAPES[letter]
        return inner if in_class else f"[{inner}]"
    if letter in {"D", "W"} and not in_class:
        return f"[^{_CLASS_ESCAPES[letter.lower()]}]"
    if letter == "/":
        return "/"
    # JavaScript takes an escape it does not know for the letter itself.
    return letter if letter.isalpha() and letter not in "bBdDsSwWnrtfvxuk" else pair


def text_of(value: Any, prettify: Any = None) -> str | None:
    """`$string`: text as it is, everything else as JSON, functions as nothing."""
    if value is None or type(value) is str:
        return value
    kind = type(value)
    if kind is int or kind is float:
        return number_text(value)
    if isinstance(value, Function):
        return ""
    if type(value) is Sequence and value.outer_wrapper:
        return text_of(value[0], prettify)
    return _json(value, "\n" if prettify is True else "")


def _json(value: Any, line: str) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return number_text(value)
    if isinstance(value, Function):
        return '""'
    inner = line + "  " if line else ""
    if isinstance(value, dict):
        colon = ": " if line else ":"
        return _enclosed(
            "{}", [f"{json.dumps(k, ensure_ascii=False)}{colon}{_json(v, inner)}" for k, v in value.items()], line
        )
    if isinstance(value, list):
        return _enclosed("[]", [_json(item, inner) for item in value], line)
    return "null"


def _enclosed(brackets: str, items: list[str], line: str) -> str:
    inner = line + "  " if line else ""
    if not items:
        return brackets
    return f"{brackets[0]}{inner}{f',{inner}'.join(items)}{line}{brackets[1]}"


def _given(function: Callable[..., Any]) -> Callable[..., Any]:
    """Undefined gives undefined."""
    return lambda value, *rest: None if value is None else function(value, *rest)


def _substring(text: str, start: float | None, length: float | None) -> str:
    if start is None:
        return text if length is None else ""
    first = int(start)
    if first < 0:
        first = max(0, len(text) + first)
    if length is None:
        return text[first:]
    return text[first : first + int(length)] if length > 0 else ""


def _before(text: str, mark: str | None) -> str:
    return text if mark is None else text.partition(mark)[0] if mark else ""


def _after(text: str, mark: str | None) -> str:
    if not mark or mark not in text:
        return text
    return text.partition(mark)[2]


def _trim(text: str) -> str:
    return re.sub(r"[ \t\n\r]+", " ", text).strip(" ")


def _matches(matcher: Function, text: str) -> Iterator[dict[str, Any]]:
    """What a regular expression, or a function that behaves like one, finds."""
    found = invoke(matcher, [text])
    while found is not None:
        ok = isinstance(found, dict) and (
            is_number(found.get("start")) or found.get("end") == "number" or isinstance(found.get("groups"), list)
            or isinstance(found.get("next"), Function)
        )  # fmt: skip
        if not ok:
            raise Failure("T1010", "matcher")
        yield found
        following = found.get("next")
        found = invoke(following, []) if isinstance(following, Function) else None


def _contains(text: str, token: str | Function | None) -> bool | None:
    if token is None:
        return None
    if isinstance(token, str):
        return token in text
    if isinstance(token, Regex):
        return token.pattern.search(text) is not None
    return next(_matches(token, text), None) is not None


def _match(text: str, matcher: Function, limit: float | None) -> Sequence:
    if limit is not None and limit < 0:
        raise Failure("D3040", limit)
    result = Sequence()
    if limit is None or limit > 0:
        for found in _matches(matcher, text):
            result.append({"match": found["match"], "index": found["start"], "groups": found["groups"]})
            if limit is not None and len(result) >= limit:
                break
    return result


def _replace(text: str, pattern: str | Function, replacement: str | Function, limit: float | None) -> str:
    if pattern == "":
        raise Failure("D3010")
    if limit is not None and limit < 0:
        raise Failure("D3011", limit)
    count = -1 if limit is None else int(-(-limit // 1))
    if count == 0:
        return text
    if isinstance(pattern, str):
        if isinstance(replacement, Function):
            replacement = text_of(invoke(replacement, [{"match": pattern, "groups": []}])) or ""
        return text.replace(pattern, replacement, count)
    out, position = [], 0
    for number, found in enumerate(_matches(pattern, text)):
        if number == count:
            break
        start, match = int(found["start"]), found["match"]
        new = _substituted(replacement, found) if isinstance(replacement, str) else invoke(replacement, [found])
        if not isinstance(new, str):
            raise Failure("D3012")
        out += [text[position:start], new]
        position = start + len(match)
    return "".join(out) + text[position:]


_REFERENCE = re.compile(r"\$(\$|\d+)?")


def _substituted(template: str, found: dict[str, Any]) -> str:
    """`$1`, `$0` and `$$` in a replacement; a group that is not there gives nothing."""
    groups: list[Any] = found["groups"]
    digits = len(str(len(groups)))

    def one(reference: re.Match[str]) -> str:
        name = reference.group(1)
        if name is None or name == "$":
            return "$"
        if name[0] == "0":
            return str(found["match"]) + name[1:]
        taken = name[:digits]
        if len(taken) > 1 and int(taken) > len(groups):
            taken = taken[:-1]
        group = groups[int(taken) - 1] if int(taken) <= len(groups) else None
        return (group if isinstance(group, str) else "") + name[len(str(int(taken))) :]

    return _REFERENCE.sub(one, template)


def _split(text: str, separator: str | Function, limit: float | None) -> list[str]:
    if limit is not None and limit < 0:
        raise Failure("D3020", limit)
    if isinstance(separator, str):
        parts = text.split(separator) if separator else list(text)
        return parts if limit is None else parts[: int(limit)]
    parts, start = [], 0
    for found in _matches(separator, text):
        if limit is not None and len(parts) >= limit:
            return parts
        parts.append(text[start : int(found["start"])])
        start = int(found["end"])
    return [*parts, text[start:]] if limit is None or len(parts) < limit else parts


def _join(texts: list[str], separator: str | None) -> str:
    return (separator or "").join(texts)


def _encoded(text: str, safe: str, name: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        raise Failure("D3140", name, text) from None


def _decoded(text: str, name: str, reserved: str) -> str:
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise Failure("D3140", name, text)
    # A decoder of whole addresses leaves what separates their parts.
    kept = re.sub("%(" + "|".join(f"{ord(char):02x}" for char in reserved) + ")", r"%25\1", text, flags=re.IGNORECASE)
    try:
        return unquote(kept if reserved else text, errors="strict")
    except UnicodeDecodeError:
        raise Failure("D3140", name, text) from None


TEXT_FUNCTIONS: dict[str, tuple[Callable[..., Any], str, int]] = {
    "string": (text_of, "<x-b?:s>", 2),
    "substring": (_given(_substring), "<s-nn?:s>", 3),
    "substringBefore": (_given(_before), "<s-s:s>", 2),
    "substringAfter": (_given(_after), "<s-s:s>", 2),
    "lowercase": (_given(str.lower), "<s-:s>", 1),
    "uppercase": (_given(str.upper), "<s-:s>", 1),
    "length": (_given(len), "<s-:n>", 1),
    "trim": (_given(_trim), "<s-:s>", 1),
    "pad": (Functions.pad, "<s-ns?:s>", 3),
    "match": (_given(_match), "<s-f<s:o>n?:a<o>>", 3),
    "contains": (_given(_contains), "<s-(sf):b>", 2),
    "replace": (_given(_replace), "<s-(sf)(sf)n?:s>", 4),
    "split": (_given(_split), "<s-(sf)n?:a<s>>", 3),
    "join": (_given(_join), "<a<s>s?:s>", 2),
    "base64encode": (_given(Functions.base64encode), "<s-:s>", 1),
    "base64decode": (_given(Functions.base64decode), "<s-:s>", 1),
    "encodeUrlComponent": (_given(lambda text: _encoded(text, _COMPONENT_SAFE, "encodeUrlComponent")), "<s-:s>", 1),
    "encodeUrl": (_given(lambda text: _encoded(text, _URL_SAFE, "encodeUrl")), "<s-:s>", 1),
    "decodeUrlComponent": (_given(lambda text: _decoded(text, "decodeUrlComponent", "")), "<s-:s>", 1),
    "decodeUrl": (_given(lambda text: _decoded(text, "decodeUrl", ";/?:@&=+$,#")), "<s-:s>", 1),
}
