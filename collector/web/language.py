"""A page's language: its sentences, and how its reports write numbers and dates."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from importlib import resources

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from collector.report.numbers import grouped
from core.carbon.rounding import Rounding, printed

CODES = ("ja", "en")
_UNIT_SPACE = re.compile(r"(?<=\d) (?=%|kWh|t(?![a-z]))")


@dataclass(frozen=True, slots=True)
class Patterns:
    """How a language writes what catalogues do not: dates (CLDR patterns), the minus sign, ranges."""

    minus: str
    month: str
    day: str
    moment: str
    time: str


_PATTERNS = {
    "ja": Patterns("▲", "y年M月", "y年M月d日", "y年M月d日（E）H:mm", "H:mm:ss"),
    "en": Patterns("\u2212", "MMMM y", "d MMM y", "d MMM y, HH:mm", "HH:mm:ss"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """Sentences, numbers and dates of one language; English is the language of the sources."""

    code: str
    translations: NullTranslations
    patterns: Patterns

    @classmethod
    def load(cls, code: str) -> Language:
        """Read a language's catalogue; gettext's .po is the only copy, it is compiled in memory."""
        translations = NullTranslations()
        if code != "en":
            source = resources.files("collector.web") / "locales" / code / "LC_MESSAGES" / "messages.po"
            compiled = io.BytesIO()
            write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=code))
            compiled.seek(0)
            translations = Translations(compiled)
        return cls(code, translations, _PATTERNS[code])

    def gettext(self, message: str, **values: object) -> str:
        """Return a sentence in this language, its ``%(name)s`` filled."""
        text: str = self.translations.ugettext(message)
        return _bind(text % values) if values else text

    def ngettext(self, singular: str, plural: str, number: int, **values: object) -> str:
        """Return the sentence for `number` of something; ``%(n)s`` is the number with separators."""
        text: str = self.translations.ungettext(singular, plural, number)
        return _bind(text % {"n": grouped(str(number)), **values})

    def pgettext(self, context: str, message: str) -> str:
        """Return a word that needs its context to be translated."""
        text: str = self.translations.upgettext(context, message)
        return text

    def name(self, label: Mapping[str, str]) -> str:
        """Return the name that a label has in this language."""
        return label[self.code].replace("CO2", "CO₂")

    def sign(self, text: str) -> str:
        """Write a number's minus as this language's reports do."""
        return text.replace("-", self.patterns.minus)

    def plain(self, text: str) -> str:
        """Write plain digits as this language's reports do: separators, and its minus sign."""
        return self.sign(grouped(text))

    def whole(self, number: int) -> str:
        """Write a whole number."""
        return self.plain(str(number))

    def number(
        self, value: Fraction, digits: int = 0, rounding: Rounding = Rounding.HALF_UP, *, signed: bool = False
    ) -> str:
        """Write an exact figure, rounded once; a variance is `signed`, and ±0 where nothing is left."""
        text = printed(value, digits, rounding=rounding, signed=signed)
        if signed and text[0] not in "+-":
            return f"±{text}"
        return self.plain(text)

    def month(self, month: str) -> str:
        """Write ``2024-02`` with its year."""
        return format_date(_first_day(month), self.patterns.month, locale=self.code)

    def month_alone(self, month: str) -> str:
        """Write ``2024-02`` without its year, as a sentence about the month does."""
        return format_date(_first_day(month), "LLLL", locale=self.code)

    def month_short(self, month: str) -> str:
        """Write ``2024-02`` as short as a control allows."""
        return format_date(_first_day(month), "LLL", locale=self.code)

    def day(self, iso: str) -> str:
        """Write the day of an instant."""
        return format_date(datetime.fromisoformat(iso), self.patterns.day, locale=self.code)

    def moment(self, iso: str) -> str:
        """Write an instant, given with its offset, to the minute."""
        return format_datetime(datetime.fromisoformat(iso), self.patterns.moment, locale=self.code)

    def clock(self, iso: str) -> str:
        """Write the time of day of an instant, with milliseconds where it has any."""
        instant = datetime.fromisoformat(iso)
        text = format_datetime(instant, self.patterns.time, locale=self.code)
        milliseconds = instant.microsecond // 1000
        return f"{text}.{milliseconds:03d}" if milliseconds else text


def _bind(sentence: str) -> str:
    """Keep a number and its unit on one line."""
    return _UNIT_SPACE.sub("\N{NO-BREAK SPACE}", sentence)


def _first_day(month: str) -> date:
    return date(int(month[:4]), int(month[5:7]), 1)


def preferred(accept_language: str) -> str:
    """Choose a page's language from a browser's ``Accept-Language``; Japanese where it asks for neither."""
    weighted = []
    for order, part in enumerate(accept_language.lower().split(",")):
        tag, _, weight = part.strip().partition(";q=")
        code = tag.split("-")[0]
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if code in CODES and quality > 0:
            weighted.append((-quality, order, code))
    return min(weighted)[2] if weighted else CODES[0]
