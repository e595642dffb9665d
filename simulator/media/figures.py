"""What the media report, as it is known on a day: a function of the ad, the day and the day's age.

It is asked for on the morning after a company day, so the youngest day's age is 1. An age beyond
the medium's `refetch` counts as that: a day is final once its window was re-read for the last
time, however often it was read before.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any

import duckdb
import pyarrow as pa

from simulator import reference
from simulator.media import catalogue
from simulator.media.catalogue import MEDIA, Account, Medium
from simulator.world import add_macros, literal, run

_DAY = timedelta(days=1)
TYPES = ("lead", "signup", "purchase")
WAYS = ("click", "view")
WINDOWS = {"1d": 0.6, "7d": 0.85, "28d": 1.0}  # the share of conversions within the window
CONVERSIONS = tuple(
    f"{type_}_{way}_{window}" for type_ in TYPES for way in WAYS for window in WINDOWS
)
VALUES = tuple(f"purchase_value_{way}_{window}" for way in WAYS for window in WINDOWS)
_SUMS = (
    "impressions",
    "clicks",
    "spend",
    *CONVERSIONS,
    *VALUES,
    "install_click",
    "lead_by_conversion_date",
)
_COUNTS = {"impressions", "clicks", "install_click", "lead_by_conversion_date", *CONVERSIONS}
_CREDITS_HALVES = {"google_ads"}  # a conversion is credited to several clicks
_REACH = {"account": 0.5, "campaign": 0.6, "ad_group": 0.65, "ad": 0.7}
_CAMPAIGN = ("account_id", "campaign_id", "campaign_name", "channel", "status")
_GROUP = (*_CAMPAIGN, "ad_group_id", "ad_group_name")
_AD = (*_GROUP, "ad_id", "ad_name", "landing_url")
_KEYWORD = (*_AD, "keyword_id", "keyword", "match_type")
LEVELS = {
    "account": ("account_id",),
    "campaign": _CAMPAIGN,
    "ad_group": _GROUP,
    "ad": _AD,
    "keyword": _KEYWORD,
}
# A purchase is worth this much; a won, a yen or a cent is the smallest sum of its currency.
_PURCHASE = {"KRW": 21_000, "USD": "15.50", "JPY": 2_100}
_ABOUT_KRW = {"KRW": 1, "USD": 1_380, "JPY": 9.3}


class Strict:
    """What a server remembers in strict mode: what was asked once already."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def is_first(self, kind: str, key: str) -> bool:
        """Whether this is asked for the first time."""
        first = (kind, key) not in self.seen
        self.seen.add((kind, key))
        return first


