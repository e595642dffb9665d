# ruff: noqa: E501 (the batteries of statements)
"""The local BigQuery: what it refuses, what it computes, how it loads, pages and rolls back."""

import datetime as dt
import io
import json
import threading
import urllib.request
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
    PreconditionFailed,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.oauth2 import service_account

from tests.bigquery_endpoint import Endpoint
from tests.bigquery_endpoint import zetasql_client as zetasql

PROJECT = "goodoc-test"
FIXTURE = """
create schema raw; create schema mart;
create table raw.events (
    event_id string, user_id int64, ts timestamp, day date, amount numeric, props json,
    tags array<string>, price float64, kind string
);
insert into raw.events values
    ('a', 1, timestamp '2026-01-01 14:59:59.123456+00', date '2026-01-01', 1.5,
     json '{"a": {"b": "x"}, "n": 7}', ['u', 'v'], 1.5, 'web'),
    ('b', 2, timestamp '2026-01-01 15:00:00+00', date '2026-01-02', -2.345,
     json '{"a": {}}', ['w'], 2.5, 'app'),
    ('c', 3, null, null, null, null, [], null, null);
create table mart.target (id int64 not null, v string, day date);
create table mart.days (day date, n int64) partition by day options (require_partition_filter = true);
insert into mart.days values (date '2026-01-01', 1), (date '2026-01-02', 2);
create view mart.daily as select day as d, n, timestamp_trunc(timestamp(day), month) as m from mart.days;
create table mart.parts (day date, k string) partition by day cluster by k;
"""


@pytest.fixture(scope="module")
def endpoint():
    with Endpoint(project=PROJECT) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def client(endpoint):
    client = connect(endpoint)
    run(client, FIXTURE)
    return client


def connect(endpoint) -> bigquery.Client:
    return bigquery.Client(
        PROJECT,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": endpoint.url},
    )


def run(client, sql, **config) -> list[tuple]:
    """The rows of a statement or script, without any retry."""
    settings = bigquery.QueryJobConfig(**config)
    job = client.query(sql, job_config=settings, retry=None, job_retry=None)
    return [tuple(row.values()) for row in job.result(retry=None)]


