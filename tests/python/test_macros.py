"""The macros give the same values on DuckDB, Postgres and BigQuery, in every awkward case."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from conftest import PROJECT
from engines import postgres_server, shared_bigquery
from goodoc.settings import Postgres

CASES = """
    {{ add_days("date '2026-02-28'", 1) }}                                   => 2026-03-01
    {{ add_days("date '2024-02-28'", 1) }}                                   => 2024-02-29
    {{ add_days("date '2026-01-01'", -1) }}                                  => 2025-12-31
    {{ add_days("date '2026-01-01'", 0) }}                                   => 2026-01-01
    {{ add_days("date '2026-06-07'", '(1 - 7)') }}                           => 2026-06-01
    {{ add_days("cast(null as date)", 1) }}                                  => null

    {{ dbt.datediff("date '2026-06-01'", "date '2026-06-01'", 'day') }}             => 0
    {{ dbt.datediff("date '2026-06-02'", "date '2026-06-01'", 'day') }}             => -1
    {{ dbt.datediff("date '2023-12-31'", "date '2024-12-31'", 'day') }}             => 366
    {{ dbt.datediff("cast(null as date)", "date '2026-06-01'", 'day') }}            => null

    # the marks of full seconds that were passed
    {{ seconds_between("timestamp '2026-06-01 00:00:00'", "timestamp '2026-06-01 00:00:00'") }}        => 0
    {{ seconds_between("timestamp '2026-06-01 00:00:00'", "timestamp '2026-06-01 00:00:00.999999'") }} => 0
    {{ seconds_between("timestamp '2026-06-01 00:00:00.999999'", "timestamp '2026-06-01 00:00:01'") }} => 1
    {{ seconds_between("timestamp '2026-06-01 00:00:01'", "timestamp '2026-06-01 00:00:00.999999'") }} => -1
    {{ seconds_between("timestamp '2026-06-01 00:01:00'", "timestamp '2026-05-31 23:59:00'") }}        => -120
    {{ seconds_between("timestamp '2016-01-01 00:00:00'", "timestamp '2026-01-01 00:00:00'") }}        => 315619200
    {{ seconds_between("timestamp '2016-01-01 00:00:00'", "cast(null as timestamp)") }}                => null

    # Korean midnight
    {{ kst_date("timestamp '2026-06-01 14:59:59'") }}                        => 2026-06-01
    {{ kst_date("timestamp '2026-06-01 14:59:59.999999'") }}                 => 2026-06-01
    {{ kst_date("timestamp '2026-06-01 15:00:00'") }}                        => 2026-06-02
    {{ kst_date("timestamp '2025-12-31 15:00:00'") }}                        => 2026-01-01
    {{ kst_date("timestamp '2024-02-28 15:00:00'") }}                        => 2024-02-29
    {{ kst_date("cast(null as timestamp)") }}                                => null

    {{ parse_date("'20260601'") }}                                           => 2026-06-01
    {{ parse_date("'2026-06-01'") }}                                         => 2026-06-01
    {{ parse_date("' 2026-12-31 00:00:00'") }}                               => 2026-12-31
    {{ parse_date("'2026-06-01T00:00:00.000-07:00'") }}                      => 2026-06-01
    {{ parse_date("'20240229'") }}                                           => 2024-02-29
    {{ parse_date("'20260229'") }}                                           => null
    {{ parse_date("'2026-06-31'") }}                                         => null
    {{ parse_date("'2026-13-01'") }}                                         => null
    {{ parse_date("'2026-00-10'") }}                                         => null
    {{ parse_date("'2026-06-00'") }}                                         => null
    {{ parse_date("'01.06.2026'") }}                                         => null
    {{ parse_date("'2026-6-1'") }}                                           => null
    {{ parse_date("'Total'") }}                                              => null
    {{ parse_date("'yesterda'") }}                                           => null
    {{ parse_date("''") }}                                                   => null
    {{ parse_date("cast(null as " ~ dbt.type_string() ~ ")") }}              => null

    {{ ratio(1, 0) }}                                                        => null
    {{ ratio(0, 0) }}                                                        => null
    {{ ratio(0, 5) }}                                                        => 0
    {{ ratio(7, 2) }}                                                        => 3.5
    {{ ratio(-7, 2) }}                                                       => -3.5
    {{ ratio(7, -2) }}                                                       => -3.5
    {{ ratio(2, 3) }}                                                        => 0.666667
    {{ ratio(-2, 3) }}                                                       => -0.666667
    {{ ratio('1 + 1', '1 + 2') }}                                            => 0.666667
    {{ ratio("cast('0.3' as numeric(28, 6))", "cast('0.1' as numeric(28, 6))") }} => 3
    {{ ratio('cast(null as bigint)', 2) }}                                   => null
    {{ ratio(2, 'cast(null as bigint)') }}                                   => null
    # half away from zero; the third half is none in floating point
    {{ ratio(1, 2000000) }}                                                  => 0.000001
    {{ ratio(-1, 2000000) }}                                                 => -0.000001
    {{ ratio(31553, 2000000) }}                                              => 0.015777
    # 2.4443334997…: rounded to nine decimals first, it would go up
    {{ ratio(4896, 2003) }}                                                  => 2.444333
    {{ ratio(1000000000001, 7) }}                                            => 142857142857.285714

    cast('0.1234565' as {{ dbt.type_numeric() }})                            => 0.123457
    cast('-0.0000005' as {{ dbt.type_numeric() }})                           => -0.000001
    cast('1.00000049' as {{ dbt.type_numeric() }})                           => 1
    cast(cast('2.5' as {{ dbt.type_numeric() }}) as {{ dbt.type_bigint() }}) => 3
    cast(cast('-2.5' as {{ dbt.type_numeric() }}) as {{ dbt.type_bigint() }}) => -3

    {{ surrogate_key(["'a'", "'bc'"]) }}                                     => md5 of a|bc
    {{ surrogate_key(["'ab'", "'c'"]) }}                                     => md5 of ab|c
    {{ surrogate_key(["''", "'x'"]) }}                                       => md5 of |x
    {{ surrogate_key(["cast(null as date)", "'x'"]) }}                       => md5 of ~null~|x
    {{ surrogate_key(["-12", "date '2026-06-01'", "'서울'"]) }}              => md5 of -12|2026-06-01|서울

    case when {{ among_ids('1999', 'select 1000 as id union all select 5000') }} then 'in' else 'out' end    => in
    case when {{ among_ids('2000', 'select 1000 as id union all select 5000') }} then 'in' else 'out' end    => out
    case when {{ among_ids('0', 'select id from (select 1 as id) as one where id > 1') }} then 'in' else 'out' end => out
    case when {{ among_ids('-1', 'select -1 as id') }} then 'in' else 'out' end                              => in
    # from a hundred blocks on they are bigger ones
    {% set ids = [] %}{% for n in range(150) %}{% do ids.append('select ' ~ n * 200000 ~ ' as id') %}{% endfor %} case when {{ among_ids('299999', ids | join(' union all ')) }} then 'in' else 'out' end => in

    # what models rely on without a macro of ours
    {{ dbt.split_part("'20260601.0'", "'.'", 1) }}                           => 20260601
    mod(-1, 7)                                                               => -1
    nullif(trim('  '), '')                                                   => null
    lpad(nullif(trim(' 7 '), ''), 2, '0')                                    => 07
    length('가나')                                                           => 2
    substring('서울특별시', 1, 2)                                            => 서울
    concat('<', substring('abc', 5, 2), '>')                                 => <>
    concat('<', translate('12.5', '0123456789', ''), '>')                    => <.>
    # text stands in the order of code points
    case when '1' < 'A' and 'Z' < '_' and '_' < 'a' and 'a' < '가' then 'yes' end => yes
