"""Web APIs: each row lands once and exactly, or the table fails with a line that says where."""

import base64
import gzip
import hashlib
import hmac
import io
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from conftest import PROJECT, Lab
from engines import on_engines
from extract_load import DeclarationError, TableReport, read_sources
from extract_load.readers import ReadError, rest
from rest_server import Answer, Asked, Server, serving

TODAY = datetime.now(ZoneInfo("Asia/Seoul")).date()
DAY = timedelta(days=1)

# a medium of the plain kind: this is all that a person writes
MEDIUM = """\
    source: ads
    description: Ads of a medium with a plain API.
    reader: rest
    client:
      base_url: ${ADS_URL}
      auth: {type: bearer, token: "${ADS_TOKEN}"}
      paginator: {type: page_number, base_page: 1, page_param: page, total_path: pages}
      accounts: ${ADS_ACCOUNTS}
    tables:
      ads:
        description: One row is an ad on a day as one extraction reported it.
        endpoint:
          path: /accounts/{account}/ads
          params: {from: "{window.from}", until: "{window.until}"}
          data_selector: data
          window: {chunk: 3d, since: SINCE, restates: 2d}
        header: {day: stat_date, metrics.spend: spend}
        columns:
          extracted_on: string none
          window_from: string none
          window_to: string none
          account_id: string none
          stat_date: string none
          ad_id: string none
          spend: numeric none
"""
# a listing
LISTING = """\
    source: shop
    description: A shop with a web API.
    reader: rest
    client:
      base_url: ${API}
      paginator: single_page
      retry: {attempts: 3, wait: 10ms, longest: 3s}
      timeout: 2s
      CLIENT
    tables:
      orders:
        description: One row is an order.
        OPTIONS
        endpoint:
          path: /orders
          data_selector: data
          ENDPOINT
        columns: {id: bigint none, amount: numeric none, note: string none}
"""
ROW = {"id": 1, "amount": 2, "note": "x"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as server:
        for name, value in {
            "API": server.url,
            "ADS_URL": server.url,
            "ADS_TOKEN": "secret",
            "ADS_ACCOUNTS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def declare(lab: Lab, text: str = LISTING, name: str = "shop", **parts: str) -> None:
    """A declaration, its words in capitals replaced by lines (or by nothing)."""
    lines = []
    for line in textwrap.dedent(text).splitlines():
        word = line.strip()
        if word in ("CLIENT", "OPTIONS", "ENDPOINT"):
            part = textwrap.dedent({"options": "key: [id]", **parts}.get(word.lower(), ""))
            part = part.strip("\n")
            lines.append(textwrap.indent(part, line[: -len(word)]))
        else:
            lines.append(line)
    lab.declare("\n".join(lines), name)


def report(lab: Lab, **options: Any) -> TableReport:
    (table,) = lab.load(**options).tables
    return table


def loaded(lab: Lab, **options: Any) -> TableReport:
    table = report(lab, **options)
    assert table.error is None, table.error
    c = table.counts
    assert c.read == c.loaded + c.quarantined + c.suppressed
    return table


def failure(lab: Lab, **options: Any) -> str:
    error = report(lab, **options).error
    assert error is not None and "\n" not in error
    return error


def orders(lab: Lab, columns: str = "id, amount, note") -> list[tuple]:
    return lab.query(f"select {columns} from raw_shop.orders where _deleted_at is null order by id")


# -- one file, no code ---------------------------------------------------------------------------


def medium(lab: Lab, server: Server, since: date, text: str = MEDIUM) -> None:
    """Declares the medium and has the server answer: two pages for each window, a row for each
    day, spend grown by one with each extraction."""
    lab.declare(text.replace("SINCE", since.isoformat()), "ads")
    server.answers["/accounts/"] = daily_rows


def daily_rows(asked: Asked) -> Any:
    if asked.headers.get("authorization") != "Bearer secret":
        return Answer({"error": "who are you?"}, 401)
    first = date.fromisoformat(asked.query["from"])
    days = (date.fromisoformat(asked.query["until"]) - first).days + 1
    rows = [
        {"day": (first + n * DAY).isoformat(), "ad_id": "007", "metrics": {"spend": n}}
        for n in range(days)
    ]
    page = int(asked.query["page"])
    return {"pages": 2, "data": rows[:1] if page == 1 else rows[1:] or rows[:0]}


def windows(server: Server) -> list[tuple[str, str]]:
    """The windows asked for, in days before today."""
    found = []
    for asked in server.asked:
        days = [(TODAY - date.fromisoformat(asked.query[n])).days for n in ("from", "until")]
        if tuple(days) not in found[-1:]:
            found.append(tuple(days))
    return found


def test_a_plain_medium_is_one_short_file(lab: Lab, server: Server) -> None:
    assert len(MEDIUM.splitlines()) <= 25
    medium(lab, server, TODAY - 3 * DAY)
    counts = loaded(lab).counts
    assert (counts.read, counts.loaded) == (4, 4)
    first, last = f"{TODAY - 3 * DAY:%Y%m%d}", f"{TODAY - DAY:%Y%m%d}"
    rows = lab.query(
        "select account_id, window_from, window_to, extracted_on, stat_date, ad_id, spend, _line"
        " from raw_ads.ads order by stat_date"
    )
    on, day = f"{TODAY:%Y%m%d}", TODAY - 3 * DAY
    assert rows[0] == ("1", first, last, on, day.isoformat(), "007", 0, 1)
    assert [row[4:] for row in rows[1:3]] == [
        ((day + DAY).isoformat(), "007", 1, 2), ((day + 2 * DAY).isoformat(), "007", 2, 3)
    ]  # fmt: skip
    assert rows[3][1:3] == (on, on)
    names = lab.query("select distinct _file from raw_ads.ads order by 1")
    assert names[0][0].startswith(f"ads/1/{first}_{last}/")
    assert lab.query("select file from raw_ledger.files order by 1") == names
    assert lab.ledger_balances()


@on_engines("duckdb")
def test_values_land_digit_by_digit(lab: Lab, server: Server) -> None:
    declare(lab)
    values = [
        ('"007"', "007"), ("1E5", "1E5"), ("0.10", "0.10"), ("-0", "-0"), ("1.0", "1.0"),
        ("12345678901234567890123", "12345678901234567890123"), ("true", "true"), ("null", None),
        ('"1,234"', "1,234"), ('"한글 😀"', "한글 😀"), ('""', ""), ('"a\\nb"', "a\nb"),
        ('{"a": [1.50, {"b": null}]}', '{"a":[1.50,{"b":null}]}'), ("[]", "[]"),
    ]  # fmt: skip
    rows = ",".join(
        f'{{"id": {n}, "amount": 1, "note": {text}}}' for n, (text, _) in enumerate(values)
    )
    server.answers["/orders"] = f'{{"data": [{rows}]}}'
    loaded(lab)
    assert orders(lab, "note") == [(value,) for _, value in values]


@on_engines("duckdb")
def test_what_does_not_fit_its_column_is_quarantined(lab: Lab, server: Server) -> None:
    declare(lab)
    good, half = json.dumps(ROW | {"id": 3}), '{"id": 2, "amount": 1, "note": "half a \\ud83d"}'
    bad = '{"id": 1, "amount": "1E5", "note": ""}'
    deep = f'{{"id": 4, "amount": 1, "note": {"[" * 500 + "]" * 500}}}'
    server.answers["/orders"] = f'{{"data": [{bad}, {half}, {good}, {deep}]}}'
    counts = loaded(lab).counts
    assert (counts.read, counts.loaded, counts.quarantined) == (4, 1, 3)
    reasons = {reason for (reason,) in lab.query("select reason from raw_ledger.quarantine")}
    assert reasons == {"amount is no numeric", "bytes that the encoding lacks"}


@on_engines("duckdb")
def test_fields_are_found_by_their_path_and_new_ones_reported(lab: Lab, server: Server) -> None:
    declare(
        lab,
        options="""
            key: [id]
            header: {dimensions.0.value: id, metrics.all.sum: amount, "a.b": note}
        """,
    )
    server.answers["/orders"] = {
        "data": [
            {
                "dimensions": [{"value": "5"}],
                "metrics": {"all": {"sum": 1.5, "new": 3}, "other": 1},
                "a.b": "dotted",
                "extra": {"deep": 1},
            }
        ]
    }
    table = loaded(lab)
    assert table.undeclared == {"metrics.all.new", "metrics.other", "extra"}
    assert [(int(i), float(a), n) for i, a, n in orders(lab)] == [(5, 1.5, "dotted")]


@on_engines("duckdb")
def test_a_renamed_field_is_an_error_that_names_it(lab: Lab, server: Server) -> None:
    declare(lab, options="key: [id]\nheader: {money.sum: amount}")
    server.answers["/orders"] = {"data": [{"id": 1, "money": {"total": 1}, "note": None}]}
    assert "no row has money.sum" in failure(lab)
    assert orders(lab) == []
    declare(lab, options="key: [id]\nheader: {money.sum: amount}", endpoint="optional: [amount]")
    assert loaded(lab).counts.loaded == 1


# -- windows -------------------------------------------------------------------------------------


@on_engines("duckdb")
def test_windows_are_asked_for_once_and_again_while_they_restate(lab: Lab, server: Server) -> None:
    medium(lab, server, TODAY - 7 * DAY)
    loaded(lab)
    assert windows(server) == [(7, 5), (4, 2), (1, 0)]
    ((at,),) = lab.query("select cursor_at from raw_ledger.cursors")
    assert at < datetime.now(UTC).replace(tzinfo=None), "today isn't over"
    server.asked.clear()
    loaded(lab)
    assert windows(server) == [(2, 0)]
    # kept side by side: the day before yesterday twice
    ((count,),) = lab.query(
        f"select count(*) from raw_ads.ads where stat_date = '{TODAY - 2 * DAY}'"
    )
    assert count == 2
    ((files, extractions),) = lab.query(
        "select count(*), count(distinct split_part(file, '/', 4)) from raw_ledger.files"
    )
    assert (files, extractions) == (4, 2)
    assert lab.ledger_balances()


@on_engines("duckdb")
def test_a_gap_is_caught_up_with(lab: Lab, server: Server) -> None:
    medium(lab, server, TODAY - 9 * DAY)
    loaded(lab)
    at = datetime.combine(TODAY - 5 * DAY, datetime.min.time()) - timedelta(hours=9)
    lab.query(f"update raw_ledger.cursors set cursor_at = timestamp '{at}'")
    server.asked.clear()
    loaded(lab)
    assert windows(server) == [(5, 3), (2, 0)]


@on_engines("duckdb")
def test_days_named_by_a_person_are_asked_for_exactly(lab: Lab, server: Server) -> None:
    medium(lab, server, TODAY - 9 * DAY)
    loaded(lab)
    before = lab.query("select cursor_at from raw_ledger.cursors")
    server.asked.clear()
    korea = timedelta(hours=9)
    since = datetime.combine(TODAY - 8 * DAY, datetime.min.time()) - korea
    until = datetime.combine(TODAY - 4 * DAY, datetime.min.time()) - korea
    loaded(lab, since=since, until=until)
    assert windows(server) == [(8, 6), (5, 5)]
    assert lab.query("select cursor_at from raw_ledger.cursors") == before


@on_engines("duckdb")
def test_the_newest_days_can_be_left_to_ripen(lab: Lab, server: Server) -> None:
    medium(lab, server, TODAY - 3 * DAY, MEDIUM.replace("restates: 2d", "delay: 1d"))
    loaded(lab)
    assert windows(server) == [(3, 1)]
    server.asked.clear()
    loaded(lab)
    assert windows(server) == []


@on_engines("duckdb")
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_days_are_those_of_the_table(lab: Lab, server: Server, zone: str) -> None:
    today = datetime.now(ZoneInfo(zone)).date()
    text = MEDIUM.replace("    header: {day", f"    time_zone: {zone}\n        header: {{day")
    medium(lab, server, today - DAY, text)
    loaded(lab)
    asked = {(asked.query["from"], asked.query["until"]) for asked in server.asked}
    assert asked == {((today - DAY).isoformat(), today.isoformat())}


def answers_nothing(asked: Asked) -> Any:
    return {"pages": 1, "data": []}


@on_engines("duckdb")
def test_an_empty_window_is_marked_where_the_table_says_so(lab: Lab, server: Server) -> None:
    text = MEDIUM.replace("    header: {day", "    empty: marked\n        header: {day")
    medium(lab, server, TODAY - DAY, text)
    server.answers["/accounts/"] = answers_nothing
    loaded(lab)
    assert lab.query(
        "select account_id, window_from, window_to, stat_date, spend, _line from raw_ads.ads"
    ) == [("1", f"{TODAY - DAY:%Y%m%d}", f"{TODAY:%Y%m%d}", None, None, 0)]


@on_engines("duckdb")
def test_an_empty_window_after_full_ones_is_refused(lab: Lab, server: Server) -> None:
    medium(lab, server, TODAY - DAY)
    loaded(lab)
    server.answers["/accounts/"] = answers_nothing
    said = failure(lab)
    assert f"account 1, {TODAY - DAY} to {TODAY}" in said and "came back empty" in said
    medium(
        lab, server, TODAY - DAY, MEDIUM.replace("    header", "    empty: allowed\n        header")
    )
    server.answers["/accounts/"] = answers_nothing
    loaded(lab)


@on_engines("duckdb")
def test_one_account_that_fails_names_itself_and_holds_the_cursor(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADS_ACCOUNTS", "1, 2")
    medium(lab, server, TODAY - 7 * DAY)

    def broken(asked: Asked) -> Any:
        if "/2/" in asked.path and asked.query["from"] == (TODAY - 4 * DAY).isoformat():
            return Answer({"error": "no"}, 400)
        return daily_rows(asked)

    server.answers["/accounts/"] = broken
    said = failure(lab)
    assert said.startswith(f"account 2, {TODAY - 4 * DAY} to {TODAY - 2 * DAY}: ")
    assert "HTTP 400" in said
    assert lab.query("select account_id, count(*) from raw_ads.ads group by 1 order by 1") == [
        ("1", 6), ("2", 3)
    ]  # fmt: skip
    # all that both accounts have is behind the cursor, nothing else
    ((at,),) = lab.query("select cursor_at from raw_ledger.cursors")
    assert at == datetime.combine(TODAY - 4 * DAY, datetime.min.time()) - timedelta(hours=9)
    server.asked.clear()
    server.answers["/accounts/"] = daily_rows
    loaded(lab)
    assert windows(server)[0] == (4, 2)


@on_engines("duckdb")
@pytest.mark.usefixtures("slept")
def test_a_pass_that_broke_off_is_taken_up_there(lab: Lab, server: Server) -> None:
    """Though the days were asked for before: these figures are the last chance to be restated."""
    text = MEDIUM.replace("chunk: 3d", "chunk: 1d").replace("restates: 2d", "restates: 4d")
    medium(lab, server, TODAY - 6 * DAY, text)
    loaded(lab)

    def broken(asked: Asked) -> Any:
        if asked.query["from"] == (TODAY - 3 * DAY).isoformat():
            return Answer({}, 500)
        return daily_rows(asked)

    server.answers["/accounts/"] = broken
    assert "HTTP 500" in failure(lab)
    ((at,),) = lab.query("select cursor_at from raw_ledger.cursors")
    assert at == datetime.combine(TODAY - 3 * DAY, datetime.min.time()) - timedelta(hours=9)


KILL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from engines import open_warehouse
from extract_load import load, read_sources

warehouse = open_warehouse({engine!r}, {place!r})
original, seen = type(warehouse).query, 0

def deadly(*arguments, **options):
    global seen
    seen += "insert into raw_ledger.loads" in arguments[1]
    if seen == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)

type(warehouse).query = deadly
with warehouse:
    load(read_sources(Path({sources!r})).values(), warehouse, Path({landing!r}), None)
"""


def test_killed_between_chunks_the_next_command_has_every_day(lab: Lab, server: Server) -> None:
    """In the transaction of the second chunk."""
    medium(lab, server, TODAY - 7 * DAY)
    script = KILL.format(
        tests=str(Path(__file__).parent), engine=lab.engine, place=lab.place,
        sources=str(lab.sources), landing=str(lab.folder / "landing"),
    )  # fmt: skip
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert lab.query("select count(*) from raw_ledger.files") == [(1,)]
    server.asked.clear()
    loaded(lab)
    assert windows(server) == [(4, 2), (1, 0)]
    days = lab.query("select stat_date, count(*) from raw_ads.ads group by 1 order by 1")
    assert days == [((TODAY - n * DAY).isoformat(), 1) for n in range(7, -1, -1)]
    assert list((lab.folder / "landing").iterdir()) == []
    assert lab.ledger_balances()


# -- keyed tables --------------------------------------------------------------------------------


@on_engines("duckdb")
def test_a_listing_is_merged_by_key_and_what_is_gone_is_marked(lab: Lab, server: Server) -> None:
    declare(lab)
    server.answers["/orders"] = [
        {"data": [ROW, ROW | {"id": 2}, ROW | {"id": 3}]},
        {"data": [ROW, ROW | {"id": 2, "amount": 9}]},
        {"data": []},
    ]
    assert loaded(lab).counts.loaded == 3
    counts = loaded(lab).counts
    assert (counts.loaded, counts.suppressed, counts.vanished) == (1, 1, 1)
    assert orders(lab, "id, amount") == [(1, 2), (2, 9)]
    assert "came back empty: kept the 2 rows" in failure(lab)
    assert lab.ledger_balances()


def test_rows_without_a_key_are_known_by_all_they_say(lab: Lab, server: Server) -> None:
    declare(lab, options="")
    server.answers["/orders"] = [{"data": [ROW, ROW]}, {"data": [ROW, ROW, ROW | {"id": 2}]}]
    assert loaded(lab).counts.loaded == 2
    counts = loaded(lab).counts
    assert (counts.loaded, counts.suppressed) == (1, 2)


@on_engines("duckdb")
def test_a_cursor_asks_for_what_came_since_and_a_little_before(lab: Lab, server: Server) -> None:
    text = LISTING.replace("note: string none", "note: string none, at: timestamp none")
    declare(
        lab,
        text,
        options="key: [id]\ncursor: at\nlag: 1h",
        endpoint="""
            params: {since: "{incremental.start_value}", most: 100}
            incremental: {initial_value: "2026-01-01T00:00:00Z"}
        """,
    )
    row = ROW | {"at": "2026-03-01T12:00:00Z"}
    server.answers["/orders"] = [{"data": [row]}, {"data": []}]
    loaded(lab)
    loaded(lab)
    loaded(lab, since=datetime(2026, 2, 1))
    assert [asked.query["since"] for asked in server.at("/orders")] == [
        "2026-01-01T00:00:00Z", "2026-03-01T11:00:00Z", "2026-02-01T00:00:00Z"
    ]  # fmt: skip
    assert server.asked[0].query["most"] == "100"
    declare(
        lab,
        text,
        options="key: [id]\ncursor: at\ntime_zone: Asia/Seoul",
        endpoint="""
            params: {a: "{incremental.start_value}", b: "{incremental.end_value}"}
            incremental: {initial_value: 0, format: "%Y%m%d %H"}
        """,
    )
    loaded(lab)
    assert server.asked[-1].query["a"] == "20260301 21"
    declare(
        lab,
        text,
        options="key: [id]\ncursor: at",
        endpoint="""
            params: {a: "{incremental.start_value}"}
            incremental: {initial_value: 0, format: epoch_ms}
        """,
    )
    loaded(lab)
    assert server.asked[-1].query == {"a": "1772366400000"}
    assert orders(lab, "id") == [(1,)]
    assert lab.query("select cursor_at from raw_ledger.cursors") == [(datetime(2026, 3, 1, 12),)]


@on_engines("duckdb")
def test_children_are_asked_for_by_their_parents(lab: Lab, server: Server) -> None:
    declare(
        lab,
        LISTING
        + """\
      items:
        description: One row is an item of an order.
        key: [order_id, item]
        header: {_orders_id: order_id}
        endpoint:
          path: /orders/{resources.orders.id}/items
          method: POST
          json: {order: "{resources.orders.id}", texts: ["no {resources.orders.note}"]}
          data_selector: "$[*]"
          include_from_parent: [id]
        columns: {order_id: bigint none, item: string none}
    """,
    )
    server.answers["/orders"] = {"data": [ROW, ROW | {"id": 2, "note": "a/../b"}]}
    server.answers["/orders/"] = lambda asked: [{"item": f"of {asked.json['order']}"}]
    tables = lab.load().tables
    assert [table.error for table in tables] == [None, None]
    assert lab.query("select order_id, item from raw_shop.items order by 1") == [
        (1, "of 1"), (2, "of 2")
    ]  # fmt: skip
    asked = server.at("/orders/2/items")[0]
    assert (asked.method, asked.json) == ("POST", {"order": 2, "texts": ["no a/../b"]})


@on_engines("duckdb")
def test_what_is_filled_into_a_path_stays_in_its_place(lab: Lab, server: Server) -> None:
    declare(lab, LISTING.replace("path: /orders", "path: /shops/{account}/orders"),
            client="accounts: ['../x?y=1#z']")  # fmt: skip
    server.answers["/"] = {"data": [ROW]}
    loaded(lab)
    assert server.asked[0].path == "/shops/..%2Fx%3Fy%3D1%23z/orders"


# -- pages ---------------------------------------------------------------------------------------


def page(*ids: int, **more: Any) -> dict[str, Any]:
    return {"data": [ROW | {"id": n} for n in ids], **more}


PAGED = LISTING.replace("paginator: single_page", "PAGINATOR")


def declare_pages(lab: Lab, paginator: str, **parts: str) -> None:
    declare(lab, PAGED.replace("PAGINATOR", f"paginator: {paginator}"), **parts)


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("paginator", "second"),
    [
        ("{type: offset, limit: 2, total_path: total}", {"offset": "2", "limit": "2"}),
        ("{type: page_number, base_page: 1, total_path: pages}", {"page": "2"}),
        ("{type: cursor, cursor_path: next, cursor_param: after}", {"after": "n1"}),
        ("{type: json_link, next_url_path: link}", {"at": "2"}),
        ("header_link", {"at": "2"}),
        ("{type: header_cursor, cursor_key: X-Next, cursor_param: c}", {"c": "h1"}),
    ],
)
def test_every_page_is_read(
    lab: Lab, server: Server, paginator: str, second: dict[str, str]
) -> None:
    declare_pages(lab, paginator)
    links = {"Link": '</orders?at=2>; rel="next"', "X-Next": "h1"}
    link = f"{server.url}/orders?at=2"
    server.answers["/orders"] = [
        Answer(page(1, 2, total=3, pages=2, next="n1", link=link), headers=links),
        page(3, total=3, pages=2),
    ]
    loaded(lab)
    assert orders(lab, "id") == [(1,), (2,), (3,)]
    assert [asked.query for asked in server.asked][1] == second and len(server.asked) == 2


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("paginator", "answers", "says"),
    [
        ("{type: json_link}", [page(1, next="?p=2"), page(2, next="?p=3"), page(3, next="?p=2")],
         "page 3 of GET 127.0.0.1/orders leads back to a page that was read before"),
        ("{type: json_link}", [page(1, next="?p=2"), page(1, next="?p=3")],
         "page 2 of GET 127.0.0.1/orders repeats page 1"),
        ("{type: page_number, total_path: null}", [page(1), page(2), page(1)], "repeats page 1"),
        ("{type: json_link}", [page(1, next="?p=2"), Answer("", 404)],
         "page 2 of GET 127.0.0.1/orders: HTTP 404"),
        ("{type: cursor, cursor_path: next}", [page(next=str(n)) for n in range(9)] * 2,
         "leads back"),
        ("{type: page_number, total_path: total}", [page(1)], "doesn't fit `paginator`"),
    ],
)  # fmt: skip
def test_pages_that_do_not_end_well_are_an_error(
    lab: Lab, server: Server, paginator: str, answers: list, says: str
) -> None:
    declare_pages(lab, paginator)
    server.answers["/orders"] = list(answers)
    assert says in failure(lab)
    assert orders(lab) == [], "nothing of a slice that isn't whole is kept"


@on_engines("duckdb")
def test_a_row_that_moves_between_pages_lands_once(lab: Lab, server: Server) -> None:
    declare_pages(lab, "{type: json_link}")
    server.answers["/orders"] = [page(1, 2, next="?p=2"), page(2, 3)]
    loaded(lab)
    assert orders(lab, "id") == [(1,), (2,), (3,)]


# -- busy, slow and broken APIs ------------------------------------------------------------------


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each sleep; none is slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("said", "least", "most"), [("2", 2, 2), ("date", 30, 60), (None, 0.01, 0.01)]
)
def test_a_busy_api_is_asked_again_when_it_says(
    lab: Lab, server: Server, slept: list[float], said: str | None, least: float, most: float
) -> None:
    declare(lab, LISTING.replace("longest: 3s", "longest: 60s"))
    wait = formatdate(time.time() + 60, usegmt=True) if said == "date" else said
    busy = Answer({}, 429, {"Retry-After": wait} if wait else {})
    server.answers["/orders"] = [busy, {"data": [ROW]}]
    loaded(lab)
    (seconds,) = slept
    assert least <= seconds <= most


@on_engines("duckdb")
def test_a_wait_that_is_too_long_is_left_to_the_next_run(lab: Lab, server: Server) -> None:
    declare(lab)
    server.answers["/orders"] = Answer({}, 429, {"Retry-After": "3600"})
    assert "asks to wait 3600 s" in failure(lab)
    assert len(server.asked) == 1


@on_engines("duckdb")
@pytest.mark.parametrize("broken", [Answer("", 503), Answer("{", cut=5), Answer({}, 429)])
def test_what_may_be_better_later_is_asked_for_again(
    lab: Lab, server: Server, broken: Answer
) -> None:
    declare(lab)
    server.answers["/orders"] = [broken, broken, {"data": [ROW]}]
    loaded(lab)
    server.answers["/orders"] = broken
    server.asked.clear()
    said = failure(lab)
    assert "page 1 of GET 127.0.0.1/orders: " in said
    assert len(server.asked) == 3
    assert orders(lab, "id") == [(1,)]


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer("<html>Sorry</html>", headers={"Content-Type": "text/html; charset=x"}),
         "no JSON (text/html, 18 bytes)"),
        (Answer('{"data": [{"id": 1'), "no JSON"),
        (Answer('{"data": [{"id": NaN, "amount": 1, "note": ""}]}'), "no JSON"),
        (Answer('{"data": ' + "[" * 100_000), "no JSON"),
        (Answer(""), "no JSON"),
        ({"error": "quota"}, "the answer lacks data"),
        ({"data": None}, "the answer lacks data"),
        ({"data": ["text"]}, "rows that are no JSON objects"),
        ({"data": {"error": 1}}, "no row has amount, id, note"),
        (Answer({"data": []}, 403), "HTTP 403: check the credentials"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_an_error_and_not_zero_rows(
    lab: Lab, server: Server, answer: Any, says: str
) -> None:
    declare(lab, options="key: [id]\nempty: allowed")
    server.answers["/orders"] = {"data": [ROW]}
    loaded(lab)
    server.answers["/orders"] = answer
    assert says in failure(lab)
    assert orders(lab, "id") == [(1,)]


@on_engines("duckdb")
@pytest.mark.parametrize("answer", [[], [{"rows": []}]])
def test_empty_lists_are_empty(lab: Lab, server: Server, answer: Any) -> None:
    text = LISTING.replace("data_selector: data", "data_selector: '[*].rows[*]'")
    declare(lab, text, options="key: [id]\nempty: allowed")
    server.answers["/orders"] = Answer(answer)
    assert loaded(lab).counts.read == 0
    server.answers["/orders"] = Answer([{"error": 1}])
    assert "the answer lacks" in failure(lab)


@on_engines("duckdb")
def test_an_answer_can_be_declared_to_mean_nothing(lab: Lab, server: Server) -> None:
    actions = "response_actions: [{status_code: 404, content: none yet, action: ignore}]"
    declare(lab, options="key: [id]\nempty: allowed", endpoint=actions)
    server.answers["/orders"] = Answer("none yet", 404)
    assert loaded(lab).counts.read == 0
    server.answers["/orders"] = Answer("", 404)
    assert "HTTP 404" in failure(lab)
    declare(lab, options="key: [id]\nempty: allowed", endpoint="may_lack_data: true")
    server.answers["/orders"] = {"rows": 0}
    assert loaded(lab).counts.read == 0


@on_engines("duckdb")
def test_error_codes_in_the_body_are_heeded(lab: Lab, server: Server) -> None:
    declare(lab, client="error: {path: code, ok: [0], retry: [40100]}")
    good = {"code": 0, "data": [ROW]}
    server.answers["/orders"] = [{"code": 40100}, {"code": 40100}, good]
    loaded(lab)
    assert len(server.asked) == 3
    for bad in ({"code": 40001, "data": []}, {"data": [ROW]}):
        server.answers["/orders"] = bad
        assert "answers with error code" in failure(lab)


@on_engines("duckdb")
def test_silence_and_slow_drips_end(lab: Lab, server: Server) -> None:
    declare(lab, LISTING.replace("timeout: 2s", "timeout: 600ms\n      deadline: 1s"))
    server.answers["/orders"] = lambda _: time.sleep(2) or {"data": [ROW]}
    assert "no answer in time" in failure(lab)
    server.answers["/orders"] = Answer({"data": [ROW]}, drip=0.1)
    assert "was not done within 1 s" in failure(lab)


@on_engines("duckdb")
def test_calls_of_an_account_keep_their_distance(
    lab: Lab, server: Server, slept: list[float]
) -> None:
    text = LISTING.replace("path: /orders", "path: /orders/{account}")
    declare(
        lab,
        text.replace("paginator: single_page", "paginator: {type: json_link}"),
        client="accounts: [a, b]\nrate_limit: {calls: 1, per: 60s, by: account}",
    )
    server.answers["/orders/"] = [page(1, next="?p=2"), page(2), page(3, next="?p=2"), page(4)]
    loaded(lab)
    assert [asked.path[-1] for asked in server.asked] == ["a", "a", "b", "b"]
    assert len(slept) == 2 and all(50 < seconds <= 60 for seconds in slept)


# -- signing in ----------------------------------------------------------------------------------


def only_for(asked: Asked, allowed: bool) -> Answer:
    return Answer({"data": [ROW]}) if allowed else Answer({"error": "no"}, 401)


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("auth", "where", "what"),
    [
        ("{type: bearer, token: '${KEY}'}", "authorization", "Bearer s3cr3t{x}"),
        ("{type: api_key, name: X-Key, api_key: '${KEY}'}", "x-key", "s3cr3t{x}"),
        ("{type: api_key, name: key, api_key: '${KEY}', location: query}", None, "s3cr3t{x}"),
        ("{type: http_basic, username: me, password: '${KEY}'}", "authorization",
         "Basic " + base64.b64encode(b"me:s3cr3t{x}").decode()),
    ],
)  # fmt: skip
def test_fixed_keys(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, auth: str, where: str, what: str
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t{x}")
    declare(lab, client=f"auth: {auth}")
    busy = [Answer({}, 503)]  # and the key is there once when it is asked again

    def answer(asked: Asked) -> Answer:
        if busy:
            return busy.pop()
        assert asked.target.count("s3cr3t") == (where is None)
        return only_for(asked, (asked.headers.get(where) if where else asked.query["key"]) == what)

    server.answers["/orders"] = answer
    loaded(lab)


NAVER = """\
    auth:
      type: hmac
      secret: ${KEY}
      template: "{timestamp}.{method}.{path}"
      headers:
        X-Timestamp: "{timestamp}"
        X-API-KEY: ${LICENCE}
        X-Customer: "{account}"
        X-Signature: "{signature}"
"""


def naver_allows(asked: Asked) -> bool:
    """As the medium checks it: customer, time and signature of time, method and path."""
    signed = f"{asked.headers['x-timestamp']}.{asked.method}.{asked.path}"
    expected = hmac.new(b"s3cr3t", signed.encode(), hashlib.sha256).digest()
    return (
        asked.headers["x-signature"] == base64.b64encode(expected).decode()
        and asked.headers["x-api-key"] == "licence"
        and asked.headers["x-customer"] == "77"
        and abs(int(asked.headers["x-timestamp"]) - time.time() * 1000) < 5000
    )


@on_engines("duckdb")
def test_requests_are_signed_as_naver_wants_it(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    monkeypatch.setenv("LICENCE", "licence")
    auth = textwrap.dedent(NAVER)
    customer = '  X-Customer: "{account}"'
    auth = "\n".join(line for line in auth.splitlines() if customer.strip() not in line)
    client = f"{auth}\naccounts: ['77']\nheaders:\n{customer}"
    declare(lab, client=client, endpoint="params: {a: 1}")
    # a time that has passed is not signed again and again
    answers = [Answer({}, 503)]
    server.answers["/orders"] = lambda asked: (
        answers.pop() if answers else only_for(asked, naver_allows(asked))
    )
    loaded(lab)
    first, second = (asked.headers["x-timestamp"] for asked in server.asked)
    assert first != second
    monkeypatch.setenv("KEY", "wrong")
    assert "HTTP 401: check the credentials" in failure(lab)


def decoded(part: str) -> bytes:
    """A part of a JWS or JWT, which is not padded."""
    assert "=" not in part
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@on_engines("duckdb")
def test_requests_are_signed_as_line_wants_it(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    declare(
        lab,
        client="auth: {type: jws, key: access, secret: '${KEY}'}",
        endpoint="method: POST\njson: {level: ad}",
    )

    def checked(asked: Asked) -> Answer:
        header, payload, signature = asked.headers["authorization"].split(" ")[1].split(".")
        expected = hmac.new(b"s3cr3t", f"{header}.{payload}".encode(), hashlib.sha256).digest()
        digest, kind, day, path = decoded(payload).decode().split("\n")
        stamp = datetime.strptime(asked.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
        return only_for(
            asked,
            decoded(signature) == expected
            and json.loads(decoded(header))
            == {"alg": "HS256", "kid": "access", "typ": "text/plain"}
            and digest == hashlib.sha256(asked.body).hexdigest()
            and (kind, path) == ("application/json", "/orders")
            and day == stamp.strftime("%Y%m%d"),
        )

    server.answers["/orders"] = checked
    loaded(lab)


def token(name: str, **more: Any) -> dict[str, Any]:
    return {"access_token": name, "token_type": "Bearer", "expires_in": 3600, **more}


CREDENTIALS = """\
    auth:
      type: oauth2_client_credentials
      access_token_url: ${API}/token
      client_id: me
      client_secret: ${KEY}
      access_token_request_data: {scope: ads}
"""


@on_engines("duckdb")
def test_a_token_that_runs_out_on_page_three_is_renewed_once(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    declare_pages(
        lab, "{type: page_number, total_path: pages}", client=textwrap.dedent(CREDENTIALS)
    )
    server.answers["/token"] = [token("first"), token("second")]

    def answer(asked: Asked) -> Any:
        number = int(asked.query["page"])
        right = "Bearer second" if number >= 2 else "Bearer first"
        if asked.headers["authorization"] != right:
            return Answer({"error": "expired"}, 401)
        return page(number, pages=4)

    server.answers["/orders"] = answer
    loaded(lab)
    assert orders(lab, "id") == [(0,), (1,), (2,), (3,)]
    assert [asked.query["page"] for asked in server.at("/orders")] == list("01223")
    assert [asked.form for asked in server.at("/token")] == [
        {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cr3t",
         "scope": "ads"}
    ] * 2  # fmt: skip
    # a token that is refused for good is asked for once more, not for ever
    server.answers["/orders"] = Answer({}, 401)
    server.asked.clear()
    assert "HTTP 401" in failure(lab)
    assert len(server.at("/orders")) == 2


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer({"error": "x"}, 400), "gives no token (HTTP 400)"),
        ({"data": 1}, "without an access"),
    ],
)
def test_no_token_is_said_so(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, answer: Any, says: str
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    declare(lab, client=textwrap.dedent(CREDENTIALS))
    server.answers["/token"] = answer
    said = failure(lab)
    assert says in said and "s3cr3t" not in said


@on_engines("duckdb")
def test_a_client_secret_is_signed_as_apple_wants_it(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    monkeypatch.setenv("PEM", pem.replace("\n", "\\n"))
    declare(
        lab,
        client="""
            auth:
              type: es256_jwt
              access_token_url: ${API}/token
              client_id: SEARCHADS.me
              issuer: SEARCHADS.team
              key_id: k1
              audience: https://appleid.apple.com
              private_key: ${PEM}
              access_token_request_data: {scope: searchadsorg}
        """,
    )

    def checked(asked: Asked) -> Answer:
        header, claims, signature = asked.form["client_secret"].split(".")
        raw = decoded(signature)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        key.public_key().verify(  # raises where it is wrong
            encode_dss_signature(r, s), f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256())
        )
        said = json.loads(decoded(claims))
        assert json.loads(decoded(header)) == {"alg": "ES256", "kid": "k1"}
        assert (said["iss"], said["sub"]) == ("SEARCHADS.team", "SEARCHADS.me")
        assert said["aud"] == "https://appleid.apple.com" and said["exp"] > time.time()
        assert asked.form["scope"] == "searchadsorg"
        return Answer(token("apple"))

    server.answers["/token"] = checked
    server.answers["/orders"] = lambda asked: only_for(
        asked, asked.headers["authorization"] == "Bearer apple"
    )
    loaded(lab)


REFRESH = """\
    auth:
      type: refresh_token
      access_token_url: ${API}/token
      client_id: me
      client_secret: ${KEY}
      refresh_token: ${REFRESH}
"""


@on_engines("duckdb")
def test_a_refresh_token_that_the_api_changes_is_kept(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    monkeypatch.setenv("REFRESH", "r0")
    declare(lab, client=textwrap.dedent(REFRESH))
    valid, count = ["r0"], 0
    kept = lab.folder / "tokens" / "shop.json"

    def rotated(asked: Asked) -> Answer:
        nonlocal count
        if asked.form["refresh_token"] not in valid or asked.form["grant_type"] != "refresh_token":
            return Answer({"error": "invalid_grant"}, 400)
        count += 1
        valid[:] = [f"r{count}"]
        return Answer(token(f"a{count}", refresh_token=valid[0]))

    def answer(asked: Asked) -> Answer:
        # what the API changed is on disk before it is used
        assert valid[0] in kept.read_text()
        return only_for(asked, asked.headers["authorization"] == f"Bearer a{count}")

    server.answers |= {"/token": rotated, "/orders": answer}
    loaded(lab)
    loaded(lab)
    assert [asked.form["refresh_token"] for asked in server.at("/token")] == ["r0", "r1"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in kept.parent.iterdir()] == ["shop.json"]
    # signed in anew: the kept one is void
    valid[:] = ["new"]
    assert "sign in to the API anew" in failure(lab)
    monkeypatch.setenv("REFRESH", "new")
    loaded(lab)


# -- hosts and secrets ---------------------------------------------------------------------------


@on_engines("duckdb")
def test_only_listed_hosts_are_talked_to(lab: Lab, server: Server) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    declare_pages(lab, "{type: json_link}")
    link = page(1, next=f"{other}/orders?p=2")
    server.answers["/orders"] = [link, page(2)]
    assert "localhost is not among `hosts`: refused" in failure(lab)
    assert len(server.asked) == 1
    server.answers["/orders"] = Answer({}, 302, {"Location": f"{other}/orders"})
    assert "localhost is not among `hosts`: refused" in failure(lab)
    declare_pages(lab, "{type: json_link}", client="hosts: [localhost]")
    server.answers["/orders"] = [link, page(2)]
    loaded(lab)


@on_engines("duckdb")
def test_credentials_go_to_no_other_host(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    other = server.url.replace("127.0.0.1", "localhost")
    client = "hosts: [localhost]\nheaders: {X-Developer: '${KEY}'}\nauth: "
    for auth in (
        "{type: bearer, token: '${KEY}'}",
        "{type: api_key, name: key, api_key: '${KEY}', location: query}",
    ):
        declare_pages(lab, "{type: json_link}", client=client + auth)
        for first in (
            page(1, next=f"{other}/orders?p=2"),
            Answer({}, 302, {"Location": f"{other}/orders"}),
        ):
            server.asked.clear()
            server.answers["/orders"] = [first, page(2)]
            loaded(lab)
            own, foreign = server.asked
            assert "s3cr3t" in str(own)
            assert foreign.headers["host"].startswith("localhost")
            assert "s3cr3t" not in str(foreign)


@on_engines("duckdb")
def test_a_body_goes_to_no_other_host(lab: Lab, server: Server) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    declare(lab, client="hosts: [localhost]", endpoint="method: POST\njson: {key: s3cr3t}")
    server.answers["/orders"] = Answer({}, 307, {"Location": f"{other}/orders"})
    assert "would tell it the body: refused" in failure(lab)
    assert len(server.asked) == 1


@on_engines("duckdb")
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "0.0.0.0"])
def test_a_name_that_leads_into_the_private_network_is_refused(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    connected = socket.socket.connect

    def connect(self: socket.socket, to: Any) -> None:
        connected(self, ("127.0.0.1", int(server.url.rpartition(":")[2])))

    if address == "127.0.0.1":  # others can't be reached from here
        monkeypatch.setattr(socket.socket, "connect", connect)
    else:
        monkeypatch.setattr(socket.socket, "connect", lambda *_: None)
        monkeypatch.setattr(socket.socket, "getpeername", lambda _: (address, 443))
    monkeypatch.setenv("API", "https://ads.example")
    declare(lab)
    assert "ads.example leads to a private address: refused" in failure(lab)
    assert server.asked == []


@on_engines("duckdb")
@pytest.mark.parametrize("url", ["http://ads.example", "ftp://127.0.0.1", "file:///etc/passwd"])
def test_only_https_is_spoken(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("API", url)
    declare(lab)
    assert failure(lab).endswith("refused")
    assert server.asked == []


@on_engines("duckdb")
def test_no_secret_is_in_a_message(
    lab: Lab,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("KEY", "s3cr3t")
    monkeypatch.setenv("API", server.url.replace("//", "//user:s3cr3t@"))
    declare(
        lab,
        LISTING.replace("path: /orders", "path: /orders/${KEY}?key=${KEY}"),
        client="""
            auth: {type: api_key, name: key, api_key: '${KEY}', location: query}
            error: {path: code, ok: [null]}
        """,
        endpoint="params: {also: '${KEY}'}",
    )
    said = []
    answers = [
        Answer("s3cr3t", 400), Answer("s3cr3t"), {"code": "s3cr3t or so"}, Answer({}, 503),
        {"data": "s3cr3t"}, Answer("{", cut=3),
        Answer({}, 302, {"Location": "https://x.example/?key=s3cr3t"}),
    ]  # fmt: skip
    for answer in answers:
        server.answers["/orders/"] = answer
        said.append(failure(lab))
    assert "GET 127.0.0.1/orders/${KEY}: HTTP 400" in said[0]
    monkeypatch.setenv("API", "http://user:s3cr3t@127.0.0.1:9")
    said.append(failure(lab))
    assert "can't connect" in said[-1]
    captured = capfd.readouterr()
    assert "s3cr3t" not in "".join(said) + captured.out + captured.err + caplog.text
    assert lab.query("select * from raw_ledger.runs where message like '%s3cr3t%'") == []


@on_engines("duckdb")
def test_nothing_is_written_elsewhere_and_dlt_is_loaded_late(lab: Lab, server: Server) -> None:
    declare(lab)
    server.answers["/orders"] = {"data": [ROW]}
    home = lab.folder / "home"
    home.mkdir()
    script = f"""
import sys, threading
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from engines import open_warehouse
from extract_load import load, read_sources
sources = read_sources(Path({str(lab.sources)!r}))
assert not [name for name in sys.modules if name.split(".")[0] in ("dlt", "requests")]
with open_warehouse("duckdb", {lab.place!r}) as warehouse:
    report = load(sources.values(), warehouse, Path({str(lab.folder / "landing")!r}), None)
assert not report.failed, report
assert "dlt.common.runtime.telemetry" not in sys.modules or threading.active_count() == 1
"""
    environment = {"HOME": str(home), "API": server.url, "PYTHONPATH": str(PROJECT)}
    environment["PATH"] = os.environ["PATH"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
    assert list((lab.folder / "landing").iterdir()) == []


# -- reports and tables --------------------------------------------------------------------------

# Naver Search Ad: signed, made on request, TSV without header
NAVER_MEDIUM = """\
    source: ads
    description: Naver Search Ad.
    reader: rest
    client:
      base_url: ${ADS_URL}
      accounts: ['77']
      retry: {attempts: 2, wait: 10ms}
      HOSTS
      auth:
        type: hmac
        secret: ${KEY}
        template: "{timestamp}.{method}.{path}"
        headers: {X-Timestamp: "{timestamp}", X-API-KEY: licence, X-Signature: "{signature}"}
      headers: {X-Customer: "{account}"}
    tables:
      ads:
        description: One row is an ad on a day as one extraction reported it.
        empty: marked
        endpoint:
          path: /stat-reports
          method: POST
          json: {reportTp: AD, statDt: "{window.from}"}
          window: {chunk: 1d, since: SINCE, format: "%Y%m%d"}
          report:
            poll: /stat-reports/{answer.reportJobId}
            status: status
            ok: [BUILT]
            empty: [NONE]
            retry: [REGIST, RUNNING]
            fail: [ERROR]
            download: "{answer.downloadUrl}"
            every: 20ms
            within: 300ms
          body: {format: tsv, columns: [stat_date, account_id, ad_id, clicks]}
        columns:
          window_from: string none
          stat_date: string none
          account_id: string none
          ad_id: string none
          clicks: bigint none
"""


@pytest.fixture
def naver(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Yesterday's report is there after two looks; today has none."""
    monkeypatch.setenv("KEY", "s3cr3t")
    naver_declared(lab)
    looks: dict[str, list[str]] = {}

    def submit(asked: Asked) -> Answer:
        assert asked.method == "POST" and naver_allows(asked) and asked.json["reportTp"] == "AD"
        day = asked.json["statDt"]
        looks[day] = ["RUNNING", "NONE" if day == f"{TODAY:%Y%m%d}" else "BUILT"]
        return Answer({"reportJobId": day, "status": "REGIST"})

    def poll(asked: Asked) -> Answer:
        assert naver_allows(asked)
        states = looks[asked.path.rpartition("/")[2]]
        state = states.pop(0) if len(states) > 1 else states[0]
        url = f"{server.url}/report-download?token=t" if state == "BUILT" else ""
        return Answer({"status": state, "downloadUrl": url})

    def download(asked: Asked) -> Answer:
        assert naver_allows(asked)
        return Answer(gzip.compress(b"20260101\t77\tnad-1\t5\n20260101\t77\tnad-2\tx\n"))

    server.answers |= {
        "/stat-reports": submit, "/stat-reports/": poll, "/report-download": download
    }  # fmt: skip
    return server


def naver_declared(lab: Lab, hosts: str = "") -> None:
    text = NAVER_MEDIUM.replace("SINCE", (TODAY - DAY).isoformat())
    lab.declare(text.replace("      HOSTS\n", f"      {hosts}\n" if hosts else ""), "ads")


@on_engines("duckdb")
def test_a_report_is_asked_for_awaited_and_fetched(lab: Lab, naver: Server) -> None:
    counts = loaded(lab).counts
    assert (counts.read, counts.loaded, counts.quarantined) == (3, 2, 1)
    rows = lab.query(
        "select window_from, stat_date, account_id, ad_id, clicks, _line"
        " from raw_ads.ads order by 1"
    )
    assert rows == [
        (f"{TODAY - DAY:%Y%m%d}", "20260101", "77", "nad-1", 5, 1),
        (f"{TODAY:%Y%m%d}", None, None, None, None, 0),  # NONE: a day without anything
    ]
    assert lab.query("select line, reason from raw_ledger.quarantine") == [
        (2, "clicks is no bigint")
    ]
    assert len(naver.at("/report-download")) == 1
    assert list((lab.folder / "landing").iterdir()) == []


@on_engines("duckdb")
def test_a_report_can_come_as_pages(lab: Lab, server: Server) -> None:
    """As Meta's does, and with an offset in the body as Apple has it."""
    declare_pages(
        lab,
        "{type: offset, limit: 2, offset_body_path: page.offset, limit_body_path: page.limit,"
        " total_path: total}",
        endpoint="""
            method: POST
            report:
              poll: {path: "/runs/{answer.run}", params: {fields: status}}
              status: state.name
              ok: [done]
              retry: [running]
              download: {path: "/runs/{answer.run}/rows", method: POST, json: {run: "{answer.run}"}}
              every: 10ms
        """,
    )
    states = ["running", "done"]
    server.answers |= {
        "/orders": {"run": 5},
        "/runs/5": lambda _: {"state": {"name": states.pop(0)}},
        "/runs/5/rows": [page(1, 2, total=3), page(3, total=3)],
    }
    loaded(lab)
    assert orders(lab, "id") == [(1,), (2,), (3,)]
    assert [asked.json for asked in server.at("/runs/5/rows")] == [
        {"run": 5, "page": {"offset": 0, "limit": 2}}, {"run": 5, "page": {"offset": 2, "limit": 2}}
    ]  # fmt: skip


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("ERROR", "the report failed: ERROR"),
        ("LOST", "is in a state that isn't declared: LOST"),
        ("RUNNING", "not made within 0 s: RUNNING"),
    ],
)
def test_a_report_that_does_not_come_is_an_error(
    lab: Lab, naver: Server, status: str, says: str
) -> None:
    naver.answers["/stat-reports/"] = {"status": status}
    assert says in failure(lab)
    naver.answers["/stat-reports"] = Answer({"id": 1})
    assert "nothing to fill in for {answer.reportJobId}" in failure(lab)