REJECTED = {
    # what a wrong name or type is
    "select evnt_id from raw.events": "Unrecognized name: evnt_id",
    "select * from raw.evnts": "Not found: Table",
    "select * from nowhere.events": "Not found: Dataset",
    "select * from `other-project`.raw.events": "Access Denied",
    "select * from events": "must be qualified with a dataset",
    "select * from raw.events where user_id = '1'": "No matching signature for operator =",
    "select * from raw.events where ts >= day": "No matching signature",
    "select 1 from raw.events a join raw.events b on a.user_id = b.event_id": "No matching signature",
    "select 1 as a union all select 'x'": "incompatible types",
    "select 1 as a union all select 1, 2": "mismatched column count",
    "select kind from raw.events a join raw.events b using (event_id)": "ambiguous",
    "select nullif(user_id, '') from raw.events": "No matching signature",
    "select sum(price > 1) from raw.events": "No matching signature for aggregate function SUM",
    "select timestamp_diff(ts, ts, month) from raw.events": "MONTH",
    # other engines' dialects
    "select '1'::int64": "Syntax error",
    "select date_trunc('month', ts) from raw.events": "A valid date part name is required",
    "select epoch_ms(ts) from raw.events": "Function not found: epoch_ms",
    "select median(price) from raw.events": "Function not found: median",
    "select ts + interval '1 day' from raw.events": "Syntax error",
    "select listagg(kind, ',') from raw.events": "Function not found: listagg",
    "select count(*) filter (where price > 1) from raw.events": "Syntax error",
    "select distinct on (kind) kind from raw.events": "Function not found: on|Syntax error",
    "select bool_or(price > 1) from raw.events": "Function not found: bool_or",
    "select cast('a' as varchar)": "Type not found: varchar",
    "select cast(1 as int32)": "Type not found: int32",
    "select * from raw.events where kind ilike '%a%'": "Syntax error",
    "select to_timestamp('2026-01-01')": "Function not found: to_timestamp",
    "select price * 2 as p, p + 1 as q from raw.events": "Unrecognized name: p",
    # grouping, windows, arrays
    "select kind, price from raw.events group by kind": "neither grouped nor aggregated",
    "select 1 from raw.events where row_number() over () = 1": "not allowed in WHERE",
    "select props, count(*) from raw.events group by 1": "not allowed",
    "select distinct props from raw.events": "not allowed|JSON",
    "select tags from raw.events order by tags": "does not support|ARRAY",
    "select 1 a except select 2": "EXCEPT",
    "select [[1]] a": "arrays of arrays|ARRAY",
    "select sum(1) over (partition by price) from raw.events": "FLOAT64|double",
    "select 1 as group": "Syntax error",
    "select tags[0] from raw.events": "OFFSET",
    "select percentile_cont(price, 0.5) from raw.events": "without an OVER",
    # joins and subqueries that only a real planner would notice
    "select 1 from raw.events a left join raw.events b on a.user_id < b.user_id": "equality of fields",
    "select (select max(b.price) from raw.events b where b.user_id < a.user_id) from raw.events a":
        "de-correlated",
    # definitions
    "create table mart.x as select 1 a, 2 a": "duplicate name a",
    "create table mart.x as select 1": "columns must be named",
    "create table mart.x options (foo = 1) as select 1 a": "(?i)unknown option",
    "create table mart.x partition by kind as select kind from raw.events": "PARTITION BY expression",
    "create table mart.x cluster by a, b, c, d, e as select 1 a, 2 b, 3 c, 4 d, 5 e": "clustering",
    "create table mart.target as select 1 as id": "Already Exists",
    "create or replace table mart.parts (day date, k string)": "different partitioning spec",
    "create or replace table mart.parts (day date, k string) partition by day": "different clustering",
    "create or replace view mart.target as select 1 as id": "TABLE",
    "create or replace table mart.daily as select 1 as id": "VIEW",
    "create view mart.w as select 1": "columns must be named",
    "drop view mart.target": "not a VIEW",
    # changes
    "insert into mart.target (id) select 'a'": "cannot be inserted",
    "insert into mart.target (v) select 'a'": "cannot be null",
    "merge mart.target t using (select 1 id) s on t.id = s.id when matched then update set nope = 1":
        "Unrecognized name: nope",
    "delete from mart.target": "WHERE",
    "update mart.target set v = 'x'": "WHERE",
    "begin transaction; create table mart.x (a int64); commit transaction": "not supported in a transaction",
    "commit transaction": "(?i)transaction",
    "declare x int64; set y = 1": "Undeclared variable",
    "select @a": "parameter",
    # the partition filter, also through a view
    "select count(*) from mart.days": "partition elimination",
    "select count(*) from mart.days where n = 1": "partition elimination",
    "select count(*) from mart.days where day = date '2026-01-01' or n = 1": "partition elimination",
    "select count(*) from mart.days where day in (select day from raw.events)": "partition elimination",
    "select count(*) from mart.daily": "partition elimination",
    "delete from mart.days where n = 1": "partition elimination",
}  # fmt: skip


@pytest.mark.parametrize("sql", REJECTED, ids=lambda sql: sql[:60])
def test_bigquery_would_reject(client, sql):
    with pytest.raises(GoogleAPICallError, match=REJECTED[sql]) as caught:
        run(client, sql)
    assert not isinstance(caught.value, MethodNotImplemented)


