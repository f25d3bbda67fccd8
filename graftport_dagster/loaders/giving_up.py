"""When a whole type is given up: after errors of one class in a row, and at a limit that lifts for none of the rest."""

from graftport_dagster.errors import ErrorClass, GraftportError, TransientError

_DAILY_LIMIT = "VARIANT_THROTTLE_EXCEEDED"


class GivingUp:
    """Looks at the errors of records in the order in which they are settled; those about the data do not count."""

    def __init__(self, abort_after: int) -> None:
        self._abort_after = abort_after
        self._class = ErrorClass.UNEXPECTED
        self._in_a_row = 0
        self._last: Exception | None = None

    def after(self, error: Exception | None) -> Exception | None:
        """What stops the type now that one more record met the error, or none; None where it goes on."""
        # One call publishes many records: its failure is one.
        if error is not None and error is self._last:
            return None
        self._last = error
        error_class = error.error_class if isinstance(error, GraftportError) else ErrorClass.UNEXPECTED
        if error is None or error_class in (ErrorClass.DATA, ErrorClass.MISSING_REFERENCE):
            self._in_a_row = 0
            return None
        self._in_a_row = self._in_a_row + 1 if self._class is error_class else 1
        self._class = error_class
        if getattr(error, "code", "") == _DAILY_LIMIT:
            return error
        return self._aborted(error) if self._in_a_row >= self._abort_after else None

    def _aborted(self, error: Exception) -> TransientError:
        stopped_by = TransientError(
            f"{self._in_a_row} records in a row met {self._class}. The last said: {error}", code="ABORTED",
            hint="What was not tried stays pending; run again when the cause is gone.",
        )  # fmt: skip
        stopped_by.error_class = self._class
        return stopped_by
