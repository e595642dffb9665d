"""Ad reports of three media: daily extractions that re-read a window and restate its figures."""

from datetime import date, timedelta
from pathlib import Path

import duckdb

from simulator.files import BadLines, Tally, write_lines
from simulator.world import World, literal, run, scalar

# Days a daily extraction re-reads, ads a campaign has (groups x ads), daily spend of a campaign at
# scale one (won), the step that keeps VAT exact, and the date format of the reports.
MEDIA = {
    "naver_sa": (14, 6, 180_000, 11, "%Y%m%d"),
    "kakao_moment": (8, 6, 120_000, 10, "%Y%m%d"),
    "google_ads": (21, 6, 150_000, 10, "%Y-%m-%d"),
}
_HEADERS = {
    "naver_sa": (
        "statDt,customerId,nccCampaignId,nccAdgroupId,nccAdId,impCnt,clkCnt,salesAmt,ccnt,convAmt",
        "statDt,customerId,nccCampaignId,campaignName,impCnt,clkCnt,salesAmt,ccnt,convAmt",
    ),
    "kakao_moment": (
        "date,adAccountId,campaignId,adGroupId,creativeId,imp,click,cost,conv_signup_7d,"
        "conv_purchase_p_7d",
        "date,adAccountId,campaignId,campaignName,imp,click,cost,conv_signup_7d,conv_purchase_p_7d",
    ),
    "google_ads": (
        "segments.date,customer.id,campaign.id,ad_group.id,ad_group_ad.ad.id,metrics.impressions,"
        "metrics.clicks,metrics.cost_micros,metrics.conversions,metrics.conversions_value",
        "segments.date,customer.id,campaign.id,campaign.name,metrics.impressions,metrics.clicks,"
        "metrics.cost_micros,metrics.conversions,metrics.conversions_value",
    ),
}
_ACCOUNTS = {"naver_sa": "2041177", "kakao_moment": "88123", "google_ads": "412-555-0199"}
SUPPLY = {"naver_sa": "spend * 10 // 11", "kakao_moment": "spend", "google_ads": "spend"}


def _reports(world: World, extractions: str) -> str:
    """SQL of what the media report: one row an extraction, stat date, campaign and ad.

    `extractions` is SQL with medium, extracted_on, stat_date. Figures are a function of the ad,
    the stat date and its age, so an old extraction can be told again at any time. An ad with
    number 0 stands for what a campaign reports beyond its ads; `is_shown` is false for an ad row
    that a later extraction leaves out (the campaign keeps its figures).
    """
    scale = max(world.scale, 0.25)  # a smaller budget would buy no conversions
    medium_table = ", ".join(
        f"('{m}', {ads}, {spend}, {step})" for m, (_, ads, spend, step, _) in MEDIA.items()
    )
    return f"""
        with medium (medium, ads, spend, step) as (values {medium_table}), ad as (
            select m.medium, m.step, m.spend / m.ads as daily_spend, c.id as campaign_no,
                c.campaign, c.media_campaign_id, unnest(range(0, m.ads + 1)) as ad_no,
                c.campaign like '%pmax%' as only_campaign
            from medium as m join campaign as c using (medium)
        ), running as (
            select *, campaign_no * 100 + ad_no as ad_key from ad
            where case when only_campaign then ad_no = 0
                when ad_no = 0 then rnd('beyond', campaign_no) < 0.3 or campaign_no % 7 = 1
                else true end
        ), dated as (
            select x.extracted_on, x.stat_date, (x.extracted_on - x.stat_date)::int as age, r.*,
                hash(r.ad_key, x.stat_date) as key, c.app_weight as weight
            from running as r join ({extractions}) as x using (medium)
            join calendar as c on x.stat_date = c.day
        ), settled as (
            select *,
                {scale} * weight * daily_spend * (0.4 + 1.2 * rnd('adw', ad_key))
                    * (0.8 + 0.4 * rnd('ads', key))
                    * case when only_campaign then 5 when ad_no = 0 then 0.15 else 1 end
                    * case when age = 0 then 0.93
                        when age >= 3 and rnd('corr', key) < 0.3 then 0.985 else 1 end as cost,
                (1 - exp(-(age + 1) / 3.0)) as maturity
            from dated
        )
        select medium, extracted_on, stat_date, age, campaign_no, campaign, media_campaign_id,
            ad_no, ad_key, key,
            round(cost / step)::bigint * step as spend,
            floor(cost / 6)::bigint + 20 as impressions,
            floor(cost / 400)::bigint as clicks,
            floor(cost / 9000 * maturity * 2)::bigint
                * case medium when 'google_ads' then 0.5 else 1 end::decimal(3, 1) as conversions,
            floor(cost / 9000 * maturity * 2)::bigint * 21000 as conversion_value,
            ad_no > 0 and not (age >= 3 and rnd('vanish', key) < 0.006) as is_shown
        from settled
    """