UTC = dt.UTC
ANSWERS = {
    # zones, weeks, differences
    "select date(ts, 'Asia/Seoul') from raw.events order by event_id":
        [(dt.date(2026, 1, 1),), (dt.date(2026, 1, 2),), (None,)],
    "select timestamp_trunc(timestamp '2026-01-02 20:00:00+00', day, 'Asia/Seoul')":
        [(dt.datetime(2026, 1, 2, 15, tzinfo=UTC),)],
    "select datetime(timestamp '2026-07-01 00:00:00+00', 'America/New_York')":
        [(dt.datetime(2026, 6, 30, 20),)],
    "select date_trunc(date '2026-01-07', week), date_trunc(date '2026-01-07', isoweek), "
    "date_trunc(date '2026-01-07', week(monday)), extract(dayofweek from date '2026-01-04')":
        [(dt.date(2026, 1, 4), dt.date(2026, 1, 5), dt.date(2026, 1, 5), 1)],
    "select timestamp_diff(timestamp '2026-01-02 00:00:00', timestamp '2026-01-01 23:59:59', day), "
    "date_diff(date '2026-02-01', date '2026-01-31', month)": [(0, 1)],
    "select date_diff(date '2026-01-11', date '2026-01-10', week)": [(1,)],
    "select unix_millis(timestamp '2026-01-01 00:00:00.123+00'), timestamp_millis(1)":
        [(1767225600123, dt.datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC))],
    "select format_timestamp('%Y-%m-%d %H', timestamp '2026-01-01 15:00:00+00', 'Asia/Seoul')":
        [("2026-01-02 00",)],
    # numbers
    "select round(2.5), round(-2.5), round(numeric '2.345', 2), cast(2.5 as int64), div(-7, 2), mod(-7, 2)":
        [(3.0, -3.0, Decimal("2.35"), 3, -3, -1)],
    "select 7 / 2, safe_divide(1, 0), ieee_divide(1, 0)": [(3.5, None, float("inf"))],
    "select cast(1.0 as string), cast(numeric '1.50' as string)": [("1", "1.5")],
    "select numeric '99999999999999999999999999999.999999999'":
        [(Decimal("99999999999999999999999999999.999999999"),)],
    "select bignumeric '1.00000000000000000000000000000000000001'":
        [(Decimal("1.00000000000000000000000000000000000001"),)],
    # NULLs
    "select x from unnest([2, null, 1]) x order by x": [(None,), (1,), (2,)],
    "select greatest(1, null), concat('a', null)": [(None, None)],
    "select safe_cast('x' as int64), safe_cast('2026-13-01' as date)": [(None, None)],
    # text and hashes
    "select farm_fingerprint('a')": [(-5528939962900187677,)],
    "select to_hex(md5('a')), to_hex(sha256('a'))":
        [("0cc175b9c0f1b6a831c399e269772661",
          "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")],
    "select regexp_extract('x', 'id=(.)'), regexp_extract('id=7', 'id=(.)')": [(None, "7")],
    "select split('a-b', '-')[safe_offset(5)], length('한글'), byte_length('한글')": [(None, 2, 6)],
    "select b'\\x00\\xff', cast('한' as bytes)": [(b"\x00\xff", "한".encode())],
    # JSON, arrays, structs
    "select json_value(props, '$.a.b'), int64(props.n) from raw.events where user_id = 1": [("x", 7)],
    "select e.event_id, t from raw.events e, unnest(e.tags) t order by 1, 2":
        [("a", "u"), ("a", "v"), ("b", "w")],
    "select struct(1 as a, [struct('x' as b)] as c)": [({"a": 1, "c": [{"b": "x"}]},)],
    "select array_agg(kind ignore nulls order by kind) from raw.events": [(["app", "web"],)],
    # windows and shapes
    "select event_id from raw.events where true qualify row_number() over (order by user_id desc) = 1":
        [("c",)],
    "select distinct percentile_cont(x, 0.5) over () from unnest([1, 2, 4, 8]) x": [(3.0,)],
    "select * from (select 1 id, 2 a, 3 b) unpivot (v for k in (a, b)) order by k":
        [(1, 2, "a"), (1, 3, "b")],
    "select any_value(kind having max user_id) from raw.events": [(None,)],
    # types that have other names
    "select cast('7' as bigint), cast('7' as decimal), cast(1 as boolean)": [(7, Decimal(7), True)],
    # names
    f"select events.event_id from `{PROJECT}.raw.events` where user_id = 1": [("a",)],
    f"select count(*) from `{PROJECT}`.`raw`.`events`": [(3,)],
    f"select count(*) from {PROJECT}.raw.events": [(3,)],
    "select * except (day) from (select day, 'raw.events' as t, \"`a.b`\" as u from raw.events limit 1)":
        [("raw.events", "`a.b`")],
    # the partition filter, satisfied
    "select n from mart.days where day >= date '2026-01-02'": [(2,)],
    "select n from mart.daily where d = date '2026-01-01'": [(1,)],
    "select count(*) from mart.daily where m = timestamp '2026-01-01'": [(2,)],
    "declare x date default date '2026-01-02'; select n from mart.days where day = x": [(2,)],
    "with a as (select * from mart.daily) select n from a where d < date '2026-01-02'": [(1,)],
}  # fmt: skip


