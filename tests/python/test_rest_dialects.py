"""What some web APIs say in their own way: signatures, lists in rows, framed tables, steps."""

import base64
import gzip
import hashlib
import hmac
import json
import textwrap
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest

from conftest import Lab
from engines import on_engines
from extract_load import DeclarationError, read_sources
from rest_server import Answer, Asked, Server, serving

TODAY = date(2026, 6, 3)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Every host of the web, on this machine."""
    with serving() as server:
        monkeypatch.setenv("GOODOC_API_STAND_IN", server.url)
        monkeypatch.setenv("SECRET", "s3cr3t")
        monkeypatch.setenv("ADS_SINCE", "2026-06-01")
        yield server


def declare(
    lab: Lab, endpoint: str, columns: str, client: str = "", header: str = "{}", source: str = ""
) -> None:
    """A source with one table; texts are lines of YAML."""
    text = f"""\
source: ads
description: A medium.
reader: rest
{textwrap.dedent(source).strip()}
client:
  base_url: https://api.example.com/v1
  paginator: single_page
  retry: {{attempts: 3, wait: 1ms, longest: 1s}}
{textwrap.indent(textwrap.dedent(client).strip(), "  ")}
tables:
  ads:
    description: One row is an ad.
    endpoint:
{textwrap.indent(textwrap.dedent(endpoint).strip(), "      ")}
    header: {header}
    columns: {columns}
