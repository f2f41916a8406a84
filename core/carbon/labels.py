"""Names in both languages, and the fixed ones that a statement's figures carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Label:
    """A name in Japanese and English."""

    ja: str
    en: str

    def of(self, other: Label) -> Label:
        """Return "this of other": ``CO2 of coal``, ``石炭のCO2``."""
        return Label(f"{other.ja}の{self.ja}", f"{self.en} of {other.en}")

    def minus_children(self) -> Label:
        """Return the name of a meter's balance: ``intake - children``."""
        return Label(f"{self.ja}－下位計の合計", f"{self.en} - children")

    def json(self) -> dict[str, str]:
        """Return both languages as a JSON object."""
        return {"ja": self.ja, "en": self.en}


TOTAL: Final = Label("CO2排出量（スコープ1＋2）", "CO2, scope 1 and 2")
SCOPE_1: Final = Label("スコープ1（燃料）", "scope 1, fuel")
SCOPE_2: Final = Label("スコープ2（電力）", "scope 2, electricity")
CO2: Final = Label("CO2", "CO2")
REMAINDER: Final = Label("残り（算定境界－配分した計器）", "remainder")
INTENSITY: Final = Label("CO2原単位", "CO2 intensity")
TARGET: Final = Label("月目標", "target of the month")
COMPLETENESS: Final = Label("カバー率と未確認", "completeness")
ACTIVITY_OPEN: Final = Label("活動量が受付中", "the activity is open")
