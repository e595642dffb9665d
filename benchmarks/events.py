"""Made-up behaviour events of any number, as Parquet files and as JSON lines."""

from pathlib import Path

import duckdb

# Declared types and privacy classes, as a source's YAML has them; one direct identifier.
COLUMNS = {
    "event_id": "string none",
    "user_pseudo_id": "string quasi",
    "member_id": "bigint pseudonym",
    "event_name": "string none",
    "occurred_at": "timestamp quasi",
    "received_at": "timestamp none",
    "screen": "string none",
    "url": "string none",
    "hospital_id": "bigint none",
    "event_product_id": "bigint none",
    "platform": "string none",
    "app_version": "string none",
    "utm_source": "string none",
    "utm_medium": "string none",
    "utm_campaign": "string none",
    "click_id": "string none",
    "payload": "string quasi",
}
# Some hundred people are busy at a time, each for a dozen events, and come back later.
_ROWS_A_USER = 50
_BUSY_FOR, _BUSY_AT_A_TIME = 4000, 300

_EVENTS = """
    with keyed as (
        select
            i,
            cast(hash(i) % 1000000007 as bigint) as h,
            cast(hash(i // {busy_for}, i % {busy}) % {users} as bigint) as user_number,
            timestamptz '2026-01-01 00:00:00+00' + to_milliseconds(i * 86400000 * 30 // {rows})
                as occurred_at
        from range({first}, {last}) as r (i)
    )
    select
        cast(uuid() as varchar) as event_id,
        'u' || substr(md5(cast(user_number as varchar)), 1, 20) as user_pseudo_id,
        case when user_number % 3 > 0 then cast(1000000 + user_number as bigint) end as member_id,
        ['screen_view', 'tap', 'search', 'view_hospital', 'start_booking', 'complete_booking',
            'view_product', 'app_open'][1 + h % 8] as event_name,
        occurred_at,
        occurred_at + to_milliseconds(cast(h % 90000 as bigint)) as received_at,
        ['home', 'search_result', 'hospital', 'booking', 'product', 'my'][1 + h // 8 % 6] as screen,
        'https://app.example/' || ['home', 'hospitals', 'products', 'bookings'][1 + h // 64 % 4]
            || '/' || cast(h // 256 % 20000 as varchar) || '?q=' || cast(h % 97 as varchar)
            || '&ts=' || cast(epoch_ms(occurred_at) as varchar)
            || '&ref=' || left(md5(cast(h as varchar)), 12) as url,
        case when h % 3 = 0 then cast(h // 256 % 20000 as bigint) end as hospital_id,
        case when h % 7 = 0 then cast(h // 512 % 3000 as bigint) end as event_product_id,
        ['ios', 'android', 'web'][1 + h // 16 % 3] as platform,
        '5.' || cast(h // 1024 % 20 as varchar) || '.' || cast(h // 4096 % 5 as varchar)
            as app_version,
        case when h % 5 = 0 then ['naver', 'google', 'kakao'][1 + h // 32 % 3] end as utm_source,
        case when h % 5 = 0 then ['cpc', 'display'][1 + h // 128 % 2] end as utm_medium,
        case when h % 5 = 0 then 'campaign_' || cast(h // 2048 % 200 as varchar) end
            as utm_campaign,
        case when h % 25 = 0 then md5(cast(h as varchar)) end as click_id,
        '{{"session":"' || left(md5(cast(user_number as varchar)), 16) || '","client_ts":'
            || cast(epoch_ms(occurred_at) as varchar) || ',"position":'
            || cast(h % 40 as varchar) || '}}' as payload
    from keyed
"""


def write_parquet(folder: Path, rows: int, files: int) -> None:
    """Writes `rows` events as `files` Parquet files (zstd) into `folder`."""
    _write(folder, rows, files, "parquet", "format parquet, compression zstd")


def write_json_lines(folder: Path, rows: int, files: int) -> None:
    """Writes `rows` events as `files` gzipped files of JSON lines into `folder`."""
    _write(folder, rows, files, "jsonl.gz", "format json, compression gzip")


def _write(folder: Path, rows: int, files: int, suffix: str, options: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        for file in range(files):
            first, last = file * rows // files, (file + 1) * rows // files
            events = _EVENTS.format(
                rows=rows, first=first, last=last, users=max(1, rows // _ROWS_A_USER),
                busy_for=_BUSY_FOR, busy=_BUSY_AT_A_TIME,
            )  # fmt: skip
            path = folder / f"events-{file:04}.{suffix}"
            connection.execute(f"copy ({events}) to '{path}' ({options})")