@pytest.mark.parametrize("sql", ANSWERS, ids=lambda sql: sql[:60])
def test_the_answer_is_bigquerys(endpoint, client, sql):
    assert run(client, sql) == ANSWERS[sql]
    assert endpoint.report()["crashes"] == 0


def test_only_what_the_reference_lacks_runs_on_duckdb_and_is_listed(endpoint, client):
    before = endpoint.report()
    assert run(client, "select approx_quantiles(x, 2)[offset(1)] from unnest([1, 2, 3]) x") == [
        (2,)
    ]
    assert run(client, "select max_by(event_id, user_id) from raw.events") == [("c",)]
    after = endpoint.report()
    assert len(after["fallbacks"]) == len(before["fallbacks"]) + 2
    assert "approx_quantiles" in after["fallbacks"][-2]["reason"]
    assert "max_by(event_id" in after["fallbacks"][-1]["statement"]
    assert after["reference"] == before["reference"] > 0
    seconds = [query[0] for query in after["slowest"]]
    assert seconds and seconds == sorted(seconds, reverse=True)
    with urllib.request.urlopen(f"{endpoint.url}/report") as answer:
        assert json.load(answer)["fallbacks"] == after["fallbacks"]


def test_every_change_lands_as_written(client):
    run(client, "create table mart.changes (id int64, v string, n numeric(10, 2), at_ timestamp)")
    run(client, "insert into mart.changes (id, v) values (1, 'a'), (2, default), (3, 'c')")
    run(
        client,
        "insert into mart.changes select 4, null, numeric '1.005', timestamp '2026-01-01' from unnest([1])",
    )
    run(
        client,
        "update mart.changes t set v = concat(s.w, '!') from (select 1 id, 'w' w) s where t.id = s.id",
    )
    run(
        client,
        "delete from mart.changes where id in (select user_id + 1 from raw.events where user_id = 1)",
    )
    merge = """
        merge into mart.changes as t using (select 3 as id, 'm' as v union all select 9, 'n') as s
        on t.id = s.id
        when matched and s.v = 'never' then delete
        when matched then update set v = s.v
        when not matched then insert (id, v) values (id, v)
        when not matched by source and t.id = 1 then delete
    """
    job = client.query(merge, job_config=bigquery.QueryJobConfig(), retry=None, job_retry=None)
    job.result()
    assert (job.statement_type, job.num_dml_affected_rows) == ("MERGE", 3)
    assert run(client, "select id, v, n, at_ from mart.changes order by id") == [
        (3, "m", None, None),
        (4, None, Decimal("1.01"), dt.datetime(2026, 1, 1, tzinfo=UTC)),
        (9, "n", None, None),
    ]
    with pytest.raises(BadRequest, match="at most one source row"):
        twice = "(select 3 as id, 'x' as v union all select 3, 'y')"
        run(
            client,
            f"merge mart.changes t using {twice} s on t.id = s.id when matched then update set v = s.v",
        )
    replace_day = """
        merge mart.changes t using (select 4 as id, 'new' as v) s on false
        when not matched by source and t.id in (4, 9) then delete
        when not matched then insert (id, v) values (id, v)
    """
    run(client, replace_day)
    assert run(client, "select id, v from mart.changes order by id") == [(3, "m"), (4, "new")]
    run(client, "alter table mart.changes add column extra int64; truncate table mart.changes")
    assert run(client, "select extra from mart.changes") == []


