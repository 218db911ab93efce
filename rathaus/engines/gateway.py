"""Envoy, the only public door: its configuration is rendered from `deploy/gateway/envoy.yaml.j2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from rathaus.engines.files import write_atomically
from rathaus.engines.probes import http_answers
from rathaus.engines.process import CannotStart, Program, beside_python

TEMPLATE = Path(__file__).parents[2] / "deploy" / "gateway" / "envoy.yaml.j2"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway before the services."""

    directory: Path
    """Where the rendered configuration is written."""
    port: int
    """The public one, on 127.0.0.1."""
    admin_port: int
    """Envoy's own, on 127.0.0.1: `/ready`, `/stats/prometheus`."""
    variables: Mapping[str, Any]
    """What the template is told besides `gateway_port` and `admin_port`: `services`, `ports.<service>`, `issuer` ..."""
    template: Path = TEMPLATE

    def program(self, depends_on: tuple[str, ...] = ()) -> Program:
        """How it is started.

        Raises:
            CannotStart: Envoy isn't installed, or there is no template.
        """
        config = self.directory.absolute() / "envoy.yaml"

        async def _probe() -> None:
            await http_answers(self.admin_port, "/ready")

        return Program(
            name="gateway",
            # Without --disable-hot-restart a second Envoy on the machine can't bind its domain socket.
            command=(
                beside_python("envoy", ""),
                *("-c", str(config), "-l", "warn", "--concurrency", "1", "--disable-hot-restart"),
            ),
            probe=_probe,
            directory=self.directory.absolute(),
            ports=(self.port, self.admin_port),
            prepare=lambda: write_atomically(config, self.render()),
            depends_on=depends_on,
        )

    def render(self) -> str:
        """The configuration, as YAML.

        Raises:
            CannotStart: there is no template, or it asks for a variable that it isn't given.
        """
        try:
            template = self.template.read_text()
        except FileNotFoundError:
            raise CannotStart(f"The gateway's template {self.template} is missing. Is the checkout whole?") from None
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701
        try:
            return environment.from_string(template).render(
                gateway_port=self.port, admin_port=self.admin_port, **self.variables
            )
        except jinja2.TemplateError as error:
            raise CannotStart(f"The gateway's template {self.template} can't be filled in: {error}") from error
