"""docs/stores.md shows what the contract suite of the reading stores comes to."""

from __future__ import annotations

from tests.contracts import stores_page


def test_the_page_has_the_outcome_that_the_suite_expects() -> None:
    (shown,) = stores_page.TABLE.findall(stores_page.PAGE.read_text(encoding="utf-8"))
    assert shown == stores_page.table(stores_page.expected()), "run: python tests/contracts/stores_page.py"