def test_a_failing_statement_undoes_its_transaction(client):
    run(client, "create table mart.ledger as select 1 as id")
    script = """
        begin transaction;
        create temp table fresh as select 2 as id;
        insert into mart.ledger select id from fresh;
        delete from mart.ledger where id = 1;
        {last};
        commit transaction;
    """
    with pytest.raises(BadRequest, match="division by zero"):
        run(client, script.format(last="select 1 / 0"))
    with pytest.raises(BadRequest, match="no rows"):
        run(
            client, script.format(last="assert (select count(*) from mart.ledger) = 0 as 'no rows'")
        )
    assert run(client, "select id from mart.ledger") == [(1,)]
    run(client, script.format(last="rollback transaction; begin transaction"))
    assert run(client, "select id from mart.ledger") == [(1,)]
    assert run(client, script.format(last="select * from mart.ledger")) == [(2,)]
    assert run(client, "select id from mart.ledger") == [(2,)]
    with pytest.raises(BadRequest, match="must be qualified"):
        run(client, "select * from fresh")


def test_parameters_have_names_or_places(client):
    given = [
        bigquery.ScalarQueryParameter("i", "INT64", 5),
        bigquery.ScalarQueryParameter("t", "TIMESTAMP", dt.datetime(2026, 1, 1, tzinfo=UTC)),
        bigquery.ScalarQueryParameter("n", "NUMERIC", Decimal("1.000000001")),
        bigquery.ScalarQueryParameter("b", "BYTES", b"\x00"),
        bigquery.ScalarQueryParameter("z", "STRING", None),
        bigquery.ArrayQueryParameter("a", "DATE", [dt.date(2026, 1, 1)]),
    ]
    row = run(
        client,
        "select @i + 1, @t, @n, @b, @z, date '2026-01-01' in unnest(@a)",
        query_parameters=given,
    )
    instant = dt.datetime(2026, 1, 1, tzinfo=UTC)
    assert row == [(6, instant, Decimal("1.000000001"), b"\x00", None, True)]
    placed = [
        bigquery.ScalarQueryParameter(None, "STRING", "b"),
        bigquery.ScalarQueryParameter(None, "INT64", 2),
    ]
    sql = "select '?', event_id from raw.events where event_id = ? and user_id = ?"
    assert run(client, sql, query_parameters=placed) == [("?", "b")]


def test_results_and_lists_come_in_pages(client):
    job = client.query("select x from unnest(generate_array(1, 25)) x order by x")
    pages = [[row.x for row in page] for page in job.result(page_size=10).pages]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [x for page in pages for x in page] == list(range(1, 26))
    run(client, "create table mart.numbers as select x from unnest(generate_array(1, 12000)) x")
    assert len(list(client.list_rows(f"{PROJECT}.mart.numbers"))) == 12000
    tables = client.list_tables("mart", page_size=2)
    assert next(len(list(page)) for page in tables.pages) == 2
    assert {"numbers", "days", "daily"} <= {table.table_id for table in client.list_tables("mart")}


