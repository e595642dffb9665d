"""What an increment costs doesn't grow with history: each scan of a partitioned table is pruned.

Every statement of an incremental run is judged, views expanded down to raw: a scan of a table that
is cut by day needs a comparison of that very column with literals, since no engine prunes by a
function over it, another column or a subquery. Data tests aren't judged: a key is unique over all.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import EventMsg
from sqlglot import exp, parse
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from extract_load import read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse

PROJECT = Path(__file__).resolve().parents[2]
# Tables that read partitioned ones whole, and why they may.
EXEMPT = {"fct_row_balance": "holds all rows of all layers against each other, in whole builds"}
# Small tables that are made anew from them each time, and why. What they scan is days of campaigns,
# offers, members and metrics, never raw rows or events.
SUMMARIES = {
    "fct_ad_metric_maturity": "an age's quantiles are over all days that are final",
    "fct_budget_pacing": "how spend lies over the week is learnt from all days",
    "fct_media_reconciliation": "a campaign that is linked or named later changes all its days",
    "fct_utm_audit": "a campaign that is linked later changes all its weeks",
    "fct_metric_anomalies": "a day is judged by its past: metrics by day, at most two years",
    "fct_event_product_ranking": "the newest 28 days, which no literal names",
    "fct_cohort_ltv_monthly": "a cohort's money adds up over all months",
    "int_marketing__visitor_members": "who was named before is asked of all namings",
    "int_marketing__recommendation_rules": "the newest day of interests is what all counts from",
    "int_marketing__item_interests": "interests fall out of the window, and consent changes daily",
}
SUMMED = (
    "marketing.fct_ad_",
    "marketing.fct_campaign_",
    "marketing.fct_conversions",
    "marketing.fct_event_product_performance_daily",
    "marketing.fct_touchpoints",
    "intermediate.int_marketing__ad_figures",
    "intermediate.int_marketing__item_interest_days",
    "intermediate.int_marketing__web_session_namings",
    "intermediate.int_core__metric_values",
)

Columns = set[tuple[str, str]]  # source in a query, column
_COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass
class Judge:
    """`tables`: schema, table, column: type. `views`: their SQL. `partitions`: the column by which
    a table is cut. Views and partitioned tables by (schema, name)."""

    tables: dict[str, dict[str, dict[str, str]]]
    views: dict[tuple[str, str], str]
    partitions: dict[tuple[str, str], str]
    found: list[str] = field(default_factory=list)

    def unpruned(self, sql: str) -> list[str]:
        """The partitioned tables that the statements scan without a filter that prunes."""
        self.found = []
        for statement in parse(sql, dialect="duckdb"):
            if isinstance(statement, exp.Delete):
                where = statement.args.get("where") or exp.Where(this=exp.true())
                statement = exp.select("*").from_(statement.this).where(where.this)
            # facts aren't written so, so what these would prune isn't looked into
            if isinstance(statement, exp.Update | exp.Merge):
                named = {(table.db, table.name) for table in statement.find_all(exp.Table)}
                self.found += [".".join(each) for each in named & set(self.partitions)]
            query = statement if isinstance(statement, exp.Query) else statement.expression
            # `describe` reads no rows
            if not isinstance(query, exp.Query) or query.find(exp.Describe):
                continue
            query = self._expanded(query)
            if any(
                (table.db, table.name) in self.partitions for table in query.find_all(exp.Table)
            ):
                root = build_scope(qualify(query, schema=self.tables, dialect="duckdb"))
                self._visit(root, set(), root.ref_count())
        return self.found

    def _expanded(self, query: exp.Expression) -> exp.Expression:
        query = query.copy()
        for table in list(query.find_all(exp.Table)):
            table.set("catalog", None)
            if view := self.views.get((table.db, table.name)):
                (text,) = parse(view, dialect="duckdb")
                table.replace(self._expanded(text).subquery(table.alias_or_name))
        return query

    def _visit(self, scope: Scope, filtered: set[str], references: dict[int, int]) -> None:
        """`filtered`: the query's own columns that are filtered from outside."""
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            places = [query.named_selects.index(name) for name in filtered]
            for branch in scope.set_operation_scopes:
                names = branch.expression.named_selects
                self._visit(branch, {names[place] for place in places}, references)
            return
        where = query.args.get("where")
        columns = pruning(where.this) if where else set()
        if columns is None:
            return
        columns |= handed_down(scope, filtered)
        for name, (_, source) in scope.selected_sources.items():
            own = {column for table, column in columns if table == name}
            if isinstance(source, Scope):
                # what several read is computed once, before any of their filters
                shared = source.is_cte and references[id(source)] > 1
                self._visit(source, set() if shared else own, references)
            elif self.partitions.get((source.db, source.name), None) not in (None, *own):
                self.found.append(f"{source.db}.{source.name}")
        for subquery in scope.subquery_scopes:
            self._visit(subquery, set(), references)