"""
    lab.declare(text, "ads")


def failure(lab: Lab) -> str | None:
    (table,) = lab.load(today=TODAY).tables
    return table.error


def rows(lab: Lab, columns: str = "*") -> list[tuple[Any, ...]]:
    assert failure(lab) is None
    return lab.query(f"select {columns} from raw_ads.ads where _deleted_at is null order by all")


LIST = "path: /ads\ndata_selector: data"


@on_engines("duckdb")
def test_a_stand_in_gets_what_the_host_would_have_got(lab: Lab, server: Server) -> None:
    declare(lab, LIST, "{id: bigint none}", 'auth: {type: bearer, token: "${SECRET}"}')
    server.answers["/v1/ads"] = {"data": [{"id": 1}]}
    assert rows(lab, "id") == [(1,)]
    (asked,) = server.asked
    assert asked.headers["host"] == "api.example.com"
    assert asked.headers["authorization"] == "Bearer s3cr3t"


@on_engines("duckdb")
def test_a_stand_in_opens_no_other_host(lab: Lab, server: Server) -> None:
    declare(
        lab, "path: https://elsewhere.example.org/ads\ndata_selector: data", "{id: bigint none}"
    )
    assert "elsewhere.example.org is not among `hosts`" in (failure(lab) or "")
    assert not server.asked


@on_engines("duckdb")
@pytest.mark.parametrize(
    "address",
    ["http://10.0.0.8:80", "https://127.0.0.1:1", "http://example.com", "http://127.0.0.1/x"],
)
def test_a_stand_in_is_on_this_machine(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("GOODOC_API_STAND_IN", address)
    declare(lab, LIST, "{id: bigint none}")
    assert "no address of this machine" in (failure(lab) or "")


@on_engines("duckdb")
def test_windows_end_today_and_begin_where_a_variable_says(lab: Lab, server: Server) -> None:
    endpoint = """\
    path: /ads
    params: {from: "{window.from}", to: "{window.after}", month: "{window.until_month}",
      days: "{window.days}"}
    data_selector: data
    window: {chunk: 2d, since: "${ADS_SINCE}"}
    """
    declare(lab, endpoint, "{window_to: string none, id: bigint none}")
    server.answers["/v1/ads"] = {"data": [{"id": 1}]}
    assert rows(lab, "window_to") == [("20260602",), ("20260603",)]
    assert [asked.query for asked in server.asked] == [
        {"from": "2026-06-01", "to": "2026-06-03", "month": "6", "days": "2"},
        {"from": "2026-06-03", "to": "2026-06-04", "month": "6", "days": "1"},
    ]


@on_engines("duckdb")
def test_an_optional_source_is_left_out_until_it_is_set_up(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = 'auth: {type: bearer, token: "${TOKEN}"}\naccounts: "${ACCOUNTS}"'
    declare(lab, LIST, "{id: bigint none}", client, source="optional: true")
    report = lab.load()
    assert report.left_out == ["ads"] and not report.failed and not server.asked
    assert lab.query("select count(*) from raw_ads.ads") == [(0,)]  # there to be read
    monkeypatch.setenv("TOKEN", "t")  # half set up is a mistake
    assert "ACCOUNTS is not set" in (failure(lab) or "")


def oauth1_is_right(asked: Asked) -> bool:
    """RFC 5849, section 3.4, by hand."""
    kind, _, fields = asked.headers["authorization"].partition(" ")
    given = {}
    for part in fields.split(", "):
        name, _, value = part.partition("=")
        given[name] = dict(parse_qsl(f"v={value.strip(chr(34))}"))["v"]
    signature = given.pop("oauth_signature")
    pairs = sorted(
        (quote(k, safe=""), quote(v, safe="")) for k, v in {**asked.query, **given}.items()
    )
    parameters = "&".join(f"{k}={v}" for k, v in pairs)
    url = f"https://{asked.headers['host']}{asked.path}"
    base = "&".join((asked.method, quote(url, safe=""), quote(parameters, safe="")))
    digest = hmac.digest(b"cs&ts", base.encode(), "sha1")
    return kind == "OAuth" and signature == base64.b64encode(digest).decode()


@on_engines("duckdb")
def test_oauth1_signs_each_request(lab: Lab, server: Server) -> None:
    client = (
        "auth: {type: oauth1, consumer_key: ck, consumer_secret: cs, token: t, token_secret: ts}"
    )
    endpoint = "path: /ads\nparams: {day: 2026-06-01, name: '가 나'}\ndata_selector: data"
    declare(lab, endpoint, "{id: bigint none}", client)
    server.answers["/v1/ads"] = lambda asked: (
        {"data": [{"id": 1}]} if oauth1_is_right(asked) else Answer({}, 401)
    )
    assert rows(lab, "id") == [(1,)]


@on_engines("duckdb")
def test_an_md5_token_goes_with_its_second(lab: Lab, server: Server) -> None:
    declare(lab, LIST, "{id: bigint none}", "auth: {type: md5_token, access_key: a, api_key: k}")

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    server.answers["/v1/ads"] = {"data": [{"id": 1}]}
    assert rows(lab, "id") == [(1,)]
    headers = server.asked[0].headers
    assert headers["access-key"] == "a" and headers["token"] == md5("k" + md5(headers["timestamp"]))


@on_engines("duckdb")
@pytest.mark.parametrize(
    "login, header, value",
    [
        (
            'method: POST, json: {api_key: "${SECRET}"}, token_path: token',
            "authorization",
            "Bearer T1",
        ),
        (
            'method: GET, username: u, password: "${SECRET}", token_path: token,'
            ' header: OB-TOKEN-V1, template: "{token}"',
            "ob-token-v1",
            "T1",
        ),
    ],
)
def test_a_login_gives_a_token(
    lab: Lab, server: Server, login: str, header: str, value: str
) -> None:
    auth = f"auth: {{type: login, url: https://login.example.com/token, {login}}}"
    declare(lab, LIST, "{id: bigint none}", auth + "\nhosts: [login.example.com]")

    def sign_in(asked: Asked) -> Answer:
        basic = "Basic " + base64.b64encode(b"u:s3cr3t").decode()
        known = asked.headers.get("authorization") == basic if asked.method == "GET" else (
            asked.json == {"api_key": "s3cr3t"}
        )  # fmt: skip
        return Answer({"token": "T1"}) if known else Answer({}, 401)

    server.answers |= {"/token": sign_in, "/v1/ads": {"data": [{"id": 1}]}}
    assert rows(lab, "id") == [(1,)]
    assert server.at("/v1/ads")[0].headers[header] == value
    server.answers["/token"] = {"no": "token"}
    assert "login.example.com answers without token" in (failure(lab) or "")


@on_engines("duckdb")
def test_lists_become_rows_and_their_parts_are_found_by_a_field(lab: Lab, server: Server) -> None:
    declare(
        lab,
        LIST + "\nexplode: days\noptional: [views]",
        "{id: bigint none, day: string none, leads: bigint none, views: bigint none,"
        " first: string none}",
        header="{days.on: day, 'days.actions[kind=a.lead].7d': leads,"
        " 'days.actions[kind=view].7d': views, names.0.text: first}",
    )
    lead = {"kind": "a.lead", "7d": 3}
    server.answers["/v1/ads"] = {
        "data": [
            {
                "id": 1,
                "names": [{"text": "x"}, {"text": "y"}],
                "days": [{"on": "d1", "actions": [{"kind": "buy", "7d": 9}, lead]}, {"on": "d2"}],
            },
            {"id": 2, "names": [], "days": []},
        ]
    }
    assert rows(lab, "id, day, leads, views, first") == [
        (1, "d1", 3, None, "x"),
        (1, "d2", None, None, "x"),
    ]
    server.answers["/v1/ads"] = {"data": [{"id": 1, "names": []}]}
    assert "a row has no list days" in (failure(lab) or "")


@on_engines("duckdb")
def test_a_json_document_may_be_a_download(lab: Lab, server: Server) -> None:
    endpoint = "path: /ads\nbody: {format: json, rows: 'data[*]'}\nexplode: parts"
    declare(lab, endpoint, "{id: bigint none, cost: numeric none}", header="{parts.cost: cost}")
    document = {"data": [{"id": 1, "parts": [{"cost": 0.1}, {"cost": 2}]}]}
    server.answers["/v1/ads"] = Answer(gzip.compress(json.dumps(document).encode()))
    assert rows(lab, "id, cost") == [(1, Decimal("0.1")), (1, Decimal(2))]


FRAMED = """\
"Report: ads"
"Made for: someone"

