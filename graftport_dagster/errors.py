"""Every error of ours, drawn as a tree and grouped by what happens next.

    GraftportError
    ├── ConfigurationError              stop before the first request; somebody must change something
    │   ├── CredentialsError              401, 403, a missing scope
    │   ├── StoreNotConfirmedError        a Shopify store this migration has not loaded into before
    │   ├── WriteBrakeError               more would be deleted or changed than the migration allows
    │   └── FileTooLargeError             a file beyond the limit for fetched ones
    ├── RecordError                     set this record aside, go on with the next
    │   ├── SourceRecordError             unreadable, or without an id
    │   ├── TransformError                the mapping failed, or its result breaks Shopify's schema
    │   ├── MissingReferenceError         it points at a record that has not landed: held
    │   ├── LoadRejectedError             Shopify's userErrors, with field path and code
    │   ├── UnknownOutcomeError           sent, and the answer was lost: verified before anything else
    │   └── UnclearError                  verified, and a person must say whether it was executed: held
    │       └── DriftError                  somebody changed in Shopify what was to be written: held
    ├── TransientError                  trying again later may work; `retry_after` seconds when known
    │   ├── UnreachableError              not sent: name not resolved, refused, TLS failed
    │   │   └── StoppedError                not sent: the run was asked to stop while it waited
    │   ├── ThrottledError                429 or THROTTLED that outlived the client's patience
    │   ├── RemoteFaultError              5xx or nonsense from a *read*, where repeating is harmless
    │   ├── RemoteTimeoutError            no answer in time from a read; an evaluation short of machine
    │   ├── OutOfSpaceError               disk or database full
    │   ├── StoreLostError                the record store's database went away
    │   └── LeaseHeldError                another run is writing the same type into the same store
    └── BrokenPromiseError              our own promise is broken: stop, keep everything, keep the traceback
        ├── SchemaTooNewError             the record store was written by a later version
        ├── ConservationError             the counts of a phase do not add up
        └── LeaseLostError                another run took this one's lease over

Here are names, classes and codes only. What Shopify's wording means is decided in
`shopify/client.py`, what a source's means in its own module; nothing is logged here.
"""

from enum import StrEnum


class ErrorClass(StrEnum):
    """What kind of failure an attempt met; decides whether the record is retried by itself."""

    CONNECTION = "ConnectionError"
    RATE_LIMIT = "RateLimitError"
    MODULE_TIMEOUT = "ModuleTimeoutError"
    OUT_OF_SPACE = "OutOfSpaceError"
    DATA = "DataError"
    INVALID_CONFIGURATION = "InvalidConfigurationError"
    INVALID_ACCESS_TOKEN = "InvalidAccessTokenError"  # noqa: S105 - a class of errors, not a secret
    MAX_FILE_SIZE = "MaxFileSizeExceededError"
    MAX_RESULTS = "MaxResultsExceededError"
    MISSING_REFERENCE = "MissingReferenceError"
    UNKNOWN_OUTCOME = "UnknownOutcomeError"
    UNEXPECTED = "UnexpectedError"

    @property
    def is_retried(self) -> bool:
        """Whether records that failed so are due again by themselves, by the retry schedule."""
        return self in _RETRIED


_RETRIED = frozenset({ErrorClass.CONNECTION, ErrorClass.RATE_LIMIT, ErrorClass.MODULE_TIMEOUT, ErrorClass.OUT_OF_SPACE})


