"""HTTP in: the applicant's side, the authority's side, and the immutable versions that events refer to."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Body, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from chassis.aggregates import Snapshot
from chassis.errors import NotFound
from chassis.http import Access, Caller, Paging, Router, page, respond
from contracts.applications import Outcome
from contracts.values import Timestamp, TrustLevel, Uuid
from kernel.timestamps import rfc3339
from services.applications import views
from services.applications.domain.commands import DecideApplication, RequestInformation
from services.applications.domain.state import Case, Status, Upload
from services.applications.handlers import Handlers
from services.applications.handlers.cases import origin_of
from services.applications.handlers.drafts import Confirmation

FILE_TYPES = ("application/pdf", "image/jpeg", "image/png")
CLERKS = ("clerk", "admin")
_ID = "0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d"

Town = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,38}$", description="the town's slug", examples=["witten"])]
CaseId = Annotated[Uuid, Path(examples=[_ID])]
AnyId = Annotated[Uuid, Path(examples=[_ID])]
DocumentId = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="of the service's documents", examples=["contract"])
]
Language = Annotated[Literal["de", "en"], Query(description="German or English", examples=["de"])]
Pages = Annotated[Paging, Depends()]

Person = Annotated[Caller, Depends(Access(persons=TrustLevel.NONE))]
PersonAsks = Annotated[Caller, Depends(Access(persons=TrustLevel.NONE, idempotency_key=False))]
PersonEdits = Annotated[Caller, Depends(Access(persons=TrustLevel.NONE, if_match=True))]
PersonUploads = Annotated[Caller, Depends(Access(persons=TrustLevel.NONE, media_types=FILE_TYPES))]
Clerk = Annotated[Caller, Depends(Access(staff=CLERKS))]
ClerkReads = Annotated[Caller, Depends(Access(staff=CLERKS, scopes=("cases:read",)))]
ClerkDecides = Annotated[Caller, Depends(Access(staff=CLERKS, scopes=("cases:decide",)))]
Reader = Annotated[Caller, Depends(Access(persons=TrustLevel.NONE, staff=CLERKS, scopes=("cases:read", "internal")))]


class RequestBody(BaseModel):
    """The body of a request; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NewApplication(RequestBody):
    """What somebody wants to apply for."""

    service_id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,62}$", examples=["registration-certificate"])
    channel: Literal["online"] = Field("online", description="persons apply online", examples=["online"])


class Submission(RequestBody):
    """What a person declares with the submission."""

    confirmed: bool = Field(description="reviewed (VwVfG § 3a (5), OZG § 9a): must be true", examples=[True])
    consents_to_mailbox: bool = Field(
        description="consent to announcement by retrieval from the mailbox (VwVfG § 41 (2a))", examples=[True]
    )
    reviewed_version: int | None = Field(
        None, ge=1, description="the service's version as reviewed, where it isn't the draft's any more", examples=[1]
    )


class InformationAnswer(RequestBody):
    """An answer to a question of the authority."""

    answer: str = Field(min_length=1, max_length=20_000, examples=["Ich bin am 1. März eingezogen."])


class NewDecision(RequestBody):
    """How the case is decided."""

    outcome: Outcome = Field(examples=["granted"])
    grounds: str = Field("", max_length=20_000, description="needed unless granted (VwVfG § 39)", examples=[""])
    result: dict[str, Annotated[str, Field(max_length=2_000)]] = Field(
        default_factory=dict,
        max_length=50,
        description="what the notice's placeholders `result.<key>` stand for",
        examples=[{"moved_in_on": "1. März 2019"}],
    )
    replaces: Uuid | None = Field(None, description="the standing decision, where there is one", examples=[None])


class NewRequest(RequestBody):
    """A question to the applicant."""

    question: str = Field(min_length=1, max_length=5_000, examples=["Bitte nennen Sie das Datum Ihres Einzugs."])
    due_on: date = Field(description="last day, Europe/Berlin", examples=["2026-03-20"])


class Reopening(RequestBody):
    """Why a closed case goes on."""

    reason: Literal["new_evidence", "remedy", "correction"] = Field(examples=["correction"])


def routers(handlers: Handlers) -> tuple[Router, ...]:
    """The routes of applications."""
    return _drafts(handlers), _attachments(handlers), _applications(handlers), _cases(handlers), _versions(handlers)


def _router(tag: str) -> Router:
    return Router("/applications/v1/{tenant}", tags=[tag])


# The applicant


