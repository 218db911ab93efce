"""The services of the platform: the one list from which starting, routing, operating and testing them derive.

A new service is added at the end (CONTRIBUTING.md, "A new service").
"""

from __future__ import annotations

import json

from contracts import topics
from rathaus.spec import Deployment, Environment, GatewayRoutes, ServiceSpec

PROVIDER_CLIENT = "rathaus"
"""By which the installation is known to the payment provider."""


def _identity(here: Deployment) -> Environment:
    return Environment(
        defaults={"RATHAUS_KEY_SECRET": here.secrets["identity-keys"]},
        fixed={"RATHAUS_BOOTSTRAP_CLIENTS": json.dumps(here.clients)}
        | ({"RATHAUS_DEMO_SIGN_IN": "true"} if here.demo else {}),
    )


def _payments(here: Deployment) -> Environment:
    public = {"RATHAUS_PUBLIC_URL": here.gateway_url}
    provider = {
        "RATHAUS_PROVIDER_CLIENT_ID": PROVIDER_CLIENT,
        "RATHAUS_PROVIDER_CLIENT_SECRET": here.secrets["payment-provider"],
    }
    if here.demo:
        return Environment(public, provider | {"RATHAUS_PROVIDER_URL": here.urls["payment-provider"]})
    # Until a real provider is named, payments asks in vain, and says so.
    return Environment(public | provider)


def _notifications(here: Deployment) -> Environment:
    return Environment(defaults={"RATHAUS_PORTAL_URL": f"{here.gateway_url}/"})


SERVICES = (
    ServiceSpec(
        topics.IDENTITY,
        gateway=GatewayRoutes(sign_in=("/identity/(v1/token|demo|v1/[^/]+/demo-sign-in)",)),
        secrets=("identity-keys",),
        environment=_identity,
    ),
    ServiceSpec(topics.CATALOG),
    ServiceSpec(
        topics.APPLICATIONS,
        gateway=GatewayRoutes(uploads=("/applications/v1/[^/]+/applications/[^/]+/attachments/[^/]+",)),
    ),
    ServiceSpec(
        topics.PAYMENTS,
        secrets=("payment-provider",),
        environment=_payments,
        depends_on=("payment-provider",),
    ),
    ServiceSpec(topics.NOTIFICATIONS, environment=_notifications),
)

NAMES = tuple(service.name for service in SERVICES)
LISTED = ", ".join(NAMES)
"""For help and messages."""
