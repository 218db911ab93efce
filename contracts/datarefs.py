"""The paths that events name in `dataref`: one function for each, for the emitting service and for the examples.

Each is the path of an immutable version below the gateway's address. The route that answers it is in the service's
`api.py`; `tests/contract/test_datarefs.py` compares the two.
"""

from __future__ import annotations


def town_revision(tenant: str, number: int) -> str:
    """A town as it was registered: `town_registered`. Revisions count from 1."""
    return f"/catalog/v1/{tenant}/revisions/{number}"


def service_version(tenant: str, service_id: str, number: int) -> str:
    """A published version of a service as data: `service_published`. Versions count from 1."""
    return f"/catalog/v1/{tenant}/services/{service_id}/versions/{number}"


def submission(tenant: str, case_id: str, application_id: str) -> str:
    """What was submitted: `application_submitted`, `application_complete`."""
    return f"/applications/v1/{tenant}/cases/{case_id}/submissions/{application_id}"


def information_request(tenant: str, case_id: str, request_id: str) -> str:
    """What the applicant is asked for: `information_requested`."""
    return f"/applications/v1/{tenant}/cases/{case_id}/requests/{request_id}"


def information_answer(tenant: str, case_id: str, request_id: str) -> str:
    """What the applicant answered: `information_supplied`."""
    return f"{information_request(tenant, case_id, request_id)}/answer"


def decision(tenant: str, case_id: str, decision_id: str) -> str:
    """The content of a decision's notice: `decision_made`."""
    return f"/applications/v1/{tenant}/cases/{case_id}/decisions/{decision_id}"


def payment_request(tenant: str, demand_id: str) -> str:
    """A demand as it was made: `payment_requested`."""
    return f"/payments/v1/{tenant}/demands/{demand_id}/request"


def notice_document(tenant: str, notice_id: str) -> str:
    """A notice's document: `notice_issued`."""
    return f"/notifications/v1/{tenant}/notices/{notice_id}/document"
