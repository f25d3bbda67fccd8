"""What goes wrong in an expression: JSONata's code, its words, and the place in the text.

Errors of the engine, of our functions and of Python itself all become a `Failure` where a call is
made, because there the place is known. What a failure means for a record is decided in
`mappings/mapping.py`.
"""

import re

from jsonata.jexception import JException


class Failure(Exception):  # noqa: N818 - not an error of the program, but what JSONata calls one
    """An expression that cannot be compiled or evaluated: JSONata's code, and where in the text.

    `position` is the offset after the token, as the reference implementation counts; -1 unknown.
    """

    def __init__(
        self, code: str, *values: object, position: int = -1, word: str = "", message: str = "", hint: str = ""
    ) -> None:
        self.code = code
        self.message = message or _message(code, values)
        self.position = position
        self.word = word
        self.hint = hint
        super().__init__(self.message)


def _message(code: str, values: tuple[object, ...]) -> str:
    template = JException.error_codes.get(code)
    if template is None:
        return " ".join(str(value) for value in values) or code
    given = iter(values)
    # The engine's texts say Object where the reference says function.
    return re.sub(r"\{\{+\w+\}\}+", lambda _: shown(next(given, "?")), template).replace("Object", "function")


def shown(value: object) -> str:
    """A value in a message: short, never a whole payload."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def located(error: Exception, position: int, word: str) -> Failure:
    """The error with its place in the text, if it has none yet, and with JSONata's code for Python's own errors."""
    if isinstance(error, Failure):
        if error.position < 0:
            error.position, error.word = position, error.word or word
        return error
    if isinstance(error, JException):
        code = str(error.error) if error.error in JException.error_codes else _by_message(str(error.error))
        return Failure(code or "UNEXPECTED", error.current, error.expected, error.extra, position=position, word=word)
    if known := _by_message(str(error)):
        return Failure(known, position=position, word=word, message=str(error))
    code, message, hint = getattr(error, "code", ""), getattr(error, "message", ""), getattr(error, "hint", "")
    if code and message:
        return Failure(code, position=position, word=word, message=message, hint=hint)
    if isinstance(error, TypeError) and "argument" in str(error):
        return Failure("T0410", "?", word, position=position, word=word)
    return Failure("UNEXPECTED", f"{type(error).__name__}: {error}", position=position, word=word)


# The engine raises some of its errors by message instead of by code.
_BY_MESSAGE = {
    "starting with": "D3130", "must be from the same decimal group": "D3131", "Unknown component specifier": "D3132",
    "modifier can only be applied": "D3133", "more than four digits": "D3134", "No matching closing bracket": "D3135",
    "is missing specifiers": "D3136", "Type parameters can only": "S0401", "Choice groups containing": "S0402",
    "both integer and fractional": "D3085", "invalid grouping in picture": "D3088",
}  # fmt: skip


def _by_message(text: str) -> str:
    return next((code for part, code in _BY_MESSAGE.items() if part in text), "")
