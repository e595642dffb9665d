"""The truth about the media's figures as known on the last company day, by SQL of its own."""

from datetime import date, timedelta

import pyarrow as pa

from simulator.media import catalogue
from simulator.media.catalogue import MEDIA
from simulator.media.figures import TYPES, Figures, budgets, rates
from simulator.world import World, run

RATES_SINCE = date(2020, 1, 1)  # exchange rates are asked for from then on, whatever the company


def figures(world: World) -> dict[str, float]:
    """The right figures by name."""
    known = Figures(world.seed, world.scale, world.start, [world.last + timedelta(days=1)])
    con = known.con
    told = rates(RATES_SINCE, world.last)
    con.register("rate", pa.Table.from_pylist(told))
    ads = [medium for medium in MEDIA.values() if medium.role == "ad"]
    rows = " union all by name ".join(
        f"select '{m.key}' as medium, '{m.vat}' as vat, {m.primary} "
        f"as conversions, * exclude (unit_key) from {known.table(m.key)}"
        for m in ads
    )
    run(
        con,
        f"""
        create table fact as
        with reported as ({rows}), priced as (
            select r.*, case r.currency when 'KRW' then spend
                else spend * rate.krw / rate.unit end as spend_krw
            from reported as r asof left join rate
                on r.currency = rate.currency and r.stat_date >= rate.rate_date
        )
        select *,
            case vat when 'incl' then spend_krw / 1.1::decimal(2, 1) else spend_krw end as supply,
            case vat when 'incl' then spend_krw else spend_krw * 1.1::decimal(2, 1) end as gross
        from priced
        """,
    )
    result: dict[str, float] = {}
    for medium, supply in run(con, "select medium, sum(supply) from fact group by 1 order by 1"):
        result[f"spend_supply_krw_{medium}"] = supply
    totals = {
        "spend_supply_krw_total": "sum(supply)",
        "spend_gross_krw_total": "sum(gross)",
        "impressions_total": "sum(impressions)",
        "clicks_total": "sum(clicks)",
        "ad_conversions_total": "sum(conversions)",
        "remainder_spend_supply_krw": "sum(supply) filter (not is_shown)",
        "keyword_spend_supply_krw_total": "sum(supply) filter (is_shown and keyword is not null)",
        "keyword_clicks_total": "sum(clicks) filter (is_shown and keyword is not null)",
        # Of each search term half, or three tenths, of its keyword's clicks, in whole numbers.
        "search_term_clicks_total": "sum(clicks // 2 + clicks * 3 // 10) filter (is_shown and "
        "keyword is not null and medium in ({}))".format(
            ", ".join(f"'{m.key}'" for m in ads if "search_terms" in m.parts)
        ),
    }
    values = run(con, f"select {', '.join(totals.values())} from fact")[0]
    result |= dict(zip(totals, values, strict=True))
    for medium, types, windows in (
        ("kakao_moment", TYPES, ("1d", "7d")),
        ("meta", ("lead", "purchase"), ("1d", "7d", "28d")),
        ("naver_sa", TYPES, ("1d", "7d")),
    ):
        for column in (f"{type_}_click_{window}" for type_ in types for window in windows):
            query = f"select sum({column}) from fact where medium = '{medium}'"
            of_campaigns = f"{query} and campaign_id is not null"
            result[f"ad_conversions_{medium}_{column}"] = run(con, of_campaigns)[0][0]
    result["reach_meta_total"] = run(
        con,
        "select sum(reach) from (select floor(sum(impressions) * 0.6) as reach from fact "
        "where medium = 'meta' group by campaign_id, stat_date)",
    )[0][0]
    plans = budgets(known.scale, world.start, world.last)
    result["ad_budget_krw_total"] = sum(plan["budget_krw"] for plan in plans)
    result["exchange_rates_count"] = len(told)
    known.close()
    return {name: float(value or 0) for name, value in result.items()}


def dirt() -> dict[str, int]:
    """The planted mistakes in landing pages, by medium and kind."""
    found: dict[str, int] = {}
    for medium in MEDIA.values():
        for ad in catalogue.ads(medium.key) if medium.role == "ad" else ():
            kind = catalogue.utm_dirt(ad["ad_no"])
            if kind:
                name = f"ads_{medium.key}.ads.{kind}"
                found[name] = found.get(name, 0) + 1
    return found