@on_engines("duckdb")
@pytest.mark.parametrize("place", ["https://127.0.0.2/x", "http://evil.example/x"])
def test_a_download_from_elsewhere_is_refused(lab: Lab, naver: Server, place: str) -> None:
    naver.answers["/stat-reports/"] = {"status": "BUILT", "downloadUrl": place}
    assert failure(lab).endswith("refused")


@on_engines("duckdb")
def test_a_download_from_a_listed_host_comes_without_credentials(lab: Lab, naver: Server) -> None:
    naver_declared(lab, "hosts: [localhost]")
    place = naver.url.replace("127.0.0.1", "localhost") + "/file?sig=1"
    naver.answers |= {
        "/stat-reports/": {"status": "BUILT", "downloadUrl": place},
        "/file": "20260101\t77\tnad-1\t5\n",
    }
    loaded(lab)
    for asked in naver.at("/file"):
        assert asked.query == {"sig": "1"}
        assert not [name for name in asked.headers if name.startswith("x-")]


@on_engines("duckdb")
def test_a_download_may_lie_behind_a_redirect(lab: Lab, naver: Server) -> None:
    naver_declared(lab, "hosts: [localhost]")
    place = naver.url.replace("127.0.0.1", "localhost") + "/file?sig=1"
    naver.answers |= {
        "/report-download": Answer("moved", 302, {"Location": place}),
        "/file": "20260101\t77\tnad-1\t5\n",
    }
    assert loaded(lab).counts.loaded == 2
    assert not [name for name in naver.at("/file")[0].headers if name.startswith("x-")]


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


