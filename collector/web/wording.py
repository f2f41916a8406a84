"""Headings: sentences that say what the figures below them say."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from collector.report.sheet import Figure, Judgement, Sheet, judge
from collector.web.language import Language
from core.carbon.rounding import Rounding
from core.delivery.count import Count


def month_title(sheet: Sheet, language: Language) -> str:
    """Say how the month stands against its target."""
    t = language.gettext
    month = language.month_alone(sheet.month)
    verdict = judge(sheet)
    if verdict.judgement is Judgement.NOT_SUMMED:
        return t(
            "%(month)s is not summed: %(missing)s",
            month=month,
            missing=missing_text(sheet, sheet.total, language),
        )
    assert verdict.actual is not None  # summed
    if verdict.judgement is Judgement.NO_TARGET:
        return t(
            "%(month)s made %(tonnes)s t of CO₂; no target is set",
            month=month,
            tonnes=language.number(verdict.actual),
        )
    assert verdict.delta is not None  # a target was judged
    tonnes = language.number(abs(verdict.delta))
    if verdict.judgement is Judgement.UNDER:
        return t("%(month)s is %(tonnes)s t under target", month=month, tonnes=tonnes)
    if verdict.judgement is Judgement.OVER:
        return t("%(month)s is %(tonnes)s t over target", month=month, tonnes=tonnes)
    return t("%(month)s is on target, to the tonne", month=month)


def target_title(sheet: Sheet, language: Language) -> str:
    """Set the month's CO2 beside its target."""
    t = language.gettext
    verdict = judge(sheet)
    if verdict.target is None:
        return t("No target is set for this month")
    target = language.number(verdict.target)
    if verdict.actual is None or verdict.percent is None:
        return t("The target of %(target)s t cannot be judged yet", target=target)
    actual = language.number(verdict.actual)
    percent = language.number(abs(verdict.percent), 1)
    if verdict.judgement is Judgement.UNDER:
        return t(
            "%(actual)s t against a target of %(target)s t: %(percent)s %% less",
            actual=actual,
            target=target,
            percent=percent,
        )
    if verdict.judgement is Judgement.OVER:
        return t(
            "%(actual)s t against a target of %(target)s t: %(percent)s %% more",
            actual=actual,
            target=target,
            percent=percent,
        )
    return t("%(actual)s t, as much as the target of %(target)s t", actual=actual, target=target)


def sureness_title(completeness: Figure, language: Language) -> str:
    """Say how much the registers leave unproven."""
    t = language.gettext
    unproven_wh, unproven_t = completeness.exact("unproven_wh"), completeness.exact("unproven_t")
    if unproven_wh is None:
        return t("What the registers leave unproven has no bound yet")
    if not unproven_wh:
        return t("The registers prove every kilowatt-hour")
    kwh = language.number(unproven_wh / 1000, rounding=Rounding.UP)
    if unproven_t is None:
        return t("The registers leave at most %(kwh)s kWh unproven", kwh=kwh)
    tonnes = language.number(unproven_t, 2, Rounding.UP)
    return t("The registers leave at most %(kwh)s kWh (%(tonnes)s t) unproven", kwh=kwh, tonnes=tonnes)


def meter_name(sheet: Sheet, energy: Figure, language: Language) -> str:
    """Name a meter, after its site where there are several."""
    name = language.name(energy.label)
    if len(sheet.document["sites"]) == 1:
        return name
    return f"{language.name(sheet.document['sites'][energy.facts['site']])} {name}"


def balance_title(sheet: Sheet, balance: Figure, language: Language) -> str:
    """Say whether the sub-meters account for what their parent measured."""
    t = language.gettext
    parent = meter_name(sheet, sheet.energy(balance.facts["parent"]), language)
    percent, limit = balance.exact("percent"), balance.exact("limit_percent")
    if percent is None:
        return t("%(parent)s cannot be checked: a meter of the network is missing", parent=parent)
    difference = language.number(percent, 2)
    if balance.facts["balance_kind"] == "rectifier":
        return t("%(parent)s less DC: the rectifier takes %(percent)s %%", parent=parent, percent=difference)
    if limit is None:
        return t("%(parent)s and its sub-meters differ by %(percent)s %%", parent=parent, percent=difference)
    within = language.number(limit, 2)
    if balance.facts["ok"]:
        return t(
            "%(parent)s and its sub-meters agree: %(percent)s %%, limit %(limit)s %%",
            parent=parent,
            percent=difference,
            limit=within,
        )
    return t(
        "%(parent)s and its sub-meters differ by %(percent)s %%, limit %(limit)s %%",
        parent=parent,
        percent=difference,
        limit=within,
    )


def intensity_title(sheet: Sheet, language: Language) -> str:
    """Say which metal carries the most CO2 per tonne."""
    t = language.gettext
    known = [(figure.value, figure) for figure in sheet.table("intensities") if figure.value is not None]
    if not known:
        return t("No intensity: production or energy is missing")
    value, most = max(known, key=lambda pair: (pair[0], pair[1].id))
    return t(
        "A tonne of %(metal)s takes %(tonnes)s t of CO₂",
        metal=language.name(sheet.figure(most.facts["production"]).label),
        tonnes=language.number(value, 3),
    )


def sources_title(sheet: Sheet, language: Language) -> str:
    """Say what the month is mostly made of."""
    t = language.gettext
    month = language.month_alone(sheet.month)
    total = sheet.total.value
    scopes = [
        (scope.value, scope)
        for scope in sheet.table("scopes")
        if scope.kind == "scope" and scope.value is not None
    ]
    if not total or not scopes:
        return t("What %(month)s is made of, as far as it is known", month=month)
    value, largest = max(scopes, key=lambda pair: (pair[0], pair[1].id))
    percent = language.number(Fraction(value * 100, total))
    if largest.id == "co2.scope2":
        return t("Purchased electricity makes %(percent)s %% of %(month)s", percent=percent, month=month)
    return t("Fuel makes %(percent)s %% of %(month)s", percent=percent, month=month)