day,cost,note
2026-06-01,1,"a
b"
2026-06-02,x,c
Total,3,
made by a machine
"""


@on_engines("duckdb")
def test_what_stands_around_a_table_is_no_row(lab: Lab, server: Server) -> None:
    endpoint = """\
    path: /ads
    body: {format: csv, header_at: 'day,', ends_at: [Total]}
    window: {chunk: 9d, since: 2026-06-01}
    """
    declare(lab, endpoint, "{day: string none, cost: bigint none, note: string none}")
    server.answers["/v1/ads"] = FRAMED
    assert rows(lab, "day, cost, note, _line") == [("2026-06-01", 1, "a\nb", 5)]
    # the line is that of the file, as far as records are lines
    assert lab.query("select line from raw_ledger.quarantine") == [(6,)]

    server.answers["/v1/ads"] = FRAMED[: FRAMED.index("Total")]
    assert "its last lines are missing" in (failure(lab) or "")
    server.answers["/v1/ads"] = "nothing of the kind\n"
    assert "no line that begins with day," in (failure(lab) or "")


JOB = """\
path: /queries
method: POST
report:
  start: {path: "/queries/{answer.id}:run", method: POST}
  poll: /queries/{answer.id}/reports/{answer.run}
  status: state
  ok: [DONE]
  retry: [RUNNING]
  download: "{answer.data.0.url}"
  every: 1ms