def test_files_are_loaded_with_their_types(client):
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "amount": pa.array([Decimal("0.000000001"), None], pa.decimal128(38, 9)),
            "at": pa.array([dt.datetime(2026, 1, 1, 0, 0, 0, 1), None], pa.timestamp("us", "UTC")),
            "day": pa.array([dt.date(2026, 1, 1), dt.date(2026, 1, 2)]),
            "tags": pa.array([["x"], []], pa.list_(pa.string())),
        }
    )
    file = io.BytesIO()
    pa.parquet.write_table(table, file)
    target = f"{PROJECT}.mart.loaded"
    config = bigquery.LoadJobConfig(
        source_format="PARQUET",
        write_disposition="WRITE_TRUNCATE",
        time_partitioning=bigquery.TimePartitioning(field="day"),
        clustering_fields=["id"],
    )
    for name in (target, target, f"{target}$20260101"):
        file.seek(0)
        if "$" in name:  # one partition replaced by the rows of its day only
            pa.parquet.write_table(table.slice(0, 1), file := io.BytesIO())
            file.seek(0)
        client.load_table_from_file(file, name, job_config=config).result()
    loaded = client.get_table(target)
    assert (loaded.num_rows, loaded.clustering_fields) == (2, ["id"])
    assert loaded.time_partitioning.field == "day"
    assert run(client, "select * from mart.loaded order by id") == [
        (
            1,
            Decimal("0.000000001"),
            dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            dt.date(2026, 1, 1),
            ["x"],
        ),
        (2, None, None, dt.date(2026, 1, 2), []),
    ]
    config.write_disposition = "WRITE_EMPTY"
    file.seek(0)
    with pytest.raises(Conflict):
        client.load_table_from_file(file, target, job_config=config).result()
    text = [bigquery.SchemaField("id", "STRING")]
    config = bigquery.LoadJobConfig(source_format="PARQUET", schema=text)
    file.seek(0)
    with pytest.raises(BadRequest, match="no such field"):
        client.load_table_from_file(file, f"{PROJECT}.mart.other", job_config=config).result()


def test_csv_tells_null_from_the_empty_text(client):
    file = io.BytesIO(b'id,t,ok\n1,"a,\nb",true\n2,"",\n3,,false\n')
    schema = [
        bigquery.SchemaField(*each)
        for each in (("id", "INTEGER"), ("t", "STRING"), ("ok", "BOOLEAN"))
    ]
    config = bigquery.LoadJobConfig(skip_leading_rows=1, schema=schema)
    client.load_table_from_file(file, f"{PROJECT}.mart.csv", job_config=config).result()
    rows = [(1, "a,\nb", True), (2, "", None), (3, None, False)]
    assert run(client, "select * from mart.csv order by id") == rows
    bad = io.BytesIO(b"id,t,ok\nx,,\n")
    with pytest.raises(BadRequest, match="Error while reading data"):
        client.load_table_from_file(bad, f"{PROJECT}.mart.csv", job_config=config).result()
    assert len(run(client, "select * from mart.csv")) == 3


def test_tables_are_described_and_changed_by_patch(client):
    run(
        client,
        "create table mart.described (id int64 options (description = 'the key'), email string)",
    )
    table = client.get_table(f"{PROJECT}.mart.described")
    assert table.schema[0].description == "the key"
    tag = "projects/p/locations/l/taxonomies/1/policyTags/2"
    tags = bigquery.PolicyTagList([tag])
    table.schema = [
        table.schema[0],
        bigquery.SchemaField("email", "STRING", policy_tags=tags, description="whose"),
        bigquery.SchemaField("added", "TIMESTAMP"),
    ]
    table.labels, table.description = {"layer": "mart"}, "Rows"
    client.update_table(table, ["schema", "labels", "description"])
    again = client.get_table(f"{PROJECT}.mart.described")
    assert again.schema[1].policy_tags.names == (tag,)
    assert (again.labels, again.description, len(again.schema)) == ({"layer": "mart"}, "Rows", 3)
    with pytest.raises(PreconditionFailed):
        client.update_table(table, ["description"])  # its etag is from before
    again.schema = again.schema[:2]
    with pytest.raises(BadRequest, match="missing in new schema"):
        client.update_table(again, ["schema"])
    again.labels = {"Upper": "x"}
    with pytest.raises(BadRequest, match="Invalid label"):
        client.update_table(again, ["labels"])
    columns = run(
        client,
        "select column_name, data_type, description from mart.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS "
        "where table_name = 'described' order by 1",
    )
    assert columns[1:] == [("email", "STRING", "whose"), ("id", "INT64", "the key")]
    sizes = run(
        client,
        "select table_id, row_count, type from mart.__TABLES__ where table_id in ('days', 'daily')",
    )
    assert sorted(sizes) == [("daily", 0, 2), ("days", 2, 1)]