def count_title(counts: Sequence[Count], language: Language) -> str:
    """Say whether every reading that was taken is accounted for."""
    t = language.gettext
    taken = sum(count.taken for count in counts)
    lost = sum(sum(count.lost.values()) for count in counts)
    stored = sum(count.stored for count in counts)
    if not all(count.adds_up for count in counts):
        return t("The count does not add up: look at the table")
    if stored == taken:
        return language.ngettext(
            "The one reading taken is stored", "All %(n)s readings taken are stored", taken
        )
    parts = language.number(Fraction(stored))
    if lost and stored + lost == taken:
        return t(
            "%(stored)s of %(taken)s readings are stored, %(lost)s lost with a reason",
            stored=parts,
            taken=language.number(Fraction(taken)),
            lost=language.number(Fraction(lost)),
        )
    return t(
        "%(stored)s of %(taken)s readings are stored so far",
        stored=parts,
        taken=language.number(Fraction(taken)),
    )


def figure_title(sheet: Sheet, figure: Figure, language: Language) -> str:
    """Say what a figure is and what it rests on."""
    t = language.gettext
    name = language.name(figure.label)
    if figure.value is None:
        return t(
            "%(name)s is not known: %(missing)s", name=name, missing=missing_text(sheet, figure, language)
        )
    amount = f"{language.plain(figure.printed or '')} {figure.unit}"
    if figure.kind in ("total", "scope", "emission"):
        registers, slips, factors = _evidence(sheet, figure)
        rests = [
            language.ngettext("%(n)s boundary reading", "%(n)s boundary readings", registers)
            if registers
            else "",
            language.ngettext("%(n)s slip", "%(n)s slips", slips) if slips else "",
            language.ngettext("%(n)s factor", "%(n)s factors", factors) if factors else "",
        ]
        evidence = t(", ").join(text for text in rests if text)
        return t("%(name)s, %(amount)s, rests on %(evidence)s", name=name, amount=amount, evidence=evidence)
    if figure.kind == "intensity":
        production = sheet.figure(figure.facts["production"])
        return t(
            "%(tonnes)s t of CO₂ over %(production)s t of %(metal)s make %(amount)s",
            tonnes=language.number(Fraction(figure.facts["co2_t"])),
            production=language.plain(production.printed or ""),
            metal=language.name(production.label),
            amount=amount,
        )
    if figure.kind == "balance":
        return balance_title(sheet, figure, language)
    if figure.kind == "completeness":
        return sureness_title(figure, language)
    if figure.kind == "target":
        return target_title(sheet, language)
    return t("%(name)s: %(amount)s", name=name, amount=amount)


def days_caption(energy: Figure, values: Sequence[Fraction | None], language: Language) -> str:
    """Say what the days of a month show, and whether they add up to it."""
    t = language.gettext
    known = [(value, day) for day, value in enumerate(values, start=1) if value is not None]
    if not known:
        return t("No day is known yet")
    least, least_day = min(known)
    sentence = t(
        "Per day [kWh]: most %(most)s, least %(least)s (day %(day)s)",
        most=language.number(max(known)[0]),
        least=language.number(least),
        day=str(least_day),
    )
    if len(known) < len(values):
        gap = language.ngettext("%(n)s day is missing", "%(n)s days are missing", len(values) - len(known))
    elif sum(value for value, _ in known) == energy.value:
        gap = t("the %(days)s days add up to the month, off by 0 Wh", days=str(len(values)))
    else:
        gap = t("the days do not add up to the month")
    return t("%(first)s; %(second)s", first=sentence, second=gap)


def others_title(others: Sequence[Figure], opened: bool, language: Language) -> str:
    """Say how many figures a page leaves closed, or what its one figure rests on."""
    if not opened:
        return language.ngettext("It rests on %(n)s figure", "It rests on %(n)s figures", len(others))
    return language.ngettext("%(n)s other branch", "%(n)s other branches", len(others))


def unproven_title(energies: Sequence[Figure], language: Language) -> str:
    """Say how much the registers under a figure leave unproven."""
    bounds = [energy.exact("unproven_wh") for energy in energies]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return language.gettext("What the registers leave unproven has no bound yet")
    if not any(known):
        return language.gettext("The registers prove every kilowatt-hour")
    kwh = language.number(sum(known, Fraction(0)) / 1000, rounding=Rounding.UP)
    return language.gettext("The registers leave at most %(kwh)s kWh unproven", kwh=kwh)


def missing_text(sheet: Sheet, figure: Figure, language: Language) -> str:
    """Name what a figure lacks.

    A statement gives its reasons in English. In another language what is missing is named by its label, and
    a reason that no figure stands for is quoted.
    """
    if language.code == "en":
        return str(figure.facts["not_summed"])
    named = [
        f"{language.name(each.label)} ({each.id.removeprefix('energy.')})" for each in sheet.missing(figure)
    ]
    return language.gettext(", ").join([*named, *sheet.unnamed_reasons(figure)])


def _evidence(sheet: Sheet, figure: Figure) -> tuple[int, int, int]:
    roots = sheet.roots(figure)
    registers = sum(len(root.facts["boundaries"]) for root in roots if root.kind == "energy")
    slips = sum(len(root.facts["lines"]) for root in roots if root.kind == "fuel")
    return registers, slips, sum(root.kind == "factor" for root in roots)
