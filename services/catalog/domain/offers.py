"""How a service is found: the folded words of what is in force now or later, and the search over them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.values import TrustLevel
from service_format.channels import ChannelKind
from service_format.service import ServiceAsData
from service_format.texts import Localized, TextModule
from services.catalog.domain.versions import ServiceVersion

MOST_WORDS = 8
_WORDS = re.compile(r"\w+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True)
class Card:
    """One version of a service, as the search shows it."""

    number: int
    valid_from: date
    valid_to: date | None
    retired_on: date | None
    names: Localized
    summary: dict[str, str]
    """The short description by language."""
    channels: tuple[ChannelKind, ...]
    trust_level: TrustLevel | None
    """Of the online channel."""
    links: tuple[str, ...]
    leika_keys: tuple[str, ...]
    sample: bool
    name_words: tuple[str, ...]
    words: tuple[str, ...]

    def in_force(self, day: date) -> bool:
        """As of the version."""
        return self.valid_from <= day and all(last is None or day <= last for last in (self.valid_to, self.retired_on))


@dataclass(frozen=True, slots=True)
class Offer:
    """Read model: what a town offers as one service, by version."""

    service_id: str
    cards: tuple[Card, ...]
    """Those in force now or later, the highest number last."""

    def on(self, day: date) -> Card | None:
        """The card of the version in force on a day."""
        return max((card for card in self.cards if card.in_force(day)), key=lambda card: card.number, default=None)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found."""

    service_id: str
    card: Card
    place: str
    """Sorts the hits: names first, then alphabetical."""


def plain(word: str) -> str:
    """Lower case, without accents and umlauts, `ß` as `ss`."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def words_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Each word folded, with umlauts both as the vowel alone and as `ae`, `oe`, `ue`; sorted, each once."""
    found = {word for text in texts for word in _WORDS.findall(unicodedata.normalize("NFC", text).casefold())}
    return tuple(sorted({form for word in found for form in (plain(word), plain(word.translate(_UMLAUTS)))}))


def offer_of(service_id: str, versions: Iterable[ServiceVersion]) -> Offer:
    """What can be found of a service, by those of its versions that last."""
    return Offer(service_id, tuple(card_of(version) for version in versions))


def card_of(version: ServiceVersion) -> Card:
    """The card of a version."""
    service = version.service
    summary = {
        language: text
        for language in ("de", "en")
        if (text := service.text(TextModule.SHORT_DESCRIPTION, language)) is not None
    }
    name_words = words_of((service.names.de, service.names.en))
    return Card(
        number=version.number,
        valid_from=version.valid_from,
        valid_to=version.valid_to,
        retired_on=version.retired_on,
        names=service.names,
        summary=summary,
        channels=tuple(channel.kind for channel in service.channels),
        trust_level=service.online.trust_level if service.online else None,
        links=tuple(channel.url for channel in service.channels if channel.url),
        leika_keys=service.leika_keys,
        sample=service.sample,
        name_words=name_words,
        words=tuple(sorted({*name_words, *_other_words(service, summary)})),
    )


def _other_words(service: ServiceAsData, summary: dict[str, str]) -> tuple[str, ...]:
    searched = (service.synonyms, service.keywords)
    given = (*summary.values(), *service.leika_keys, *(word for each in searched for word in (*each.de, *each.en)))
    return words_of(given)


def search(offers: Iterable[Offer], query: str, day: date) -> list[Hit]:
    """Services in force on a day in which every word of the query begins a word, or (from three letters on) is part
    of one; those found by their name first. An empty query finds all."""
    wanted = [plain(word) for word in _WORDS.findall(unicodedata.normalize("NFC", query))][:MOST_WORDS]
    cards = ((offer.service_id, offer.on(day)) for offer in offers)
    hits = [_hit(service_id, card, wanted) for service_id, card in cards if card and _found(wanted, card.words)]
    return sorted(hits, key=lambda hit: (hit.place, hit.service_id))


def _hit(service_id: str, card: Card, wanted: Sequence[str]) -> Hit:
    rank = 0 if _found(wanted, card.name_words) else 1
    return Hit(service_id, card, f"{rank} {plain(card.names.de)}")


def _found(wanted: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(part) or (len(part) >= 3 and part in word) for word in words) for part in wanted)