CSV = b'id,amount,note\n1,2,x\n2,3,"a\nb"\n'
LINES = b'{"id": 1, "amount": 2, "note": "x"}\n\n{"id": 2, "amount": 3, "note": {"a": 1.0}}\n'


def declare_body(lab: Lab, body: str) -> None:
    declare(lab, LISTING.replace("data_selector: data", f"body: {body}"))


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("body", "data", "note"),
    [
        ("{format: csv}", CSV, "a\nb"),
        ("{format: csv}", b"\xef\xbb\xbf" + CSV, "a\nb"),
        ("{format: csv}", gzip.compress(CSV), "a\nb"),
        ("{format: csv}", zipped(a=b"id,amount,note\n1,2,x\n", b=b"id,amount,note\n2,3,y\n"), "y"),
        ("{format: csv, encoding: cp949, delimiter: ;}",
         "id;amount;note\n1;2;x\n2;3;한글\n".encode("cp949"), "한글"),
        ("{format: tsv, columns: [id, amount, note]}", b"1\t2\tx\n2\t3\ty", "y"),
        ("{format: ndjson}", LINES, '{"a":1.0}'),
        ("{format: ndjson}", zipped(a=gzip.compress(LINES)), '{"a":1.0}'),
    ],
    ids=["plain", "mark", "gzip", "zip", "cp949", "no header", "lines", "gzip in zip"],
)  # fmt: skip
def test_tables_in_bodies(lab: Lab, server: Server, body: str, data: bytes, note: str) -> None:
    declare_body(lab, body)
    server.answers["/orders"] = Answer(data)
    assert loaded(lab).counts.loaded == 2
    assert orders(lab) == [(1, 2, "x"), (2, 3, note)]
    assert list((lab.folder / "landing").iterdir()) == []


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("body", "data", "reason"),
    [
        ("{format: csv}", CSV + b"3,4\n", "2 fields where the header has 3"),
        ("{format: ndjson}", LINES + b'{"id": 3\n', "not a JSON object"),
        ("{format: ndjson}", LINES + b"[1]\n", "not a JSON object"),
    ],
)
def test_a_bad_line_is_quarantined(
    lab: Lab, server: Server, body: str, data: bytes, reason: str
) -> None:
    declare_body(lab, body)
    server.answers["/orders"] = Answer(data)
    counts = loaded(lab).counts
    assert (counts.loaded, counts.quarantined) == (2, 1)
    assert lab.query("select reason from raw_ledger.quarantine") == [(reason,)]


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("body", "answer", "says"),
    [
        ("{format: csv}", Answer("<html>Sorry</html>"), "HTML, XML or JSON"),
        ("{format: tsv, columns: [id, amount, note]}", Answer({"error": 1}), "HTML, XML or JSON"),
        ("{format: csv}", Answer(gzip.compress(CSV)[:-9]), "can't be read"),
        ("{format: csv}", Answer(zipped(a=CSV)[:-9]), "can't be read"),
        ("{format: csv}", Answer(zipped(a=zipped(b=CSV))), "an archive within an archive"),
        ("{format: csv}", Answer(CSV, cut=3), "the connection broke"),
        ("{format: csv}", Answer("id,note\n1,x\n"), "the header lacks amount"),
        ("{format: ndjson}", Answer('{"id": 1, "amount": 2}\n'), "no row has note"),
        ("{format: csv}", Answer(CSV, 500), "HTTP 500"),
    ],
)
def test_a_body_that_is_no_table_is_an_error(
    lab: Lab, server: Server, body: str, answer: Answer, says: str
) -> None:
    declare_body(lab, body)
    server.answers["/orders"] = answer
    assert says in failure(lab)
    assert orders(lab) == []


