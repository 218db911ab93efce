"""The payer's browser at the payment provider: fetches the page and posts its form, as a person's would."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


class NoForm(Exception):
    """The page has no form that can be posted."""


class _Form(HTMLParser):
    """The first form: where it goes, its hidden fields, its buttons by value."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.buttons: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser at each tag."""
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "form" if self.action is None:
                self.action = given.get("action", "")
            case "input" if given.get("type") == "hidden":
                self.fields[given["name"]] = given.get("value", "")
            case "button":
                self.buttons[given.get("value", "")] = given.get("name", "")


async def pay(url: str, choice: str = "pay") -> None:
    """Presses a button of the payment page. The way back to the town's site isn't followed: nobody is there.

    Raises:
        NoForm: the page is another one.
        httpx.HTTPError: the provider can't be reached, or refuses.
    """
    async with httpx.AsyncClient(timeout=10) as browser:  # keeps the page's cookie
        page = await browser.get(url)
        page.raise_for_status()
        form = _Form()
        form.feed(page.text)
        if form.action is None or choice not in form.buttons:
            raise NoForm(f"the payment page offers no button {choice!r}")
        answer = await browser.post(urljoin(url, form.action), data=form.fields | {form.buttons[choice]: choice})
        if answer.status_code != httpx.codes.SEE_OTHER:
            answer.raise_for_status()