body: {format: csv}
"""


@on_engines("duckdb")
def test_a_job_may_need_a_start_and_end_without_a_file(lab: Lab, server: Server) -> None:
    hosts = "hosts: [files.example.com]"
    declare(lab, JOB, "{id: bigint none}", hosts, source="defaults: {empty: allowed}")
    polls: list[Any] = [
        {"state": "RUNNING"},
        {"state": "DONE", "data": [{"url": "https://files.example.com/f"}]},
    ]
    server.answers |= {
        "/v1/queries": {"id": "q"},
        "/v1/queries/q:run": {"run": "r"},
        "/v1/queries/q/reports/r": polls,
        "/f": "id\n1\n",
    }
    assert rows(lab, "id") == [(1,)]
    for without in ([{"url": None}], [{}], []):
        server.answers["/v1/queries/q/reports/r"] = {"state": "DONE", "data": without}
        assert "nothing at its address {answer.data.0.url}" in (failure(lab) or "")
    job = JOB.replace("  every", "  may_lack_file: true\n  every")
    declare(lab, job, "{id: bigint none}", hosts, source="defaults: {empty: allowed}")
    assert rows(lab, "id") == []


@on_engines("duckdb")
def test_rows_of_a_parent_are_asked_for_in_batches(lab: Lab, server: Server) -> None:
    lab.declare(
        """\
        source: ads
        description: A medium.
        reader: rest
        client: {base_url: "https://api.example.com/v1", paginator: single_page}
        tables:
          names:
            description: One row is an ad.
            key: [id]
            endpoint: {path: /names, data_selector: data}
            columns: {id: string none}
          ads:
            description: One row is an ad's figures.
            endpoint:
              path: /ads
              params: {ids: "{resources.names.id}"}
              data_selector: data
              batch: 2
            columns: {id: string none, cost: bigint none}
        """,
        "ads",
    )
    server.answers["/v1/names"] = {"data": [{"id": letter, "tags": []} for letter in "abc"]}
    server.answers["/v1/ads"] = lambda asked: {
        "data": [{"id": each, "cost": 1} for each in asked.query["ids"].split(",")]
    }
    assert not lab.load().failed
    assert lab.query("select string_agg(id, '' order by id) from raw_ads.ads") == [("abc",)]
    assert [asked.query["ids"] for asked in server.at("/v1/ads")] == ["a,b", "c"]


FAMILY = """\
source: ads
description: A medium.
reader: rest
client: {base_url: "https://api.example.com/v1", paginator: single_page}
tables:
  campaigns:
    description: One row is a campaign.
    endpoint: {path: /campaigns, data_selector: data}
    columns: {id: string none}
  ad_groups:
    description: One row is an ad group.
    endpoint: {path: "/campaigns/{resources.campaigns.id}/groups", data_selector: data}
    columns: {id: string none}
  keywords:
    description: One row is a keyword.
    endpoint: {path: "/groups/{resources.ad_groups.id}/keywords", data_selector: data}
    columns: {id: string none}