def _drafts(handlers: Handlers) -> Router:
    router, drafts = _router("drafts"), handlers.drafts

    @router.post("/applications", status_code=201, response_model=views.CaseView, summary="Begin a draft")
    async def _create(caller: Person, tenant: Town, body: NewApplication) -> Response:
        return respond(await drafts.create(caller, tenant, body.service_id))

    @router.put(
        "/applications/{case_id}/data", response_model=views.CaseChange, summary="Save the form data: the body itself"
    )
    async def _save(
        caller: PersonEdits,
        tenant: Town,
        case_id: CaseId,
        data: Annotated[dict[str, Any], Body(examples=[{"bin_size": "120"}], description="the form data, in full")],
    ) -> Response:
        return respond(await drafts.save(caller, tenant, case_id, data))

    @router.delete("/applications/{case_id}", status_code=204, summary="Delete a draft")
    async def _discard(caller: Person, tenant: Town, case_id: CaseId) -> Response:
        return respond(await drafts.discard(caller, tenant, case_id))

    @router.post("/applications/{case_id}/validate", response_model=views.Findings, summary="What is still wrong")
    async def _validate(caller: PersonAsks, tenant: Town, case_id: CaseId) -> Response:
        return _json(views.findings(await drafts.check(caller, tenant, case_id)))

    @router.get("/applications/{case_id}/review", response_model=views.Review, summary="Review before submission")
    async def _review(caller: Person, tenant: Town, case_id: CaseId) -> Response:
        draft, content = await drafts.review(caller, tenant, case_id)
        return _json(views.review(draft.state, content, handlers.now()), draft)

    @router.post("/applications/{case_id}/submit", response_model=views.Submitted, summary="Submit")
    async def _submit(caller: Person, tenant: Town, case_id: CaseId, body: Submission) -> Response:
        confirmation = Confirmation(body.confirmed, body.consents_to_mailbox, body.reviewed_version)
        return respond(await drafts.submit(caller, tenant, case_id, confirmation))

    return router


def _attachments(handlers: Handlers) -> Router:
    router, drafts = _router("attachments"), handlers.drafts
    path = "/applications/{case_id}/attachments/{document}"
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in FILE_TYPES}

    @router.put(
        path,
        response_model=views.CaseChange,
        summary="Hand in a file: its bytes are the body",
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )
    async def _attach(
        request: Request, caller: PersonUploads, tenant: Town, case_id: CaseId, document: DocumentId
    ) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return respond(await drafts.attach(caller, tenant, case_id, document, media_type, request.stream()))

    @router.get(path, response_class=Response, responses={200: {"content": content}}, summary="A file handed in")
    async def _attachment(caller: Person, tenant: Town, case_id: CaseId, document: DocumentId) -> Response:
        case = (await handlers.cases.read(caller.principal, tenant, case_id)).state
        return await _file(handlers, case, lambda each: each.document == document)

    @router.delete(path, response_model=views.CaseChange, summary="Take a file out again")
    async def _detach(caller: Person, tenant: Town, case_id: CaseId, document: DocumentId) -> Response:
        return respond(await drafts.detach(caller, tenant, case_id, document))

    return router


def _applications(handlers: Handlers) -> Router:
    router, cases = _router("applications"), handlers.cases

    @router.get("/applications", response_model=views.Page, summary="One's own drafts and applications, newest first")
    async def _own(caller: Person, tenant: Town, paging: Pages) -> Response:
        found = await cases.own(caller.principal, tenant, paging)
        return _page(found, paging, lambda each: each.state.created_at)

    @router.get("/applications/{case_id}", response_model=views.CaseView, summary="One of one's own")
    async def _one(caller: Person, tenant: Town, case_id: CaseId) -> Response:
        found = await cases.read(caller.principal, tenant, case_id)
        return _json(views.case_view(found.state), found)

    @router.get("/applications/{case_id}/timeline", response_model=views.Timeline, summary="What happened")
    async def _timeline(caller: Reader, tenant: Town, case_id: CaseId, lang: Language = "de") -> Response:
        found = await cases.read(caller.principal, tenant, case_id)
        return _json(views.timeline(found.state, lang))

    @router.post(
        "/applications/{case_id}/withdraw", response_model=views.CaseChange, summary="Withdraw before a decision"
    )
    async def _withdraw(caller: Person, tenant: Town, case_id: CaseId) -> Response:
        return respond(await cases.withdraw(caller, tenant, case_id))

    @router.get(
        "/applications/{case_id}/requests",
        response_model=list[views.RequestView],
        summary="Questions of the authority",
    )
    async def _requests(caller: Person, tenant: Town, case_id: CaseId) -> Response:
        found = await cases.read(caller.principal, tenant, case_id)
        return JSONResponse([views.request(each).model_dump(mode="json") for each in found.state.requests])

    @router.post(
        "/applications/{case_id}/requests/{request_id}/answer",
        response_model=views.CaseChange,
        summary="Answer a question",
    )
    async def _answer(
        caller: Person, tenant: Town, case_id: CaseId, request_id: AnyId, body: InformationAnswer
    ) -> Response:
        return respond(await cases.supply_information(caller, tenant, case_id, request_id, body.answer))

    return router


# The authority