def test_copies_and_grants_and_dry_runs(client):
    run(client, "create table mart.source as select 1 as id")
    client.copy_table(f"{PROJECT}.mart.source", f"{PROJECT}.mart.copied").result()
    assert run(client, "select * from mart.copied") == [(1,)]
    run(
        client,
        "grant `roles/bigquery.dataViewer` on table mart.source to 'group:readers@example.com'",
    )
    privileges = f"`{PROJECT}`.`region-asia-northeast3`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES"
    held = run(
        client, f"select privilege_type, grantee from {privileges} where object_name = 'source'"
    )
    assert held == [("roles/bigquery.dataViewer", "group:readers@example.com")]
    with pytest.raises(BadRequest, match="Invalid IAM principal"):
        run(client, "grant `roles/bigquery.dataViewer` on table mart.source to 'readers'")
    dry = bigquery.QueryJobConfig(dry_run=True)
    assert client.query("select id from mart.source", job_config=dry).schema[0].name == "id"
    with pytest.raises(BadRequest, match="Unrecognized name"):
        client.query("select nope from mart.source", job_config=dry)
    with pytest.raises(NotFound):
        client.get_table(f"{PROJECT}.mart.nothing")


def test_a_service_account_needs_no_google(endpoint):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "client_email": "test@localhost",
        "private_key": key.decode(),
        "token_uri": f"{endpoint.url}/token",
    }
    credentials = service_account.Credentials.from_service_account_info(account)
    options = {"api_endpoint": endpoint.url}
    client = bigquery.Client(PROJECT, credentials=credentials, client_options=options)
    assert run(client, "select 1") == [(1,)]


def test_a_view_shows_what_its_tables_hold_now(client):
    run(
        client,
        "create table mart.base as select 1 as a; create view mart.lower as select a from mart.base",
    )
    run(client, "create view mart.upper as select a + 1 as b from mart.lower")
    assert run(client, "select b from mart.upper") == [(2,)]
    run(client, "insert into mart.base values (5)")
    assert run(client, "select b from mart.upper order by b") == [(2,), (6,)]
    run(client, "drop table mart.base")
    with pytest.raises(NotFound):
        run(client, "select b from mart.upper")
    run(client, "create table mart.base as select 'x' as a")
    with pytest.raises(BadRequest, match="No matching signature"):
        run(client, "select b from mart.upper")


def test_an_answer_survives_the_loss_of_its_instance():
    slow = "select count(*) from unnest(generate_array(1, 15000)) a, unnest(generate_array(1, 15000)) b"
    with Endpoint(project=PROJECT, query_seconds=1) as endpoint:
        client = connect(endpoint)
        run(client, "create schema d; create table d.t as select 1 as a")
        assert run(client, slow) == [(225_000_000,)]
        report = endpoint.report()
        assert report["crashes"] == 1
        assert "too long" in report["fallbacks"][0]["reason"]
        assert run(client, "select a from d.t") == [(1,)]
        assert endpoint.report()["fallbacks"] == report["fallbacks"]


def test_the_compiled_module_is_kept_and_a_bad_copy_is_made_anew(tmp_path, monkeypatch):
    made = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    class Module:
        deserialize_file = staticmethod(zetasql.Module.deserialize_file)

        @staticmethod
        def from_file(engine, path):
            made.append(path)
            return Module()

        def serialize(self):
            return b"compiled"

    monkeypatch.setattr(zetasql, "Module", Module)
    engine = zetasql.Engine()
    both = [threading.Thread(target=zetasql.load_module, args=(engine,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    path = zetasql.cache_path(zetasql.get_wasm_path())
    assert path.is_relative_to(tmp_path)
    assert path.read_bytes() == b"compiled"
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    zetasql.load_module(engine)  # what is there is no module: compiled again, and no error
    assert len(made) == 3
