"""Runs the register: `python -m examples.population_register`."""

import logging
import os
import sys

import uvicorn

from .app import create_app
from .settings import SettingsMissing, from_environment


def main() -> None:
    try:
        settings = from_environment(os.environ)
    except SettingsMissing as missing:
        sys.exit(f"The population register needs these environment variables: {missing}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("aiokafka", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=settings.port,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=5,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
