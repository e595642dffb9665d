"""What is true of visits to the app and the web: one short row a visit, whatever its events.

A visit is kept as the stretch of time between its first and its last event, so that the truth
about visits of one device which lie within half an hour of each other comes from joining
stretches, never from single events.
"""

import duckdb

from simulator.world import run, scalar

_ROWS_AT_A_TIME = 4_000_000
_MATCHES = ("click_id", "utm", "referrer")

# One row is a stretch of events of one device that were delivered together. Its signature is that
# of its first event: two addresses of one campaign are one touch, whatever their click ids.
_STRETCHES = """
    create table if not exists stretch (device ubigint, first_at timestamp, last_at timestamp,
        named_at timestamp, match varchar, signature ubigint, views integer,
        applications integer, is_robot boolean)
"""

_FIGURES = {
    "web_sessions_count": "count(*) filter (not is_robot)",
    "web_sessions_quarantined_count": "count(*) filter (is_robot)",
    "web_visitors_count": "count(distinct device) filter (not is_robot)",
    "web_sessions_identified_count": "count(*) filter (not is_robot "
    "and last_at >= named_at - interval 30 day)",
    **{f"touchpoints_{match}_count": f"coalesce(sum({match}_touches), 0)" for match in _MATCHES},
    "touchpoints_none_count": "count(*) filter (not is_robot and touches = 0)",
    "event_product_views_count": "coalesce(sum(views) filter (not is_robot), 0)",
    "event_product_applications_count": "coalesce(sum(applications) filter (not is_robot), 0)",
}


def keep(con: duckdb.DuckDBPyConnection) -> None:
    """Keep what the delivered events of the temporary table `event` tell of their visits.

    Events of a visit that come days late are one more stretch of it.
    """
    run(con, _STRETCHES)
    run(
        con,
        """
        insert into stretch
        with signed as (
            select *, case when click_id is not null then 'click_id'
                when utm_campaign is not null then 'utm'
                when referrer is not null then 'referrer' end as match
            from event where not is_repeat
        )
        select device, min(occurred_at), max(occurred_at),
            min(occurred_at) filter (member_id is not null), max(match),
            max(case match when 'click_id' then hash(click_id_name, utm_campaign)
                when 'utm' then hash(utm_source, utm_medium, utm_campaign)
                when 'referrer' then hash(referrer) end),
            count(*) filter (event_name = 'view_event_product'),
            count(*) filter (event_name = 'apply_complete'), bool_or(is_robot)
        from signed group by sid, device
        """,
    )


def figures(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The figures of all visits so far, computed for a part of the devices at a time."""
    parts = 1 + scalar(con, "select count(*) from stretch") // _ROWS_AT_A_TIME
    found = dict.fromkeys(_FIGURES, 0)
    touches = ", ".join(
        f"count(distinct signature) filter (match = '{match}' and not is_robot) as {match}_touches"
        for match in _MATCHES
    )
    for part in range(parts):
        (values,) = run(
            con,
            f"""
            with of_part as (
                select *, min(named_at) over (partition by device) as device_named_at,
                    max(last_at) over (partition by device order by first_at, last_at
                        rows between unbounded preceding and 1 preceding) as quiet_since
                from stretch where device % {parts} = {part}
            ), joined as (
                select *, sum(case when first_at <= quiet_since + interval 30 minute then 0
                    else 1 end) over (partition by device order by first_at, last_at
                        rows unbounded preceding) as visit_no
                from of_part
            ), visit as (
                select device, max(last_at) as last_at, min(device_named_at) as named_at,
                    bool_or(is_robot) as is_robot, sum(views) as views,
                    sum(applications) as applications, count(signature) as touches, {touches}
                from joined group by device, visit_no
            )
            select {", ".join(_FIGURES.values())} from visit
            """,
        )
        for name, value in zip(_FIGURES, values, strict=True):
            found[name] += int(value)
    return found