"""


@on_engines("duckdb")
def test_a_parent_may_have_a_parent(lab: Lab, server: Server) -> None:
    lab.declare(FAMILY, "ads")
    server.answers |= {
        "/v1/campaigns": {"data": [{"id": "c"}, {"id": "d"}]},
        "/v1/campaigns/c/groups": {"data": [{"id": "g"}, {"id": "h"}]},
        "/v1/campaigns/d/groups": {"data": []},
        "/v1/groups/g/keywords": {"data": [{"id": "k"}]},
        "/v1/groups/h/keywords": {"data": [{"id": "l"}]},
    }
    assert not lab.load().failed
    assert lab.query("select string_agg(id, '' order by id) from raw_ads.keywords") == [("kl",)]

    lab.declare(FAMILY.replace("path: /campaigns,", 'path: "/c/{resources.keywords.id}",'), "ads")
    with pytest.raises(
        DeclarationError, match="table campaigns: endpoint: it is asked for its own"
    ):
        read_sources(lab.sources)


@on_engines("duckdb")
def test_a_refusal_may_mean_busy(lab: Lab, server: Server) -> None:
    declare(lab, LIST, "{id: bigint none}", "error: {path: error.code, ok: [null], retry: [17]}")
    busy = Answer({"error": {"code": 17}}, 400)
    server.answers["/v1/ads"] = [busy, busy, {"data": [{"id": 1}]}]
    assert rows(lab, "id") == [(1,)] and len(server.asked) == 3
    server.answers["/v1/ads"] = Answer({"error": {"code": 100}}, 400)
    assert "HTTP 400" in (failure(lab) or "")
    server.answers["/v1/ads"] = {"error": {"code": 100}}
    assert "error code 100" in (failure(lab) or "")


@on_engines("duckdb")
@pytest.mark.parametrize(
    "endpoint, said",
    [
        (
            "path: /a\nbody: {format: csv, rows: data}",
            "rows says where they are in a JSON document",
        ),
        ("path: /a\nbody: {format: json}", "rows says where they are in a JSON document"),
        ("path: /a\nbody: {format: ndjson, header_at: x}", "belong to csv and tsv"),
        ("path: /a\nbody: {format: csv, columns: [id], header_at: x}", "a table without header"),
        ("path: /a\ndata_selector: data\nbatch: 2", "batch needs a parent"),
        (LIST + "\nwindow: {chunk: 1d, since: soon}", "since"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    lab: Lab, endpoint: str, said: str
) -> None:
    declare(lab, endpoint, "{id: bigint none}")
    with pytest.raises(DeclarationError, match=r"ads\.yml:\d+: .*" + said):
        read_sources(lab.sources)


@on_engines("duckdb")
def test_young_days_are_read_again_after_an_outage(lab: Lab, server: Server) -> None:
    endpoint = """\
    path: /ads
    params: {from: "{window.from}", to: "{window.until}"}
    data_selector: data
    window: {chunk: 99d, since: 2026-05-01, restates: 3d, keeps: 20d}
    """
    declare(lab, endpoint, "{window_to: string none, id: bigint none}")
    server.answers["/v1/ads"] = {"data": [{"id": 1}]}

    def asked_on(day: int) -> tuple[str, str]:
        server.asked.clear()
        assert not lab.load(today=date(2026, 6, day)).failed
        return tuple(server.asked[0].query.values())

    assert asked_on(3) == ("2026-05-15", "2026-06-03")  # no further back than the API knows
    assert asked_on(4) == ("2026-06-01", "2026-06-04")
    assert asked_on(4) == ("2026-06-01", "2026-06-04")
    # on the fourth, the second was two days old; the first was final
    assert asked_on(9) == ("2026-06-02", "2026-06-09")


@on_engines("duckdb")
def test_pages_may_be_shorter_than_asked_for(lab: Lab, server: Server) -> None:
    paging = "\npaginator: {type: offset, limit: 100, total_path: total}"
    declare(lab, LIST + paging, "{id: bigint none}")
    server.answers["/v1/ads"] = lambda asked: {
        "data": [{"id": n} for n in range(7)][int(asked.query["offset"]) :][:3],
        "total": 7,
    }
    assert [row[0] for row in rows(lab, "id")] == list(range(7))


@on_engines("duckdb")
def test_a_client_may_show_itself_as_http_basic(lab: Lab, server: Server) -> None:
    client = """\
    hosts: [login.example.com]
    auth:
      type: oauth2_client_credentials
      basic: true
      access_token_url: https://login.example.com/token
      client_id: u
      client_secret: "${SECRET}"
    """
    declare(lab, LIST, "{id: bigint none}", client)
    server.answers |= {"/token": {"access_token": "T"}, "/v1/ads": {"data": [{"id": 1}]}}
    assert rows(lab, "id") == [(1,)]
    (asked,) = server.at("/token")
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"u:s3cr3t").decode()
    assert asked.form == {"grant_type": "client_credentials"}


@on_engines("duckdb")
def test_fields_that_nobody_wants_are_not_named(lab: Lab, server: Server) -> None:
    lab.declare(
        """\
        source: ads
        description: A medium.
        reader: rest
        client: {base_url: "https://api.example.com/v1", paginator: single_page}
        tables:
          ads:
            description: One row is an ad.
            endpoint: {path: /ads, data_selector: data}
            ignored: [ratio.ctr]
            columns: {id: bigint none}
        """,
        "ads",
    )
    server.answers["/v1/ads"] = {"data": [{"id": 1, "ratio.ctr": 0.1, "other": 1}]}
    (table,) = lab.load().tables
    assert table.notes == ["no privacy class, so did not land: other"]
