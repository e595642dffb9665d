"""What dbt puts into a model's Jinja, as Postgres text: sqlfluff's Jinja templater lacks it.

The names of this package become variables in the models (`library_path` in `.sqlfluff`).
"""

from pathlib import Path
from types import SimpleNamespace

import yaml

target = SimpleNamespace(type="postgres")
# while a model is linted, dbt's graph isn't known: what is made of it isn't there
execute = False


def var(name: str, default: object = None) -> object:
    """What dbt_project.yml says."""
    project = Path(__file__).resolve().parents[2] / "dbt_project.yml"
    return yaml.safe_load(project.read_text(encoding="utf-8"))["vars"].get(name, default)


def is_incremental() -> bool:
    """A full build is linted: an increment asks the warehouse for its days."""
    return False


def _dateadd(datepart: str, interval: object, from_date_or_timestamp: str) -> str:
    return f"{from_date_or_timestamp} + ((interval '1 {datepart}') * ({interval}))"


def _date_spine(datepart: str, start_date: str, end_date: str) -> str:
    column = f"date_{datepart}"
    return f"select {column} from generate_series({start_date}, {end_date}, 1) as spine ({column})"


dbt = SimpleNamespace(
    type_string=lambda: "text",
    type_bigint=lambda: "bigint",
    type_int=lambda: "integer",
    type_numeric=lambda: "numeric(28, 6)",
    type_timestamp=lambda: "timestamp",
    type_boolean=lambda: "boolean",
    cast=lambda field, type: f"cast({field} as {type})",
    concat=lambda fields: " || ".join(fields),
    hash=lambda field: f"md5({field})",
    dateadd=_dateadd,
    datediff=lambda first, second, datepart: f"datediff({first}, {second}, '{datepart}')",
    date_trunc=lambda datepart, date: f"date_trunc('{datepart}', {date})",
    date_spine=_date_spine,
    split_part=lambda text, by, part: f"split_part({text}, {by}, {part})",
    listagg=lambda measure, by="','", order_by_clause="": (
        f"string_agg({measure}, {by} {order_by_clause})"
    ),
)
adapter = SimpleNamespace(
    dispatch=lambda macro: lambda *arguments: f"{macro}({', '.join(map(str, arguments))})"
)
