from collector.web import words
from collector.web.language import Language
from core.carbon.factors import FactorStatus
from core.delivery.frames import Lane
from core.delivery.messages import LOST_REASONS
from core.metering.boundaries import Method
from core.metering.energy import Origin

JA = Language.load("ja")


def test_every_member_of_the_closed_lists_has_a_japanese_name() -> None:
    names = (
        *(words.origin_name(each, JA) for each in Origin),
        *(words.method_name({"method": each, "before": None}, JA) for each in Method),
        *(words.status_name(each, JA) for each in FactorStatus),
        *(words.activity_name(each, JA) for each in ("open", "submitted", "closed")),
        *(words.lane_name(each, JA) for each in Lane),
        *(words.reason_name(each, JA) for each in LOST_REASONS),
    )
    assert all(name and not name.isascii() for name in names)


def test_an_exact_boundary_is_told_apart_from_one_between_equal_readings() -> None:
    at = {"method": "exact", "time_ms": 5, "before": {"time_ms": 5}}
    assert words.method_name(at, JA) == "境界時刻の検針"
    assert words.method_name({**at, "before": {"time_ms": 4}}, JA) == "前後の検針値が同じ"
