"""What the register is told by its environment. There are no default secrets: without them it does not start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PEOPLE = Path(__file__).with_name("people.json")


class SettingsMissing(Exception):
    """Names the variables that the environment lacks."""


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    kafka_url: str
    gateway_url: str  # no slash at its end
    client_id: str
    client_secret: str
    tenant: str = "witten"
    service_id: str = "registration-certificate"
    topic: str = "rathaus.applications.v1"
    group: str = "population-register-witten"
    port: int = 8091
    people: Path = PEOPLE
    data_dir: Path = Path(".rathaus/population-register")


def from_environment(environ: Mapping[str, str]) -> Settings:
    names = ("KAFKA_URL", "GATEWAY_URL", "CLIENT_ID", "CLIENT_SECRET")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise SettingsMissing(", ".join(missing))
    tenant = environ.get("TENANT", "witten")
    return Settings(
        kafka_url=environ["KAFKA_URL"],
        gateway_url=environ["GATEWAY_URL"].rstrip("/"),
        client_id=environ["CLIENT_ID"],
        client_secret=environ["CLIENT_SECRET"],
        tenant=tenant,
        service_id=environ.get("SERVICE_ID", "registration-certificate"),
        group=environ.get("GROUP", f"population-register-{tenant}"),
        port=int(environ.get("PORT", "8091")),
        people=Path(environ.get("REGISTER_FILE") or PEOPLE),
        data_dir=Path(environ.get("DATA_DIR", ".rathaus/population-register")),
    )