class GraftportError(Exception):
    """What failed, a stable code, and what to do about it; never a secret, never a whole payload.

    `path` is a JSON path into the record (`input.variants[0].price`) or a place in a file
    (`products.csv:12`), where there is one.
    """

    error_class = ErrorClass.UNEXPECTED
    default_code = "UNEXPECTED"

    def __init__(self, message: str, *, code: str = "", hint: str = "", path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process boundaries (mapping workers); keyword arguments must survive.
        return (_rebuild, (type(self), self.__dict__ | {"message": self.message}))

    def __str__(self) -> str:
        """One paragraph: place, message, remedy."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f" {self.hint}" if self.hint else "")


def _rebuild(cls: type[GraftportError], state: dict[str, object]) -> GraftportError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class ConfigurationError(GraftportError):
    """The migration file, an option or a pin is wrong; nothing was sent."""

    error_class = ErrorClass.INVALID_CONFIGURATION
    default_code = "CONFIGURATION"


class CredentialsError(ConfigurationError):
    """A token is wrong or lacks a scope; the message names which."""

    error_class = ErrorClass.INVALID_ACCESS_TOKEN
    default_code = "CREDENTIALS"


class StoreNotConfirmedError(ConfigurationError):
    """Another Shopify store answers than before; everything would be created there anew."""

    default_code = "STORE_NOT_CONFIRMED"


class WriteBrakeError(ConfigurationError):
    """More records would be deleted or changed at once than the migration allows."""

    default_code = "WRITE_BRAKE"


class FileTooLargeError(ConfigurationError):
    """A file is larger than the migration allows to fetch."""

    error_class = ErrorClass.MAX_FILE_SIZE
    default_code = "FILE_TOO_LARGE"


class RecordError(GraftportError):
    """One record cannot pass; the others go on."""

    error_class = ErrorClass.DATA
    default_code = "DATA"


class SourceRecordError(RecordError):
    """A row or record of the source is unreadable, contradictory or without an id."""

    default_code = "SOURCE_RECORD"


class TransformError(RecordError):
    """The mapping failed on this record, or its result is not what Shopify's schema takes."""

    default_code = "TRANSFORM"


class MissingReferenceError(RecordError):
    """The record points at another one that has not landed on this store."""

    error_class = ErrorClass.MISSING_REFERENCE
    default_code = "MISSING_REFERENCE"


class LoadRejectedError(RecordError):
    """Shopify refused the record; `code` and `path` are Shopify's own."""

    default_code = "REJECTED"


class UnknownOutcomeError(RecordError):
    """A call was sent and its answer never came: the object may or may not exist now."""

    error_class = ErrorClass.UNKNOWN_OUTCOME
    default_code = "UNKNOWN_OUTCOME"


class UnclearError(RecordError):
    """An earlier call may or may not have been executed, and what Shopify shows does not decide it."""

    error_class = ErrorClass.UNKNOWN_OUTCOME
    default_code = "UNCLEAR_STEP"
    # What the record is held for, in a phrase that groups.
    held_for = "a person must decide"


class DriftError(UnclearError):
    """What was to be written is not any more in Shopify as it was written last: somebody changed it there."""

    error_class = ErrorClass.DATA
    default_code = "DRIFT"
    held_for = "drift"


class TransientError(GraftportError):
    """Trying again later may work. `retry_after`: seconds until then, 0 where nobody said."""

    error_class = ErrorClass.CONNECTION
    default_code = "TRANSIENT"

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", path: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(message, code=code, hint=hint, path=path)
        self.retry_after = retry_after


class UnreachableError(TransientError):
    """Provably not sent: the name did not resolve, the connection was refused, TLS failed."""

    default_code = "UNREACHABLE"


class StoppedError(UnreachableError):
    """Not sent: the run was asked to stop while it waited. `waiting_for`: the error that made it wait, if one did."""

    default_code = "STOPPED"

    def __init__(self, waiting_for: TransientError | None = None) -> None:
        super().__init__(
            "Not sent: the run was asked to stop." + (f" {waiting_for.message}" if waiting_for else ""),
            hint="The next run takes it up.",
        )


class ThrottledError(TransientError):
    """Refused for asking too much; not executed."""

    error_class = ErrorClass.RATE_LIMIT
    default_code = "THROTTLED"


class RemoteFaultError(TransientError):
    """The other side failed or answered nonsense to a question that is harmless to repeat."""

    default_code = "REMOTE_FAULT"


class RemoteTimeoutError(TransientError):
    """No answer in time to a question that is harmless to repeat, or an evaluation ran out of machine."""

    error_class = ErrorClass.MODULE_TIMEOUT
    default_code = "TIMEOUT"


class OutOfSpaceError(TransientError):
    """The disk or the database is full."""

    error_class = ErrorClass.OUT_OF_SPACE
    default_code = "OUT_OF_SPACE"


class StoreLostError(TransientError):
    """The record store's database went away. `is_undone`: for certain it kept nothing of the transaction in hand."""

    default_code = "STORE_LOST"
    is_undone = False


class LeaseHeldError(TransientError):
    """Another run writes this resource type into this store; the message names it."""

    default_code = "LEASE_HELD"


class BrokenPromiseError(GraftportError):
    """Something that we promise does not hold. Everything is kept; a person must look."""

    default_code = "BROKEN_PROMISE"


class SchemaTooNewError(BrokenPromiseError):
    """The record store was written by a later version of Graftport."""

    default_code = "SCHEMA_TOO_NEW"


class ConservationError(BrokenPromiseError):
    """A phase ended with a record unaccounted for."""

    default_code = "CONSERVATION"


class LeaseLostError(BrokenPromiseError):
    """Another run took over while this one seemed dead; nothing more may be sent by this one."""

    default_code = "LEASE_LOST"
