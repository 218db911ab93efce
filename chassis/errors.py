"""What can go wrong, as classes: with the ids they are about, and the HTTP status that they become (RFC 9457).

    Exception
    ├── Failure                         expected: not logged as an error
    │   ├── Refusal                     what HTTP answers: this request can't be carried out as it is
    │   │   ├── BadRequest              400
    │   │   ├── NotAuthenticated        401
    │   │   ├── Forbidden               403
    │   │   ├── NotFound                404
    │   │   ├── Conflict                409  the state forbids it
    │   │   ├── Gone                    410
    │   │   ├── PreconditionFailed      412
    │   │   ├── TooLarge                413
    │   │   ├── UnsupportedMediaType    415
    │   │   ├── Invalid                 422
    │   │   ├── IdempotencyKeyReused    422
    │   │   └── PreconditionRequired    428
    │   ├── WriteConflict               409  another writer was first: the store tries again, but not for ever
    │   ├── Overloaded                  503
    │   ├── Away                        503  tried again for as long as it lasts
    │   │   ├── EngineAway                   database, broker, files
    │   │   │   └── OutcomeUnknown           a write may have happened
    │   │   └── PeerAway                     another service, or somebody outside
    │   └── EventFailure                what parks an event
    │       ├── NotYet              503  waits parked, tried again by itself
    │       └── Rejected            422  parked for a person
    ├── DuplicateKey                    a document with this id exists: stores handle it
    └── ConfigurationError              must not start

Raised by a subscriber, `Away` is tried again for ever, `NotFound` waits parked as `NotYet` does, and any other
`Failure` is parked for a person, as `Rejected` is. Due work is put off for each of them, for `Away` never for long.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Failure(Exception):
    """Something expected. Becomes a problem document where a request meets it.

    `detail` is for people and must not hold personal data; `extra` are the problem's extension members.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request can't be carried out"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra = extra


# What HTTP answers


class Refusal(Failure):
    """The request can't be carried out as it is; the same one again fares no better."""


class BadRequest(Refusal):
    """The request itself is malformed."""


class NotAuthenticated(Refusal):
    """No valid token."""

    status = 401
    code = "not_authenticated"
    title = "A valid access token is needed"


class Forbidden(Refusal):
    """The token doesn't allow it."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(Refusal):
    """The state doesn't allow it."""

    status = 409
    code = "conflict"
    title = "In conflict with the present state"


class Gone(Refusal):
    """It was deleted."""

    status = 410
    code = "gone"
    title = "Deleted"


class PreconditionFailed(Refusal):
    """If-Match names another version than the present one (RFC 9110 § 13.1.1)."""

    status = 412
    code = "precondition_failed"
    title = "Changed in the meantime"


class TooLarge(Refusal):
    """The body is longer than allowed."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedMediaType(Refusal):
    """The body's type isn't one of those accepted."""

    status = 415
    code = "unsupported_media_type"
    title = "This type of content isn't accepted"


class Invalid(Refusal):
    """Well-formed, but wrong in its content. `errors` in the extension lists pointer and message of each finding."""

    status = 422
    code = "invalid"
    title = "The content isn't valid"


class IdempotencyKeyReused(Refusal):
    """The same Idempotency-Key came with another body."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another request"


class PreconditionRequired(Refusal):
    """If-Match is missing where two may edit (RFC 6585)."""

    status = 428
    code = "precondition_required"
    title = "If-Match is needed"


# What passes by itself


class WriteConflict(Failure):
    """Another writer changed the aggregate between load and save, again and again: read again, and repeat."""

    status = 409
    code = "conflict"
    title = "In conflict with the present state"


class Overloaded(Failure):
    """More requests at a time than the service can carry: nothing of this one was done."""

    status = 503
    code = "overloaded"
    title = "Too busy at present"


class Away(Failure):
    """Something that is needed can't be reached at present: try again. Nothing was decided about the request."""

    status = 503
    code = "engine_away"
    title = "Temporarily unavailable"


class EngineAway(Away):
    """Database, broker or files can't be reached at present."""


class OutcomeUnknown(EngineAway):
    """A write may or may not have happened. Repeating it with the same key is safe."""

    code = "outcome_unknown"


class PeerAway(Away):
    """Another service or somebody outside (a payment provider, a mail server) can't be reached at present."""


# What parks an event


class EventFailure(Failure):
    """An event can't be applied: it is parked, and later events of its subject with it."""


class NotYet(EventFailure):
    """What an event or a request refers to hasn't arrived: it will be tried again by itself."""

    status = 503
    code = "not_yet"
    title = "Not ready yet"


class Rejected(EventFailure):
    """An event can't be applied, now or ever: it is parked for a person to look at."""

    status = 422
    code = "rejected"
    title = "Can't be applied"


# Not failures


class DuplicateKey(Exception):
    """A document with this id exists already."""


class ConfigurationError(Exception):
    """The installation is set up in a way that must not run; the message says what to do."""