def pruning(condition: exp.Expression) -> Columns | None:
    """Columns that a condition compares with literals; None where it is never true."""
    if isinstance(condition, exp.Paren):
        return pruning(condition.this)
    if isinstance(condition, exp.And | exp.Or):
        left, right = pruning(condition.left), pruning(condition.right)
        if isinstance(condition, exp.And):
            return None if left is None or right is None else left | right
        return right if left is None else left if right is None else left & right
    if isinstance(condition, exp.Boolean) and not condition.this:
        return None
    if isinstance(condition, exp.In):
        others = condition.expressions
        if condition.args.get("query"):
            return set()
    elif isinstance(condition, _COMPARISONS):
        others = [condition.expression]
    else:
        return set()
    column = condition.this
    if isinstance(column, exp.Column) and others and all(map(_is_literal, others)):
        return {(column.table, column.name)}
    return set()


def _is_literal(expression: exp.Expression) -> bool:
    if isinstance(expression, exp.Cast):
        return _is_literal(expression.this)
    return isinstance(expression, exp.Literal)


def handed_down(scope: Scope, filtered: set[str]) -> Columns:
    """Where a filter on a query's own columns may be applied to what it reads instead."""
    query = scope.expression
    keys = [window.args.get("partition_by") or [] for window in scope.find_all(exp.Window)]
    if group := query.args.get("group"):
        keys.append(group.expressions)
    elif any(each.find(exp.AggFunc) and not each.find(exp.Window) for each in query.selects):
        return set()
    if query.args.get("limit"):
        return set()
    columns = [each.unalias() for each in query.selects if each.alias_or_name in filtered]
    return {
        (column.table, column.name)
        for column in columns
        if isinstance(column, exp.Column) and all(column in each for each in keys)
    }


# -- the project ---------------------------------------------------------------------------------


@dataclass
class Increment:
    """The project after an incremental run: its manifest, its judge, and what each model sent."""

    manifest: dict[str, Any]
    judge: Judge
    sent: dict[str, list[str]]


@pytest.fixture(scope="module")
def increment(tmp_path_factory: pytest.TempPathFactory) -> Increment:
    home = tmp_path_factory.mktemp("increment")
    sources = read_sources(PROJECT / "extract_load" / "sources")
    with DuckDBWarehouse(home / "warehouse.duckdb") as warehouse:
        for source in sources.values():
            warehouse.prepare(source)
    shutil.copyfile(PROJECT / "profiles.example.yml", home / "profiles.yml")
    sent: dict[str, list[str]] = {}

    def listen(event: EventMsg) -> None:
        if event.info.name == "SQLQuery":
            sent.setdefault(event.data.node_info.node_name, []).append(event.data.sql)

    window = json.dumps({"since": "2026-06-01", "until": "2026-06-02"})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GOODOC_HOME", str(home))
        environment.setenv("GOODOC_TARGET", "duckdb")
        dbt(home, "build", "--resource-type", "model", "seed")
        manifest = json.loads((home / "target" / "manifest.json").read_text())
        incremental = ["--select", "config.materialized:incremental"]
        dbt(home, "run", *incremental, "--vars", window, callbacks=[listen])
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        ).fetchall()
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for schema, table, column, kind in columns:
        tables.setdefault(schema, {}).setdefault(table, {})[column] = kind
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    partitions = {
        (source.schema_name, table.name): table.partition
        for source in sources.values()
        for table in source.tables.values()
        if table.partition
    } | {
        (node["schema"], node["name"]): node["config"]["meta"]["replace_days"]["column"]
        for node in models
        if node["config"]["materialized"] == "incremental"
    }
    views = {
        (node["schema"], node["name"]): node["compiled_code"]
        for node in models
        if node["config"]["materialized"] == "view"
    }
    return Increment(manifest, Judge(tables, views, partitions), sent)


def dbt(home: Path, *command: str, callbacks: list | None = None) -> None:
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(home)]
    folders += ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    result = dbtRunner(callbacks=callbacks or []).invoke(["--quiet", *command, *folders])
    DuckDBConnectionManager.close_all_connections()
    assert result.success, (result.exception, result.result and list(result.result))