@on_engines("duckdb")
@pytest.mark.parametrize("body", ["{format: csv}", "{format: ndjson}"])
@pytest.mark.parametrize("pack", [lambda data: gzip.compress(data, 1), lambda data: zipped(a=data)])
def test_a_bomb_is_refused_before_it_fills_the_memory(
    lab: Lab, server: Server, body: str, pack: Any
) -> None:
    declare_body(lab, body)
    server.answers["/orders"] = Answer(pack(b"id,amount,note\n" + b"0" * 2**27))
    before = psutil.Process().memory_info().rss
    said = failure(lab)
    assert "unpacks to" in said or "longer than" in said
    assert psutil.Process().memory_info().rss - before < 100 * 2**20


# -- declarations --------------------------------------------------------------------------------


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("line", "instead", "at", "says"),
    [
        ("auth: {type: bearer,", "auth: {type: barer,", 6, "type is one of bearer, api_key"),
        ('token: "${ADS_TOKEN}"}', "tocken: x}", 6, "tocken: unknown setting"),
        ("base_page: 1", "base_page: one", 7, "base_page"),
        ("accounts: ${", "acounts: ${", 8, "unknown setting"),
        ("path: /accounts/{account}/ads", "path: /../x", 13, "'..' has no place"),
        ('"{window.from}"', '"{windw.from}"', 12, "{windw.from} is filled in by nothing"),
        ("data_selector: data", "method: GET", 12, "say where the rows are"),
        ("chunk: 3d", "chunk: 0d", 16, "greater than 0"),
        ("chunk: 3d", "chunk: soon", 16, "chunk"),
        ("since: SINCE", "since: soon", 16, "since"),
        ("data_selector: data", "data_selektor: data", 15, "unknown setting"),
    ],
)
def test_a_mistake_names_file_and_line(
    lab: Lab, line: str, instead: str, at: int, says: str
) -> None:
    text = MEDIUM.replace(line, instead).replace("SINCE", "2026-01-01")
    lab.declare(text, "ads")
    with pytest.raises(DeclarationError) as caught:
        read_sources(lab.sources)
    assert f"ads.yml:{at}: " in str(caught.value) and says in str(caught.value)


