"""What can go wrong, as classes: with the ids they are about, and the HTTP status that they become (RFC 9457)."""

from __future__ import annotations

from typing import Any, ClassVar


class Failure(Exception):
    """An expected refusal. Not logged as an error; becomes a problem document.

    `detail` is for people and must not hold personal data; `extra` are the problem's extension members.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request can't be carried out"

    def __init__(self, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra = extra


class BadRequest(Failure):
    """The request itself is malformed."""


class NotAuthenticated(Failure):
    """No valid token."""

    status = 401
    code = "not_authenticated"
    title = "A valid access token is needed"


class Forbidden(Failure):
    """The token doesn't allow it."""

    status = 403
    code = "forbidden"
    title = "Not allowed"


class NotFound(Failure):
    """There is no such thing, or not for this caller."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(Failure):
    """Somebody else changed it at the same time, or its state doesn't allow this."""

    status = 409
    code = "conflict"
    title = "In conflict with the present state"


class Gone(Failure):
    """It was deleted."""

    status = 410
    code = "gone"
    title = "Deleted"


class PreconditionFailed(Failure):
    """If-Match names another version than the present one (RFC 9110 § 13.1.1)."""

    status = 412
    code = "precondition_failed"
    title = "Changed in the meantime"


class TooLarge(Failure):
    """The body is longer than allowed."""

    status = 413
    code = "too_large"
    title = "Too large"


class UnsupportedMediaType(Failure):
    """The body's type isn't one of those accepted."""

    status = 415
    code = "unsupported_media_type"
    title = "This type of content isn't accepted"


class Invalid(Failure):
    """Well-formed, but wrong in its content. `errors` in the extension lists pointer and message of each finding."""

    status = 422
    code = "invalid"
    title = "The content isn't valid"


class IdempotencyKeyReused(Failure):
    """The same Idempotency-Key came with another body."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another request"


class PreconditionRequired(Failure):
    """If-Match is missing where two may edit (RFC 6585)."""

    status = 428
    code = "precondition_required"
    title = "If-Match is needed"


class EngineAway(Failure):
    """Database or broker can't be reached at present: try again. Nothing was decided about the request."""

    status = 503
    code = "engine_away"
    title = "Temporarily unavailable"


class Overloaded(Failure):
    """More requests at a time than the service can carry: nothing of this one was done."""

    status = 503
    code = "overloaded"
    title = "Too busy at present"


class OutcomeUnknown(EngineAway):
    """A write may or may not have happened. Repeating it with the same key is safe."""

    code = "outcome_unknown"


class NotYet(Failure):
    """What an event or a request refers to hasn't arrived: it will be tried again by itself."""

    status = 503
    code = "not_yet"
    title = "Not ready yet"


class Rejected(Failure):
    """An event can't be applied, now or ever: it is parked for a person to look at."""

    status = 422
    code = "rejected"
    title = "Can't be applied"


class DuplicateKey(Exception):
    """A document with this id exists already."""


class ConfigurationError(Exception):
    """The installation is set up in a way that must not run; the message says what to do."""