class Figures:
    """The figures of a company as known on the mornings `known`, kept in memory by medium.

    With `window`, only the days that each medium re-reads are kept.
    """

    def __init__(
        self, seed: int, scale: float, start: date, known: Iterable[date], window: bool = False
    ) -> None:
        """Make nothing yet: a medium's figures are made when they are asked for."""
        self.seed, self.start, self.window = seed, start, window
        self.known = sorted(known)
        self.scale = max(scale, 0.25)  # a smaller budget would buy no conversions
        self.lock = RLock()
        self.con = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
        add_macros(self.con, seed)
        self._made: set[str] = set()
        self._told: dict[tuple[str, str, str], dict[date, list[dict[str, Any]]]] = {}

    def table(self, medium: str) -> str:
        """The table of a medium's ads on their days (or hours) as known on each day."""
        with self.lock:
            if medium not in self._made:
                self._make(MEDIA[medium])
                self._made.add(medium)
        return f"of_{medium}"

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries."""
        with self.lock:
            result = self.con.execute(query)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def report(
        self, medium: str, level: str, slot: str, scope: str
    ) -> list[tuple[date, dict[str, Any]]]:
        """What is known of a level's entities, each row with the morning on which it is."""
        keys = LEVELS[level]
        reach = _REACH.get(level, _REACH["ad"])
        # A medium with totals knows more of its campaigns and accounts than its ads show.
        scope += {"account": "", "campaign": " and campaign_id is not null"}.get(
            level, " and is_shown"
        )
        if level == "keyword":
            scope += " and keyword_id is not null"
        # An ad or keyword is a row of its own: adding up is for what stands above.
        add = "" if level in ("ad", "keyword") else "sum"
        is_whole = medium not in _CREDITS_HALVES
        sums = ", ".join(
            f"{add}({name})::{'bigint' if is_whole and name in _COUNTS else 'decimal(18, 2)'} "
            f"as {name}"
            for name in _SUMS
        )
        group = f"known_on, {', '.join(keys)}, {slot}, currency"
        rows = self.rows(
            f"""
            select {group}, {sums},
                floor({add}(impressions) * {reach})::bigint as reach,
                round({add}(rank * impressions) / {add}(impressions), 1)::decimal(4, 1) as rank
            from {self.table(medium)}
            where {scope}
            {f"group by {group}" if add else ""}
            order by known_on, {slot}, {", ".join(keys)}
            """
        )
        return [(row.pop("known_on"), row if is_whole else _typed(row)) for row in rows]

    def by_morning(self, medium: str, level: str, slot: str) -> dict[date, list[dict[str, Any]]]:
        """The rows of a report by the morning on which they are known, asked for once for all."""
        with self.lock:
            asked = (medium, level, slot)
            if asked not in self._told:
                self._told[asked] = {}
                for morning, row in self.report(*asked, "true"):
                    self._told[asked].setdefault(morning, []).append(row)
            return self._told[asked]

    def empty_day(self, medium: Medium) -> date:
        """The day on which a medium delivered nothing at all."""
        return self.start + timedelta(days=4 + medium.number % 11)

    def _slots(self, medium: Medium) -> pa.Table:
        """The days of the medium's reports with their age on each known day, or their hours."""
        slots: dict[str, list] = {
            name: []
            for name in ("known_on", "report_day", "utc_hour", "stat_date", "age", "weight")
        }
        for known_on in self.known:
            first = self.start
            if self.window:
                first = max(first, known_on - medium.refetch * _DAY)
            for n in range((known_on - first).days):
                day = first + n * _DAY
                if day == self.empty_day(medium):
                    continue
                age = min((known_on - day).days, medium.refetch)
                end = datetime.combine(known_on, datetime.min.time()) - timedelta(hours=9)
                for hour, share in _hours(medium):
                    at = datetime.combine(day, datetime.min.time()) + timedelta(hours=hour)
                    if medium.day_basis == "utc_shifted" and at >= end:
                        continue  # it is today in Korea
                    slots["known_on"].append(known_on)
                    slots["report_day"].append(day)
                    slots["utc_hour"].append(at)
                    slots["stat_date"].append(
                        (at + timedelta(hours=9)).date() if share < 1 else day
                    )
                    slots["age"].append(age)
                    slots["weight"].append(_weight(day) * share)
        types = [pa.date32(), pa.date32(), pa.timestamp("us"), pa.date32(), pa.int64(),
                 pa.float64()]  # fmt: skip
        return pa.table(
            [pa.array(values, kind) for values, kind in zip(slots.values(), types, strict=True)],
            names=list(slots),
        )

    def _units(self, medium: Medium) -> pa.Table:
        """The ads, and what campaigns and accounts report beyond them (ad 0)."""
        units, currencies = [], {a.account_id: a.currency for a in catalogue.accounts(medium.key)}
        spend = medium.daily_spend * self.scale
        # Campaign Manager counts what Display & Video 360 buys.
        number = MEDIA["dv360"].number if medium.key == "cm360" else medium.number
        ads = catalogue.ads(medium.key)
        if medium.primary == "installs":
            units = _measured(medium, self.scale)
        for campaign in catalogue.campaigns(medium.key):
            own = [ad for ad in ads if ad["campaign_id"] == campaign["campaign_id"]]
            for ad in own:
                units.append(ad | {"kind": "ad", "daily_spend": spend / len(own)})
            if medium.has_totals and (not own or campaign["campaign_no"] % 3 == 1):
                share = 0.15 if own else 1
                units.append(campaign | {"kind": "campaign", "daily_spend": spend * share})
        if "account_totals" in medium.parts:
            for account in catalogue.accounts(medium.key):
                units.append(
                    {"account_id": account.account_id, "kind": "account"}
                    | {"daily_spend": spend * 0.05}
                )
        for unit in units:
            unit["currency"] = currencies.get(unit["account_id"], medium.currency)
            if "unit_key" in unit:
                continue
            unit["unit_key"] = (number * 1000 + unit.get("campaign_no", 0)) * 1000 + unit.get(
                "ad_no", 0
            )
        texts = [*_KEYWORD, "kind", "currency", "media_source"]
        arrays = {name: pa.array([u.get(name) for u in units], pa.string()) for name in texts}
        arrays["is_renamed"] = pa.array([u.get("is_renamed", False) for u in units])
        arrays["daily_spend"] = pa.array([float(u["daily_spend"]) for u in units])
        arrays["unit_key"] = pa.array([u["unit_key"] for u in units], pa.int64())
        return pa.table(arrays)

    def _make(self, medium: Medium) -> None:
        self.con.register("slot", self._slots(medium))
        self.con.register("unit", self._units(medium))
        step = 11 if medium.vat == "incl" else 10
        # Google credits a conversion to several clicks.
        least = 1 if medium.day_basis == "utc_shifted" else 20
        salt = medium.number if medium.primary == "installs" else 0
        credit = "* 0.5" if medium.key == "google_ads" else ""
        renamed = f"is_renamed and known_on >= {literal(self.start)} + {catalogue.RENAMED_AFTER}"
        counts = ", ".join(
            f"(floor(expected * {ratio} * {share} + rnd('{type_}{way}', key))::int {credit})"
            f"::decimal(18, 1) as {type_}_{way}_{window}"
            for type_, type_ratio in (("lead", 1.0), ("signup", 0.5), ("purchase", 0.4))
            for way, ratio in (("click", type_ratio), ("view", type_ratio * 0.3))
            for window, share in WINDOWS.items()
        )
        worth = " ".join(f"when '{c}' then {amount}" for c, amount in _PURCHASE.items())
        values = ", ".join(
            f"(purchase_{way}_{window} * worth)::decimal(18, 2) as purchase_value_{way}_{window}"
            for way in WAYS
            for window in WINDOWS
        )
        about = " ".join(f"when '{c}' then {krw}" for c, krw in _ABOUT_KRW.items())
        run(
            self.con,
            f"""
            create table of_{medium.key} as
            with happened as (
                select s.*, u.* exclude (campaign_name),
                    case when {renamed} then campaign_name || '_renewed' else campaign_name end
                        as campaign_name,
                    hash(hash(u.unit_key), epoch_us(s.utc_hour), {salt}) as key,
                    case currency {about} end as krw,
                    (case currency {worth} end)::decimal(18, 2) as worth
                from slot as s cross join unit as u
            ), paid as (
                select *, daily_spend * weight * (0.4 + 1.2 * rnd('adw', unit_key))
                    * (0.8 + 0.4 * rnd('ads', key)) as full_cost
                from happened
            ), settled as (
                select *, full_cost * case when age = 1 then 0.93
                        when age >= 3 and rnd('corr', key) < 0.3 then 0.985 else 1 end as cost,
                    full_cost / 4500 * (1 - exp(-age / 3.0)) as expected
                from paid
            ), counted as (
                select *,
                    floor(cost / 6)::bigint + {least} as impressions,
                    floor(cost / 400 + rnd('clicks', key))::bigint as clicks,
                    case currency
                        when 'KRW' then (round(cost / {step})::bigint * {step})::decimal(18, 2)
                        when 'JPY' then round(cost / krw)::bigint::decimal(18, 2)
                        else round(cost / krw * 100)::bigint::decimal(18, 2) / 100
                    end::decimal(18, 2) as spend,
                    {counts},
                    floor(expected * 1.5 + rnd('install', key))::bigint as install_click,
                    (floor(full_cost / 5000 + rnd('bydate', key))::int {credit})::decimal(18, 1)
                        as lead_by_conversion_date,
                    1 + floor(40 * rnd('rank', key))::int / 10 as rank,
                    kind = 'ad' and not ({str(medium.has_totals).lower()} and age >= 3
                        and rnd('vanish', key) < 0.006) as is_shown
                from settled
            )
            select * exclude (daily_spend, weight, krw, worth, full_cost, cost, is_renamed),
                {values}
            from counted
            order by known_on, utc_hour, unit_key
            """,
        )
        self.con.unregister("slot")
        self.con.unregister("unit")

    def close(self) -> None:
        """Free the memory."""
        self.con.close()