@on_engines("duckdb")
def test_a_variable_that_is_not_set_is_named_with_its_line(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    medium(lab, server, TODAY)
    monkeypatch.delenv("ADS_TOKEN")
    assert "ads.yml:6: environment variable ADS_TOKEN is not set" in failure(lab)


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("paginator: single_page", "", "say how the API pages"),
        ("key: [id]", "key: [id]\n        deletes: compare_keys", "compare_keys needs a database"),
        ("timeout: 2s", "accounts: ' ,'", "client.accounts names no account"),
        ("path: /orders", "path: '/orders/{resources.shops.id}'", "shops is no table"),
    ],
)
def test_what_only_shows_when_it_is_read_is_said_in_a_line(
    lab: Lab, server: Server, line: str, instead: str, says: str
) -> None:
    declare(lab, LISTING.replace("OPTIONS", "key: [id]").replace(line, instead))
    server.answers["/"] = {"data": [ROW]}
    assert says in failure(lab)


@on_engines("duckdb")
def test_check_signs_in_and_asks_for_what_is_cheap(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab)
    server.answers["/orders"] = {"data": [ROW]}
    shop = read_sources(lab.sources)["shop"]
    assert rest.check(shop) == []
    server.answers["/orders"] = Answer({}, 401)
    with pytest.raises(ReadError, match="HTTP 401"):
        rest.check(shop)
    monkeypatch.setenv("API", "http://ads.example")
    with pytest.raises(ReadError, match="only https is"):
        rest.check(shop)
    medium(lab, server, TODAY)
    assert rest.check(read_sources(lab.sources)["ads"]) == [
        "table ads: declared well, not asked for"
    ]
