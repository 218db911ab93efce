"""The demonstration's page: German first, English second, without script and without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.identity.demo import Demo
from services.identity.tokens import Token

_FOLDER = Path(__file__).with_name("templates")
_STYLE = (_FOLDER / "demo.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ENVIRONMENT = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Language": "de, en",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

LEVELS = {
    "none": ("ohne Vertrauensniveau", "no trust level"),
    "basic": ("Vertrauensniveau Basis", "trust level basic"),
    "substantial": ("Vertrauensniveau substanziell", "trust level substantial"),
    "high": ("Vertrauensniveau hoch", "trust level high"),
}
ROLES = {
    "clerk": ("Sachbearbeitung", "clerk"),
    "editor": ("Redaktion", "editor"),
    "reviewer": ("Freigabe", "reviewer"),
    "cashier": ("Kasse", "cashier"),
    "admin": ("Verwaltung der Zugänge", "administrator"),
}


def people(found: Demo, tenant: str | None) -> HTMLResponse:
    """Everybody whom one can sign in as: in one town, or in all sample towns."""
    towns = {name: found.town(name) for name in ([tenant] if tenant else found.towns)}
    return _rendered("people.html", towns=towns, demo=found, levels=LEVELS, roles=ROLES)


def signed_in(issuer: str, tenant: str, who: str, token: Token, *, is_person: bool) -> HTMLResponse:
    """The token, and a line to try it with."""
    base = issuer.removesuffix("/identity")
    path = f"/identity/v1/{tenant}/accounts/me" if is_person else f"/applications/v1/{tenant}/cases"
    line = f"curl -H 'Authorization: Bearer {token.access_token}' {base}{path}"
    minutes = token.expires_in // 60
    return _rendered("token.html", who=who, tenant=tenant, token=token.access_token, line=line, minutes=minutes)


def _rendered(template: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(style=_STYLE, **values), headers=HEADERS)