def write_reports(con: duckdb.DuckDBPyConnection, world: World, out: Path, tally: Tally) -> None:
    """Write one extraction a company day for each medium and level."""
    for medium, (window, *_rest, date_format) in MEDIA.items():
        extractions = f"""
            select '{medium}' as medium, e.day as extracted_on, s.day as stat_date
            from calendar as e join calendar as s on s.day between
                greatest({literal(world.start)}, e.day - {window - 1}) and e.day
            where e.day between {literal(world.first)} and {literal(world.last)}
        """
        run(con, f"create or replace temp table report as {_reports(world, extractions)}")
        spent = "spend * 1000000" if medium == "google_ads" else "spend"
        figures = "impressions, clicks, {}, conversions, conversion_value"
        totals = ", ".join(
            f"sum({column}) as {column}"
            for column in ("impressions", "clicks", "spend", "conversions", "conversion_value")
        )
        stat = f"strftime(stat_date, '{date_format}'), '{_ACCOUNTS[medium]}'"
        lines = {
            "ads": f"""
                select extracted_on::varchar as file, concat_ws(',', {stat}, media_campaign_id,
                    'grp-' || campaign_no || '-' || (1 + ad_no % 2), 'ad-' || ad_key,
                    {figures.format(spent)}) || chr(10) as line
                from (select * from report where is_shown
                    order by extracted_on, stat_date, ad_key)
            """,
            "campaigns": f"""
                select extracted_on::varchar as file, concat_ws(',', {stat}, media_campaign_id,
                    campaign, {figures.format(spent)}) || chr(10) as line
                from (select extracted_on, stat_date, campaign_no, campaign, media_campaign_id,
                        {totals}
                    from report group by all order by extracted_on, stat_date, campaign_no)
            """,
        }
        for level, query in lines.items():
            _write_level(con, world, out, tally, medium, level, query)
        table = f"ads_{medium}.ads"
        for kind, condition in (
            ("row_vanished", "ad_no > 0 and not is_shown"),
            ("restated", "is_shown and age > 0"),
        ):
            count = scalar(con, f"select count(*) from report where {condition}")
            tally.add("dirt", f"{table}.{kind}", count)
    run(con, "drop table report")


def _write_level(
    con: duckdb.DuckDBPyConnection,
    world: World,
    out: Path,
    tally: Tally,
    medium: str,
    level: str,
    query: str,
) -> None:
    window = MEDIA[medium][0]
    table = f"ads_{medium}.{level}"
    header = _HEADERS[medium][level == "campaigns"]

    def path_of(day: str) -> Path:
        extracted = date.fromisoformat(day)
        start = max(world.start, extracted - timedelta(days=window - 1))
        name = f"{level}_{extracted:%Y%m%d}_{start:%Y%m%d}_{extracted:%Y%m%d}.csv"
        return out / f"ads_{medium}" / name

    middle = (world.start + timedelta(days=world.days // 2)).isoformat()
    stat = middle if medium == "google_ads" else middle.replace("-", "")
    fields = [stat, "0", "bad", *["bad"] * (header.count(",") - 7), "-", "0", "0", "0", "0"]
    bad = BadLines(
        tally,
        table,
        middle if world.is_founding else None,
        {
            "not_a_number": (",".join(fields) + "\n").encode(),
            "too_few_fields": f"{stat},0,bad\n".encode(),
        },
    )
    written = write_lines(con, query, path_of, header=header + "\n", bad=bad)
    tally.add("rows", table, written)


def figures(con: duckdb.DuckDBPyConnection, world: World) -> dict[str, float]:
    """The media's figures as known now: each stat date by the newest extraction that covers it."""
    newest = " union all ".join(
        f"select '{medium}' as medium, least({literal(world.last)}, day + {window - 1}) "
        f"as extracted_on, day as stat_date from calendar "
        f"where day between {literal(world.start)} and {literal(world.last)}"
        for medium, (window, *_rest) in MEDIA.items()
    )
    supply = " ".join(f"when '{medium}' then {sql}" for medium, sql in SUPPLY.items())
    rows = run(
        con,
        f"""
        select medium, sum(case medium {supply} end),
            sum(case medium when 'naver_sa' then spend else spend * 11 // 10 end),
            sum(impressions), sum(clicks), sum(conversions),
            sum(case when not is_shown then case medium {supply} end end)
        from ({_reports(world, newest)}) group by medium order by medium
        """,
    )
    by_medium = {row[0]: row[1:] for row in rows}
    result = {f"spend_supply_krw_{medium}": by_medium[medium][0] for medium in MEDIA}
    names = (
        "spend_supply_krw_total",
        "spend_gross_krw_total",
        "impressions_total",
        "clicks_total",
        "ad_conversions_total",
        "remainder_spend_supply_krw",
    )
    for position, name in enumerate(names):
        result[name] = sum(row[position] or 0 for row in by_medium.values())
    return {name: float(value) for name, value in result.items()}
