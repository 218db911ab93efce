"""Runs the provider: `python -m examples.payment_provider`."""

import os
import sys

import uvicorn

from .app import create_app
from .cut import CuttableProtocol
from .provider import Provider
from .settings import SettingsMissing, from_environment
from .store import Store


def main() -> None:
    try:
        settings = from_environment(os.environ)
    except SettingsMissing as missing:
        sys.exit(f"The payment provider needs these environment variables: {missing}")
    with Store(settings.data_dir / "payments.sqlite3") as store:
        uvicorn.run(
            create_app(Provider(settings, store)),
            host="127.0.0.1",
            port=settings.port,
            http=CuttableProtocol,
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=5,
            log_level="warning",
        )


if __name__ == "__main__":
    main()