def _cases(handlers: Handlers) -> Router:
    router, cases = _router("cases"), handlers.cases

    @router.get("/cases", response_model=views.Page, summary="The town's cases, oldest submission first")
    async def _list(
        caller: ClerkReads,  # noqa: ARG001
        tenant: Town,
        paging: Pages,
        status: Annotated[
            Literal["awaiting_payment", "in_processing", "decided", "closed"] | None,
            Query(description="only these", examples=["in_processing"]),
        ] = None,
    ) -> Response:
        found = await cases.of_authority(tenant, Status(status) if status else None, paging)
        return _page(found, paging, lambda each: each.state.submitted_at or each.state.created_at)

    @router.get("/cases/{case_id}", response_model=views.CaseView, summary="A case")
    async def _one(caller: ClerkReads, tenant: Town, case_id: CaseId) -> Response:
        found = await cases.read(caller.principal, tenant, case_id)
        return _json(views.case_view(found.state), found)

    @router.post("/cases/{case_id}/decisions", status_code=201, response_model=views.Decided, summary="Decide")
    async def _decide(caller: ClerkDecides, tenant: Town, case_id: CaseId, body: NewDecision) -> Response:
        command = DecideApplication(
            origin=origin_of(caller.principal),
            outcome=body.outcome,
            decided_by=caller.principal.subject,
            grounds=body.grounds,
            result=body.result,
            replaces=body.replaces,
        )
        return respond(await cases.decide(caller, tenant, case_id, command))

    @router.post(
        "/cases/{case_id}/information-requests",
        status_code=201,
        response_model=views.Asked,
        summary="Ask the applicant for something",
    )
    async def _ask(caller: Clerk, tenant: Town, case_id: CaseId, body: NewRequest) -> Response:
        command = RequestInformation(caller.principal.subject, body.question, body.due_on)
        return respond(await cases.request_information(caller, tenant, case_id, command))

    @router.post("/cases/{case_id}/reopen", response_model=views.CaseChange, summary="Go on with a closed case")
    async def _reopen(caller: Clerk, tenant: Town, case_id: CaseId, body: Reopening) -> Response:
        return respond(await cases.reopen(caller, tenant, case_id, body.reason))

    return router


# What events refer to


def _versions(handlers: Handlers) -> Router:
    router, cases = _router("immutable versions"), handlers.cases

    @router.get(
        "/cases/{case_id}/submissions/{application_id}",
        response_model=views.SubmissionView,
        summary="What was submitted: the applicant's copy, and the `dataref` of `application_submitted`",
    )
    async def _submission(caller: Reader, tenant: Town, case_id: CaseId, application_id: AnyId) -> Response:
        return _json(views.submission(await cases.submission(caller.principal, tenant, case_id, application_id)))

    @router.get(
        "/cases/{case_id}/submissions/{application_id}/attachments/{attachment_id}",
        response_class=Response,
        summary="A file that was submitted",
    )
    async def _attachment(
        caller: Reader, tenant: Town, case_id: CaseId, application_id: AnyId, attachment_id: AnyId
    ) -> Response:
        case = await cases.submission(caller.principal, tenant, case_id, application_id)
        return await _file(handlers, case, lambda each: each.attachment_id == attachment_id)

    @router.get(
        "/cases/{case_id}/decisions/{decision_id}",
        response_model=views.DecisionContent,
        summary="Ready content for the notice: the `dataref` of `decision_made`, whose hash is of its canonical JSON",
    )
    async def _decision(caller: Reader, tenant: Town, case_id: CaseId, decision_id: AnyId) -> Response:
        found = await cases.decision(caller.principal, tenant, case_id, decision_id)
        return JSONResponse(json.loads(found.content))

    @router.get(
        "/cases/{case_id}/requests/{request_id}",
        response_model=views.RequestView,
        summary="A question to the applicant",
    )
    async def _request(caller: Reader, tenant: Town, case_id: CaseId, request_id: AnyId) -> Response:
        _, found = await cases.request(caller.principal, tenant, case_id, request_id)
        return _json(views.request(found))

    @router.get("/cases/{case_id}/requests/{request_id}/answer", response_model=views.AnswerView, summary="Its answer")
    async def _answer(caller: Reader, tenant: Town, case_id: CaseId, request_id: AnyId) -> Response:
        case, found = await cases.request(caller.principal, tenant, case_id, request_id)
        if found.answer is None:
            raise NotFound("it has not been answered", request_id=request_id)
        return _json(views.answer(case, found))

    return router


def _json(body: BaseModel, snapshot: Snapshot[Case] | None = None) -> Response:
    headers = {"Cache-Control": "no-store"}
    if snapshot is not None:
        headers["ETag"] = snapshot.etag
    return JSONResponse(body.model_dump(mode="json"), headers=headers)


def _page(found: Any, paging: Paging, at: Any) -> Response:
    def _position(each: Snapshot[Case]) -> tuple[str, str]:
        moment: Timestamp = at(each)
        return rfc3339(moment), each.id

    return JSONResponse(page(found, paging, lambda each: views.summary(each.state).model_dump(mode="json"), _position))


async def _file(handlers: Handlers, case: Case, wanted: Any) -> Response:
    upload: Upload
    upload, chunks = await handlers.cases.attachment(case, wanted)
    headers = {
        "Content-Length": str(upload.size),
        "Content-Disposition": f'attachment; filename="{upload.document}.{upload.media_type.partition("/")[2]}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "ETag": f'"{upload.sha256}"',
    }
    return StreamingResponse(chunks, media_type=upload.media_type, headers=headers)
