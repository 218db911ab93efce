"""The payment page for people: German first, English second; it works without scripts and with the keyboard alone."""

import hashlib
import hmac
import secrets
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Cookie, Form
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import handlers
from .provider import Desk, Provider
from .rules import Payment, Status, safe_redirect

WISHES: Final = {"pay": Status.PAYED, "cancel": Status.CANCELED, "fail": Status.FAILED}
COOKIE: Final = "payment_form"

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)

router = APIRouter(include_in_schema=False)


@router.get("/pay/{transaction_id}")
async def show(transaction_id: str, desk: Desk) -> Response:
    payment = await run_in_threadpool(handlers.show_payment, desk.store, transaction_id)
    if payment is None:
        return _message(HTTPStatus.NOT_FOUND, "unknown.html")
    if payment.status(desk.now()) is not Status.INITIAL:
        return _result(payment, desk)
    browser = secrets.token_urlsafe(32)
    page = _page(HTTPStatus.OK, "pay.html", payment=payment, form_token=_form_token(desk, browser, transaction_id))
    # The form's hidden token belongs to this cookie: another site can make a browser post here, but not read either.
    page.set_cookie(
        COOKIE,
        browser,
        path=f"/pay/{payment.transaction_id}",
        httponly=True,
        samesite="strict",
        secure=desk.settings.public_url.startswith("https://"),
    )
    return page


@router.post("/pay/{transaction_id}")
async def choose(
    transaction_id: str,
    desk: Desk,
    action: Annotated[str, Form()] = "",
    form_token: Annotated[str, Form()] = "",
    browser: Annotated[str, Cookie(alias=COOKIE)] = "",
) -> Response:
    wish = WISHES.get(action)
    expected = _form_token(desk, browser, transaction_id)
    if wish is None or not browser or not hmac.compare_digest(form_token.encode(), expected.encode()):
        return _message(HTTPStatus.FORBIDDEN, "expired.html")
    payment = await run_in_threadpool(handlers.choose, desk.store, transaction_id, wish, desk.now())
    if payment is None:
        return _message(HTTPStatus.NOT_FOUND, "unknown.html")
    back = safe_redirect(payment.bill.redirect_url)
    return _result(payment, desk) if back is None else RedirectResponse(back, HTTPStatus.SEE_OTHER)


def _form_token(desk: Provider, browser: str, transaction_id: str) -> str:
    return hmac.new(desk.store.form_key(), f"{browser} {transaction_id}".encode(), hashlib.sha256).hexdigest()


def _result(payment: Payment, desk: Provider) -> HTMLResponse:
    back = safe_redirect(payment.bill.redirect_url)
    return _page(HTTPStatus.OK, "result.html", payment=payment, outcome=payment.status(desk.now()).value, back=back)


def _message(status: HTTPStatus, template: str) -> HTMLResponse:
    return _page(status, template)


def _page(status: HTTPStatus, template: str, **values: object) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    headers = {
        # No form-action: browsers would apply it to the way back to the town's site too.
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_templates.get_template(template).render(nonce=nonce, money=_money, **values), status, headers)


def _money(payment: Payment) -> str:
    """Euros and cents the German way: 1.234,50 EUR."""
    euros, cents = divmod(payment.bill.cents, 100)
    return f"{euros:,}".replace(",", ".") + f",{cents:02} {payment.bill.currency}"
