"""What the provider is told by its environment. There are no default secrets: without them it does not start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsMissing(Exception):
    """Names the variables that the environment lacks."""


@dataclass(frozen=True, slots=True)
class Settings:
    client_id: str
    client_secret: str
    switch_token: str
    port: int = 8090
    data_dir: Path = Path(".rathaus/payment-provider")
    public_url: str = "http://127.0.0.1:8090"  # where people's browsers find the payment page; no slash at its end


def from_environment(environ: Mapping[str, str]) -> Settings:
    names = ("PROVIDER_CLIENT_ID", "PROVIDER_CLIENT_SECRET", "PROVIDER_SWITCH_TOKEN")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise SettingsMissing(", ".join(missing))
    port = int(environ.get("PORT", "8090"))
    return Settings(
        client_id=environ["PROVIDER_CLIENT_ID"],
        client_secret=environ["PROVIDER_CLIENT_SECRET"],
        switch_token=environ["PROVIDER_SWITCH_TOKEN"],
        port=port,
        data_dir=Path(environ.get("DATA_DIR", ".rathaus/payment-provider")),
        public_url=environ.get("PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/"),
    )