def test_every_scan_of_an_increment_is_pruned(increment: Increment) -> None:
    facts = {
        node["name"]
        for node in increment.manifest["nodes"].values()
        if node["config"].get("materialized") == "incremental"
    }
    assert len(facts) == 51 and facts <= set(increment.sent)
    assert ("raw_clinic_devices", "heartbeats") in increment.judge.partitions
    problems = [
        f"{model} scans the whole of {table}: {' '.join(sql.split())[:200]}"
        for model, statements in increment.sent.items()
        for sql in statements
        for table in increment.judge.unpruned(sql)
    ]
    assert not problems, "\n".join(problems)


def test_no_other_table_reads_history(increment: Increment) -> None:
    found = {
        node["name"]: scanned
        for node in increment.manifest["nodes"].values()
        if node["config"].get("materialized") == "table"
        if (scanned := increment.judge.unpruned(node["compiled_code"]))
    }
    assert set(found) == {*EXEMPT, *SUMMARIES}
    for name in SUMMARIES:
        assert all(table.startswith(SUMMED) for table in found[name]), found[name]
    for name in EXEMPT:
        assert "whole_warehouse" in increment.manifest["nodes"][f"model.goodoc.{name}"]["tags"]


# -- the judge -----------------------------------------------------------------------------------

DAY = "day in (cast('2026-06-01' as date), cast('2026-06-02' as date))"
AT = "at >= cast('2026-06-01 15:00:00' as timestamp)"
JUDGE = Judge(
    tables={"a": {"fact": {"day": "date", "id": "int", "at": "timestamp"}, "beat": {
        "at": "timestamp", "id": "int"}, "small": {"day": "date", "id": "int"}}},
    views={
        ("a", "view"): "select at, id, cast(at as date) as day, row_number() over"
        " (partition by id, at order by id) as copy_no from a.beat",
        ("a", "ranked"): "select at, rank() over (partition by id order by at) as n from a.view",
        ("a", "newest"): "select id, max(at) as at from a.beat group by id",
        ("a", "daily"): "select at, count(*) as n from a.beat group by at",
    },
    partitions={("a", "fact"): "day", ("a", "beat"): "at"},
)  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "select * from a.small",
        f"select * from a.fact where {DAY}",
        f"delete from a.fact where {DAY}",
        f"create temp table t as (with x as (select * from a.fact where {DAY}) select * from x)",
        f"insert into a.fact select * from a.fact where id = 1 and {DAY}",
        f"select * from a.view where {DAY} and {AT}",
        f"select * from (select * from a.fact union all select *, now() from a.small) where {DAY}",
        f"select n from a.daily where {AT}",
        "select id from a.beat where (at >= '2026-06-01' and at < '2026-06-02') or at = '2026-07'",
        "select * from a.fact where false",
        f"select * from a.fact as f join a.small as s on f.id = s.id where f.{DAY}",
    ],
)
def test_a_pruned_scan_passes(sql: str) -> None:
    assert JUDGE.unpruned(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "select * from a.fact",
        "delete from a.fact",
        "delete from a.fact where id = 1",
        "update a.fact set id = 1",
        "select max(id) from a.fact",
        f"select * from a.fact where {DAY} or id = 1",
        f"select * from a.fact where not {DAY}",
        "select * from a.fact where day in (select day from a.small)",
        "select * from a.fact where day >= (select max(day) from a.small)",
        "select * from a.fact where cast(day as varchar) = '2026-06-01'",
        "select * from a.fact where day + interval 1 day >= '2026-06-01'",
        "select * from a.fact where day = cast(at as date)",
        f"select * from a.fact as f join a.small as s on f.day = s.day where s.{DAY}",
        f"select * from a.small where id in (select id from a.fact) and {DAY}",
        f"select * from a.view where {DAY}",
        f"select * from a.ranked where {AT}",
        f"select * from a.newest where {AT}",
        f"select * from (select * from a.fact limit 10) where {DAY}",
        "with x as (select * from a.fact)"
        f" select * from x where {DAY} union all select * from x where {DAY}",
    ],
)
def test_a_scan_of_all_history_is_seen(sql: str) -> None:
    assert JUDGE.unpruned(sql)


def test_a_bad_model_is_seen(increment: Increment) -> None:
    judge = increment.judge
    assert judge.unpruned("select * from staging.stg_clinic_devices__heartbeats")
    assert judge.unpruned("select load_id from booking_flow.fct_bookings where load_id > 7")
    day = "activity_date in (cast('2026-06-01' as date))"
    flagged = "intermediate.int_tablet_usage__heartbeats_flagged"
    assert judge.unpruned(f"select * from {flagged} where {day}")
    assert not judge.unpruned(f"select * from {flagged} where {day} and sent_at >= '2026-06-01'")