"""  # noqa: E501


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """What a dbt run on an empty database of the engine needs."""
    engines = {
        "duckdb": lambda: {"GOODOC_HOME": str(tmp_path)},
        "postgres": lambda: {
            **Postgres(postgres_server()).environment(),
            "GOODOC_PG_ROLE": "postgres",
        },
        "bigquery": lambda: shared_bigquery().environment,
    }
    return {"GOODOC_TARGET": request.param, **engines[request.param]()}


def values(expressions: list[str], environment: dict[str, str], folder: Path) -> list[str | None]:
    """The expressions' values as text, computed by dbt in a project that has but our macros."""
    settings = {"name": "goodoc", "profile": "goodoc", "macro-paths": ["macros"]}
    (folder / "dbt_project.yml").write_text(json.dumps(settings))
    (folder / "profiles.yml").write_text((PROJECT / "profiles.example.yml").read_text())
    (folder / "macros").symlink_to(PROJECT / "macros")
    query = " union all ".join(
        f"select {n} as n, cast({expression} as {{{{ dbt.type_string() }}}}) as value"
        for n, expression in enumerate(expressions)
    )
    done = subprocess.run(
        [Path(sys.executable).parent / "dbt", "--quiet", "--no-send-anonymous-usage-stats", "show",
         "--limit", "-1", "--output", "json", "--inline", query],
        cwd=folder, env=os.environ | environment, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["show"]
    return [row["value"] for row in sorted(rows, key=lambda row: int(row["n"]))]


def expected(text: str) -> str | None:
    if text.startswith("md5 of "):
        return hashlib.md5(text.removeprefix("md5 of ").encode()).hexdigest()
    return None if text == "null" else text


def without_end_zeros(value: str | None) -> str | None:
    """BigQuery writes a decimal without them, the others with all six places."""
    is_decimal = value and re.fullmatch(r"-?\d+\.\d+", value)
    return value.rstrip("0").rstrip(".") if is_decimal else value


@pytest.mark.parametrize("environment", ["duckdb", "postgres", "bigquery"], indirect=True)
def test_each_case_has_the_same_value_on_each_engine(
    environment: dict[str, str], tmp_path: Path
) -> None:
    lines = [line for line in CASES.splitlines() if "=>" in line]
    cases = [[part.strip() for part in line.rsplit("=>", 1)] for line in lines]
    found = values([expression for expression, _ in cases], environment, tmp_path)
    wrong = [
        f"{expression} is {without_end_zeros(value)}, not {wanted}"
        for (expression, wanted), value in zip(cases, found, strict=True)
        if without_end_zeros(value) != expected(wanted)
    ]
    assert not wrong, "\n".join(wrong)


class Returned(Exception):
    """What a macro hands to dbt's `return`."""


def test_the_oldest_watermark_is_looked_for_however_far_away() -> None:
    """Each model reads from the one after it, so that a pass over them finds one reader only."""
    length = 30
    names = [f"model.goodoc.m{i}" for i in range(length)]
    nodes = {
        name: {
            "name": name.rpartition(".")[2], "unique_id": name, "resource_type": "model",
            "depends_on": {"nodes": names[i + 1 : i + 2]},
            "config": {"materialized": "incremental" if i == 0 else "view"},
        }
        for i, name in enumerate(names)
    }  # fmt: skip

    def hand_back(value: object) -> None:
        raise Returned(value)

    text = (PROJECT / "macros" / "watermarks.sql").read_text()
    (macro,) = re.findall(r"{% macro oldest_watermark.*?{% endmacro %}", text, re.S)
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    environment.globals |= {
        "graph": {"nodes": nodes}, "execute": True, "return": hand_back,
        "watermarks": lambda: {"m0": 7},
    }  # fmt: skip
    module = environment.from_string(macro).module
    with pytest.raises(Returned, match=r"^7$"):
        module.oldest_watermark(f"m{length - 1}")
