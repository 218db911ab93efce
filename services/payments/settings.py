"""Settings of payments, besides those that all services have."""

from __future__ import annotations

from pydantic import Field, SecretStr

from chassis.settings import ServiceSettings

DEFAULT_ADAPTER = "xbezahldienste"


class Settings(ServiceSettings):
    """Environment variables `RATHAUS_<FIELD>`."""

    provider_adapters: dict[str, str] = Field(
        default_factory=lambda: {"*": DEFAULT_ADAPTER},
        description='the payment provider of each town, as JSON: {"witten": "xbezahldienste"}; `*`: all other towns',
    )
    provider_url: str = Field("http://127.0.0.1:8090", description="the payment provider's address (XBezahldienste)")
    provider_token_url: str = Field(
        "", description="where it gives tokens (OAuth 2 client credentials); empty: <provider_url>/oauth/token"
    )
    provider_originator_id: str = Field(
        "{tenant}", description="XBezahldienste originatorId; {tenant} is replaced by the town's slug"
    )
    provider_endpoint_id: str = Field("fees", description="XBezahldienste endPointId; {tenant} likewise")
    provider_client_id: str = Field("", description="this installation's client at the provider; needed to start")
    provider_client_secret: SecretStr = Field(SecretStr(""), description="its secret; needed to start")
    provider_timeout_seconds: float = Field(
        3, gt=0, le=8, description="longest wait for the provider, a token and a look-up included"
    )
    attempt_expiry_seconds: float = Field(
        86_400, ge=60, description="an attempt that nobody paid counts as expired after this; it is watched on, daily"
    )
    public_url: str = Field("http://127.0.0.1:8080", description="the gateway's address as browsers see it")
    return_url: str = Field(
        "",
        description="where payers come back to; {tenant} and {demand_id} are replaced; empty: a page of this service",
    )
    booking_data: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description='the towns\' booking data, as JSON: {"witten": {"object": "1234"}}; on ledger lines and bills',
    )

    def return_url_of(self, tenant: str, demand_id: str) -> str:
        """Where the payer of a demand comes back to."""
        template = (
            self.return_url or f"{self.public_url.rstrip('/')}/payments/v1/{{tenant}}/demands/{{demand_id}}/returned"
        )
        return template.replace("{tenant}", tenant).replace("{demand_id}", demand_id)