def _measured(medium: Medium, scale: float) -> list[dict[str, Any]]:
    """The ads whose installs the measurement medium sees, by the names it uses."""
    units = []
    for other in catalogue.PARTNERS:
        row, all_ads = MEDIA[other], catalogue.ads(other)
        for campaign in catalogue.campaigns(other):
            own = [ad for ad in all_ads if ad["campaign_id"] == campaign["campaign_id"]]
            for ad in own or [campaign]:
                number = (row.number * 1000 + campaign["campaign_no"]) * 1000 + ad.get("ad_no", 0)
                units.append(
                    ad
                    | {"kind": "ad", "daily_spend": row.daily_spend * scale / max(len(own), 1)}
                    | {"media_source": catalogue.partner(medium.key, other), "unit_key": number}
                )
    return units


def _weight(day: date) -> float:
    return reference.APP_HOLIDAY if day in reference.HOLIDAYS else reference.APP_WEEK[day.weekday()]


def _hours(medium: Medium) -> list[tuple[int, float]]:
    """The parts of a day that the medium reports, and their share of it."""
    if medium.day_basis != "utc_shifted":
        return [(0, 1.0)]
    return [(hour, (2 if 1 <= hour <= 13 else 1) / 37) for hour in range(24)]


class Books:
    """What the media answer on the morning of `today`, of the days before it.

    The same question always has the same answer.
    """

    def __init__(
        self,
        figures: Figures,
        today: date,
        strict: Strict | None = None,
        jobs: dict[str, Any] | None = None,
    ) -> None:
        self.today = today
        self.start = figures.start
        self.jobs: dict[str, Any] = {} if jobs is None else jobs
        self._figures = figures
        self._strict = strict
        self._answered: dict[tuple, list[dict[str, Any]]] = {}

    def close(self) -> None:
        """Free the memory of the figures."""
        self._figures.close()

    # -- what there is

    def medium(self, key: str) -> Medium:
        """The catalogue's row of a medium."""
        return MEDIA[key]

    def accounts(self, medium: str) -> list[Account]:
        """The accounts of a medium."""
        return list(catalogue.accounts(medium))

    def entities(
        self, medium: str, level: str, account_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The campaigns, ad groups, ads or keywords there are, by the names they have today."""
        rows: dict[tuple, dict[str, Any]] = {}
        source = catalogue.campaigns(medium) if level == "campaign" else catalogue.ads(medium)
        for full in source:
            if account_id not in (None, full["account_id"]):
                continue
            if level == "keyword" and full["keyword_id"] is None:
                continue
            row = {name: full[name] for name in LEVELS[level]}
            row["campaign_name"] = self._name(full)
            rows.setdefault(tuple(row.values()), row)
        return list(rows.values())

    def _name(self, campaign: dict[str, Any]) -> str:
        is_new = self.today >= self.start + timedelta(days=catalogue.RENAMED_AFTER)
        suffix = "_renewed" if campaign["is_renamed"] and is_new else ""
        return campaign["campaign_name"] + suffix

    # -- figures

    def figures(
        self, medium: str, level: str, first: date, last: date, account_id: str | None = None
    ) -> list[dict[str, Any]]:
        """One row an entity and day (Korean or the account's) from `first` to `last`."""
        return self._reported(medium, level, "stat_date", first, last, account_id)

    def hours(
        self, medium: str, level: str, first: date, last: date, account_id: str | None = None
    ) -> list[dict[str, Any]]:
        """One row an entity and UTC hour of the UTC days `first` to `last`."""
        return self._reported(medium, level, "utc_hour", first, last, account_id)

    def _reported(
        self,
        medium: str,
        level: str,
        slot: str,
        first: date,
        last: date,
        account_id: str | None,
    ) -> list[dict[str, Any]]:
        asked = (medium, level, slot, first, last, account_id)
        if asked not in self._answered:
            self._answered[asked] = self._ask(*asked)
        return [dict(row) for row in self._answered[asked]]

    def _ask(
        self,
        medium: str,
        level: str,
        slot: str,
        first: date,
        last: date,
        account_id: str | None,
    ) -> list[dict[str, Any]]:
        if level == "search_term":
            return self._search_terms(medium, slot, first, last, account_id)
        if self._figures.window:
            told = self._figures.by_morning(medium, level, slot).get(self.today, [])
            return [
                row for row in told
                if first <= row[slot] <= last and account_id in (None, row["account_id"])
            ]  # fmt: skip
        # A UTC day's hours lie on two Korean days.
        day = "stat_date" if slot == "stat_date" else "report_day"
        scope = f"known_on = {literal(self.today)}"
        scope += f" and {day} between {literal(first)} and {literal(last)}"
        if account_id is not None:
            scope += f" and account_id = {literal(account_id)}"
        return [row for _, row in self._figures.report(medium, level, slot, scope)]

    def _search_terms(
        self, medium: str, slot: str, first: date, last: date, account_id: str | None
    ) -> list[dict[str, Any]]:
        step = 11 if MEDIA[medium].vat == "incl" else 10
        found = []
        for row in self._reported(medium, "keyword", slot, first, last, account_id):
            for term, share in catalogue.search_terms(row["keyword"]):
                part = row | {"search_term": term}
                for name in (*_SUMS, "reach"):
                    part[name] = _part(row[name], share)
                smallest = Decimal(step) if row["currency"] == "KRW" else Decimal("0.01")
                part["spend"] = row["spend"] * Decimal(str(share)) // smallest * smallest
                found.append(part)
        return found

    def installs(self, medium: str, first: date, last: date) -> list[dict[str, Any]]:
        """What a measurement medium claims of other media's campaigns, by its own names."""
        rows = self._figures.rows(
            f"""
            select stat_date, media_source, campaign_id, campaign_name,
                sum(impressions)::bigint as impressions, sum(clicks)::bigint as clicks,
                sum(install_click)::bigint as installs, sum(lead_click_7d)::bigint as leads,
                sum(spend) as cost, sum(purchase_value_click_28d) as revenue, currency
            from {self._figures.table(medium)}
            where known_on = {literal(self.today)}
                and stat_date between {literal(first)} and {literal(last)}
            group by stat_date, media_source, campaign_id, campaign_name, currency
            order by stat_date, media_source, campaign_id
            """
        )
        return rows

    def rates(self, first: date, last: date) -> list[dict[str, Any]]:
        """Won for a unit of foreign money on the business days from `first` to `last`."""
        return rates(first, min(last, self.today - _DAY))

    def budgets(self) -> list[dict[str, Any]]:
        """What was planned to be spent, by month, medium and account, in won."""
        return budgets(self._figures.scale, self.start, self.today - _DAY)

    # -- strict mode

    def page(self, size: int) -> int:
        """The page size to use for one that was asked for."""
        return 3 if self._strict else size

    def pending(self, key: str) -> bool:
        """Whether the report `key` isn't ready yet."""
        return bool(self._strict and self._strict.is_first("pending", key))

    def expired(self, key: str) -> bool:
        """Whether the token or cursor `key` has run out: once."""
        return bool(self._strict and self._strict.is_first("expired", key))


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """Counts as whole numbers, but for those that are halves."""
    for name in _COUNTS:
        if row[name] == row[name].to_integral_value():
            row[name] = int(row[name])
    return row


def _part(value: int | Decimal, share: float) -> int | Decimal:
    """A share of a figure, cut to whole numbers (money: to cents)."""
    part = value * Decimal(str(share))
    return int(part) if isinstance(value, int) else part.quantize(Decimal("0.01"))


def is_business_day(day: date) -> bool:
    """Whether exchange rates are told for a day."""
    return day.weekday() < 5 and day not in reference.HOLIDAYS


def rates(first: date, last: date) -> list[dict[str, Any]]:
    """The exchange rates told on the business days from `first` to `last`."""
    rows = []
    for n in range((last - first).days + 1):
        day = first + n * _DAY
        if is_business_day(day):
            wave = (day.toordinal() * 7919 % 601 - 300) / 100  # won, from day to day
            for currency, unit, about in (("USD", 1, 1380.0), ("JPY", 100, 930.0)):
                krw = Decimal(str(round(about + wave * (1 if unit == 1 else 0.7), 2)))
                rows.append({"rate_date": day, "currency": currency, "unit": unit, "krw": krw})
    return rows


def budgets(scale: float, start: date, last: date) -> list[dict[str, Any]]:
    """A budget in won for each month, ad medium and account, near what will be spent."""
    rows = []
    month = start.replace(day=1)
    while month <= last:
        following = (month + 31 * _DAY).replace(day=1)
        for medium in MEDIA.values():
            if medium.role != "ad":
                continue
            for account in catalogue.accounts(medium.key):
                number = sum(
                    c["account_id"] == account.account_id for c in catalogue.campaigns(medium.key)
                )
                planned = medium.daily_spend * scale * number * (following - month).days
                planned *= 0.9 + (medium.number * 7 + month.month) % 5 / 20
                rows.append(
                    {"month": month, "medium": medium.key, "account_id": account.account_id}
                    | {"budget_krw": round(planned / 10_000) * 10_000}
                )
        month = following
    return rows
