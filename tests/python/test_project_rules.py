"""The rules of the house: each is enforced here, and each is shown to fail where it is broken."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlglot.errors import OptimizeError

from column_lineage import origins
from extract_load import Source, read_sources
from extract_load.loader.duckdb_warehouse import DuckDBWarehouse

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
LEDGER = "raw_ledger"
PRIVACY = ("none", "quasi", "sensitive", "pseudonym", "free_text")
UNIQUENESS = ("unique", "unique_combination")

Relations = dict[str, dict[str, dict[str, str]]]  # schema, relation, column: type
Classes = dict[tuple[str, str, str], str]  # schema, relation, column: privacy class


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return read_sources(PROJECT / "extract_load" / "sources")


def run_dbt(home: Path, *command: str) -> None:
    environment = os.environ | {
        "GOODOC_HOME": str(home),
        "GOODOC_TARGET": "duckdb",
        "DBT_PROFILES_DIR": str(home),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }
    done = subprocess.run(
        [TOOLS / "dbt", "--quiet", *command],
        cwd=PROJECT,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, Source]) -> Path:
    """Folder of the manifest and catalogue of the project, built on empty raw tables."""
    home = tmp_path_factory.mktemp("empty")
    with DuckDBWarehouse(home / "warehouse.duckdb") as warehouse:
        for source in sources.values():
            warehouse.prepare(source)
    (home / "profiles.yml").write_text((PROJECT / "profiles.example.yml").read_text())
    relations = ["resource_type:model", "resource_type:seed", "resource_type:source"]
    run_dbt(home, "build", "--resource-type", "model", "seed")
    run_dbt(home, "docs", "generate", "--select", *relations)
    return home / "target"


@pytest.fixture(scope="module")
def manifest(artifacts: Path) -> dict[str, Any]:
    return json.loads((artifacts / "manifest.json").read_text())


@pytest.fixture(scope="module")
def catalog(artifacts: Path) -> dict[str, Any]:
    return json.loads((artifacts / "catalog.json").read_text())


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


# -- what dbt-bouncer checks ---------------------------------------------------------------------


def bounce(artifacts: Path, folder: Path) -> tuple[int, set[tuple[str, int]], str]:
    """Runs dbt-bouncer.yml: exit code, failed checks (name, place in the file), output."""
    rules = (PROJECT / "dbt-bouncer.yml").read_text()
    config, report = folder / "dbt-bouncer.yml", folder / "report.json"
    config.write_text(re.sub(r"(?m)^(dbt_artifacts_dir:).*", rf"\1 {artifacts}", rules))
    done = subprocess.run(
        [TOOLS / "dbt-bouncer", "run", "--config-file", config, "--output-file", report,
         "--output-only-failures", "--show-all-failures"],
        capture_output=True, text=True, env=os.environ | {"COLUMNS": "250", "NO_COLOR": "1"},
    )  # fmt: skip
    failures = json.loads(report.read_text()) if report.is_file() else []
    places = [failure["check_run_id"].split(":")[:2] for failure in failures]
    failed = {(name, int(place)) for name, place in places}
    return done.returncode, failed, done.stdout + done.stderr


def test_dbt_bouncer_finds_nothing(artifacts: Path, tmp_path: Path) -> None:
    code, failed, output = bounce(artifacts, tmp_path)
    assert code == 0 and not failed, output


BAD_SQL = """select {{ target.name }}, now()::date from raw_app_db.members""" + "\n" * 200 + ";"
BAD_COLUMNS = {
    "Phone": None, "phone": "float", "patient_name": "text", "ci": "text", "birth_date": "text",
    "is_paid": "text", "paid_at": "text", "paid_date": "text", "paid_krw": "text",
}  # fmt: skip
FOLDERS = [
    "staging/app_db", "intermediate/core", "marts/core", "marts/marketing", "marts/tablet_usage",
    "marts/prescription", "marts/booking_flow", "other", "marts/other",
]  # fmt: skip


def planted(manifest: dict[str, Any], catalog: dict[str, Any], folder: Path) -> Path:
    """A project with every sin: a bad model in each folder, a bad seed, source and macro."""
    manifest, catalog = copy.deepcopy(manifest), copy.deepcopy(catalog)
    nodes = manifest["nodes"]
    good = nodes["model.goodoc.stg_app_db__payments"]
    name = "Bad_" + "x" * 64 + "_v2"
    inputs = [
        "source.goodoc.raw_app_db.members", "source.goodoc.raw_app_db.payments",
        "seed.goodoc.media", "model.goodoc.stg_app_db__payments", "model.goodoc.bad_8",
    ]  # fmt: skip
    column = copy.deepcopy(good["columns"]["payment_id"])
    column |= {"description": "", "meta": {}, "config": {"meta": {}}}
    for place, where in enumerate(FOLDERS):
        bad = copy.deepcopy(good) | {
            "unique_id": f"model.goodoc.bad_{place}", "name": name, "alias": name,
            "original_file_path": f"models/{where}/{name}.sql", "path": f"{where}/{name}.sql",
            "patch_path": "goodoc://models/elsewhere/models.yml", "schema": "nowhere",
            "raw_code": BAD_SQL, "description": "Some rows.", "meta": {},
            "depends_on": {"macros": [], "nodes": [] if where == "other" else inputs},
            "columns": {
                key: column | {"name": key, "data_type": kind} for key, kind in BAD_COLUMNS.items()
            },
        }  # fmt: skip
        bad["config"] |= {"meta": {}, "materialized": "ephemeral", "contract": {"enforced": False}}
        nodes[bad["unique_id"]] = bad
    for key in ("model.goodoc.fct_conversions", "seed.goodoc.media"):
        extra = {"type": "text", "index": 99, "name": "undocumented"}
        catalog["nodes"][key]["columns"]["undocumented"] = extra
    seed = copy.deepcopy(nodes["seed.goodoc.media"])
    seed |= {"unique_id": "seed.goodoc.Bad", "name": "Bad", "description": "", "meta": {}}
    seed["config"] |= {"meta": {}}
    seed["columns"]["Bad"] = column | {"name": "Bad"}
    nodes["seed.goodoc.Bad"] = seed
    source = copy.deepcopy(manifest["sources"]["source.goodoc.raw_app_db.members"])
    source |= {
        "unique_id": "source.goodoc.raw_app_db.Bad", "name": "Bad", "description": "",
        "source_description": "", "freshness": None, "source_name": "Bad",
    }  # fmt: skip
    manifest["sources"][source["unique_id"]] = source
    manifest["macros"]["macro.goodoc.ratio"]["description"] = ""
    for file, content in (("manifest.json", manifest), ("catalog.json", catalog)):
        (folder / file).write_text(json.dumps(content))
    return folder


def test_each_bouncer_rule_can_fail(
    manifest: dict[str, Any], catalog: dict[str, Any], tmp_path: Path
) -> None:
    rules = yaml.safe_load((PROJECT / "dbt-bouncer.yml").read_text())
    written = [
        (rule["name"], place)
        for kind in ("manifest_checks", "catalog_checks")
        for place, rule in enumerate(rules[kind])
    ]
    bad = tmp_path / "bad"
    bad.mkdir()
    code, failed, output = bounce(planted(manifest, catalog, bad), tmp_path)
    assert code != 0
    assert set(written) - failed == set(), output


# -- privacy along column lineage ----------------------------------------------------------------


def relations(catalog: dict[str, Any]) -> Relations:
    """The columns that dbt found in the warehouse."""
    found: Relations = {}
    for node in [*catalog["nodes"].values(), *catalog["sources"].values()]:
        where = found.setdefault(node["metadata"]["schema"], {})
        where[node["metadata"]["name"]] = {
            name: column["type"] for name, column in node["columns"].items()
        }
    return found


def declared_classes(manifest: dict[str, Any], sources: dict[str, Source]) -> Classes:
    """The privacy class of every raw column and of every column of a model or seed."""
    classes = {
        (source.schema_name, table.name, column.name): column.privacy.replace("birth_year", "quasi")
        for source in sources.values()
        for table in source.tables.values()
        for column in table.columns
    }
    for node in manifest["nodes"].values():
        for name, column in node["columns"].items():
            classes[node["schema"], node["name"], name] = column["config"]["meta"]["privacy"]
    return classes


def weakened(schema: str, model: str, sql: str, tables: Relations, classes: Classes) -> list[str]:
    """Columns of a model whose class is weaker than that of a column they are a copy of."""
    found = []
    for column, copied in origins(sql, tables).items():
        mine = classes.get((schema, model, column), "none")
        for origin in sorted(copied):
            # the loader's own columns (_load_id, _file…) have no class
            theirs = classes.get(origin, "none")
            if PRIVACY.index(mine) < PRIVACY.index(theirs):
                found.append(f"{model}.{column} is {mine}, but {'.'.join(origin)} is {theirs}")
    return found


def test_privacy_class_is_carried_along(
    manifest: dict[str, Any], catalog: dict[str, Any], models: list[Any], sources: dict[str, Source]
) -> None:
    tables, classes = relations(catalog), declared_classes(manifest, sources)
    assert set(classes.values()) <= {*PRIVACY, "drop"}
    problems = [
        line
        for node in models
        for line in weakened(node["schema"], node["name"], node["compiled_code"], tables, classes)
    ]
    assert not problems, "\n".join(problems)


def test_free_text_stays_in_raw(models: list[Any]) -> None:
    leaked = [
        f"{node['name']}.{name}"
        for node in models
        for name, column in node["columns"].items()
        if column["config"]["meta"]["privacy"] == "free_text"
    ]
    assert not leaked


@pytest.mark.parametrize(
    "sql",
    [
        "select token as x from raw.people",
        "with a as (select * from raw.people), b as (select * from a) select token as x from b",
        "select coalesce(lower(trim(cast(p.token as varchar))), 'none') as x from raw.people as p",
        "select id as x from raw.people union all select token as x from raw.people",
        "select case when id = '1' then token end as x from raw.people",
        "select max(token) as x from raw.people group by id",
        "select lag(token) over (partition by id order by id) as x from raw.people",
        "select x from (select p.token as x from raw.people as p join raw.people as q using (id))",
        "select (select max(token) from raw.people) as x",
        "select 'person-' || token as x from raw.people",
    ],
)
def test_a_weakened_class_is_seen(sql: str) -> None:
    tables = {"raw": {"people": {"id": "varchar", "token": "varchar"}}}
    classes = {("raw", "people", "token"): "pseudonym", ("m", "model", "x"): "sensitive"}
    assert weakened("m", "model", sql, tables, classes) == [
        "model.x is sensitive, but raw.people.token is pseudonym"
    ]
    assert not weakened("m", "model", sql, tables, classes | {("m", "model", "x"): "pseudonym"})


@pytest.mark.parametrize(
    "sql",
    [
        "select count(token) as x from raw.people",
        "select length(token) as x from raw.people",
        "select token is not null as x from raw.people",
        "select case when token = 'a' then id else 'b' end as x from raw.people",
        "select nullif(id, token) as x from raw.people",
    ],
)
def test_what_tells_no_value_may_be_weaker(sql: str) -> None:
    tables = {"raw": {"people": {"id": "varchar", "token": "varchar"}}}
    assert not weakened("m", "model", sql, tables, {("raw", "people", "token"): "pseudonym"})


def test_an_unknown_column_is_no_silent_pass() -> None:
    with pytest.raises(OptimizeError):
        origins("select nothing from raw.people", {"raw": {"people": {"id": "varchar"}}})


# -- texts, keys and increments ------------------------------------------------------------------


def reworded(models: list[Any], tables: Relations) -> list[str]:
    """Columns that copy one upstream column under its name, but describe it in other words."""
    texts = {
        (node["schema"], node["name"], name): column["description"].strip()
        for node in models
        for name, column in node["columns"].items()
    }
    return [
        f"{node['name']}.{column}: not the text of {'.'.join(origin)}"
        for node in models
        for column, copied in origins(node["compiled_code"], tables).items()
        for origin in copied
        if len(copied) == 1 and origin[2] == column and origin in texts
        and texts.get((node["schema"], node["name"], column)) != texts[origin]
    ]  # fmt: skip


def test_a_copied_column_keeps_its_text(models: list[Any], catalog: dict[str, Any]) -> None:
    problems = reworded(models, relations(catalog))
    assert not problems, "\n".join(problems)


def test_a_reworded_column_is_seen() -> None:
    tables = {"a": {"one": {"x": "text"}}, "b": {"two": {"x": "text"}}}
    one = {"schema": "a", "name": "one", "compiled_code": "select 'v' as x"}
    two = {"schema": "b", "name": "two", "compiled_code": "select x from a.one"}
    one["columns"], two["columns"] = {"x": {"description": "It."}}, {"x": {"description": "That."}}
    assert reworded([one, two], tables) == ["two.x: not the text of a.one.x"]
    two["columns"] = {"x": {"description": "It. \n"}}
    assert not reworded([one, two], tables)


def keys_untested(node: dict[str, Any], tests: list[dict[str, Any]]) -> list[str]:
    """What is wrong with a model's grain: unknown columns, or no test that can fail on repeats."""
    name, grain = node["name"], node["config"]["meta"]["grain"]
    problems = [f"{name}: no column {each}" for each in grain if each not in node["columns"]]
    proved = [
        test["test_metadata"]["kwargs"].get("columns") or [test["column_name"]]
        for test in tests
        if test.get("attached_node") == node["unique_id"]
        and test["test_metadata"]["name"] in UNIQUENESS
        and test["config"]["severity"].lower() == "error"
    ]
    if node["fqn"][1] == "marts" and not any(set(columns) == set(grain) for columns in proved):
        problems.append(f"{name}: no test that {', '.join(grain)} is unique")
    return problems


def test_grains_are_keys(manifest: dict[str, Any], models: list[Any]) -> None:
    tests = [node for node in manifest["nodes"].values() if node.get("test_metadata")]
    problems = [line for node in models for line in keys_untested(node, tests)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("columns", "severity", "fine"),
    [(["b", "a"], "ERROR", True), (["a"], "ERROR", False), (["a", "b"], "warn", False)],
)
def test_an_untested_key_is_seen(columns: list[str], severity: str, fine: bool) -> None:
    node = {
        "name": "fct", "unique_id": "model.fct", "fqn": ["goodoc", "marts", "core", "fct"],
        "columns": {"a": {}, "b": {}}, "config": {"meta": {"grain": ["a", "b"]}},
    }  # fmt: skip
    test = {
        "attached_node": "model.fct", "config": {"severity": severity}, "column_name": None,
        "test_metadata": {"name": "unique_combination", "kwargs": {"columns": columns}},
    }  # fmt: skip
    assert (keys_untested(node, [test]) == []) is fine
    assert keys_untested(node | {"columns": {"a": {}}}, [test])[0] == "fct: no column b"


def increments_amiss(models: list[Any]) -> list[str]:
    """Incremental facts that don't follow the one design: by day, with a model of changes."""
    by_name = {node["name"]: node for node in models}
    problems = []
    for node in models:
        if node["config"]["materialized"] != "incremental":
            continue
        declared = node["config"]["meta"].get("replace_days")
        if not declared:
            problems.append(f"{node['name']}: incremental, but not by replaces_days()")
            continue
        changes = by_name[declared["changes"]]
        for owner, column in ((node, declared["column"]), (changes, declared["column"]),
                              (node, "load_id"), (changes, "load_id")):  # fmt: skip
            if column not in owner["columns"]:
                problems.append(f"{node['name']}: {owner['name']} has no column {column}")
    return problems


def test_increments_replace_days(models: list[Any]) -> None:
    assert not increments_amiss(models)
    assert any(node["config"]["materialized"] == "incremental" for node in models)


def test_a_wrong_increment_is_seen() -> None:
    def node(name: str, columns: str, **meta: Any) -> dict[str, Any]:
        kind = "view" if name == "changes" else "incremental"
        config = {"materialized": kind, "meta": meta}
        known = {key: {} for key in columns.split()}
        return {"name": name, "columns": known, "config": config}

    declared = {"column": "day", "changes": "changes"}
    fine = [node("fct", "day load_id", replace_days=declared), node("changes", "day load_id")]
    assert not increments_amiss(fine)
    assert increments_amiss([node("fct", "day load_id")])
    assert increments_amiss([fine[0], node("changes", "day")])
    assert increments_amiss([node("fct", "day", replace_days=declared), fine[1]])


def test_dbt_sources_are_the_loaders(manifest: dict[str, Any], sources: dict[str, Source]) -> None:
    declared = {
        (node["source_name"], node["name"])
        for node in manifest["sources"].values()
        if node["source_name"] != LEDGER
    }
    loaded = {(s.schema_name, table) for s in sources.values() for table in s.tables}
    assert declared == loaded


def budgeted(macros: list[dict[str, Any]]) -> set[str]:
    """Files of macros: one for each difference between engines, generic tests not counted."""
    return {
        macro["original_file_path"] for macro in macros if not macro["name"].startswith("test_")
    }


def cut_by_postgres(unit_tests: dict[str, Any]) -> list[str]:
    """Names of unit tests that Postgres would cut: dbt makes a table of each name."""
    return [test["name"] for test in unit_tests.values() if len(test["name"].encode()) > 63]


def test_unit_tests_have_names_that_postgres_takes(manifest: dict[str, Any]) -> None:
    assert manifest["unit_tests"] and not cut_by_postgres(manifest["unit_tests"])


def test_a_unit_test_with_a_long_name_is_found() -> None:
    assert cut_by_postgres({"a": {"name": "x" * 64}, "b": {"name": "x" * 63}}) == ["x" * 64]


def test_macros_stay_few(manifest: dict[str, Any]) -> None:
    own = [macro for macro in manifest["macros"].values() if macro["package_name"] == "goodoc"]
    assert len(budgeted(own)) <= 15, sorted(budgeted(own))


def test_the_macro_budget_counts_files_once() -> None:
    places = {"default__a": "a", "postgres__a": "a", "b": "b", "test_c": "c"}
    macros = [{"name": name, "original_file_path": file} for name, file in places.items()]
    assert budgeted(macros) == {"a", "b"}


# -- Python doors --------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / "lint-imports", "--config", PROJECT / ".importlinter", "--no-cache"],
        cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
    )  # fmt: skip


def test_python_doors() -> None:
    done = lint_imports(PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "statement", "fine"),
    [
        ("goodoc/cli.py", "import simulator, extract_load", True),
        ("benchmarks/run.py", "import extract_load", True),
        ("extract_load/run.py", "import benchmarks", False),
        ("goodoc/run.py", "import simulator", False),
        ("goodoc/run.py", "import dagster", False),
        ("extract_load/run.py", "import goodoc.run", False),
        ("extract_load/run.py", "import simulator", False),
        ("extract_load/run.py", "from dbt import cli", False),
        ("extract_load/run.py", "import dagster", False),
        ("simulator/run.py", "import extract_load", False),
        ("simulator/run.py", "import goodoc", False),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, module: str, statement: str, fine: bool) -> None:
    for package in ("benchmarks", "extract_load", "goodoc", "simulator"):
        (tmp_path / package).mkdir()
        for file in ("__init__.py", "run.py", "cli.py"):
            (tmp_path / package / file).touch()
    (tmp_path / module).write_text(statement + "\n")
    done = lint_imports(tmp_path)
    assert (done.returncode == 0) is fine, done.stdout + done.stderr
    assert ("BROKEN" in done.stdout) is not fine, done.stdout  # and for no other reason


# -- files ---------------------------------------------------------------------------------------

HOSTS = re.compile(
    r"\b(pypi|pythonhosted|npmjs|docker|ghcr|quay|anaconda|getdbt|fury)\.(org|io|com|dev)\b"
    r"|--(extra-)?index-url\b", re.I,
)  # fmt: skip
MACHINE_PATHS = re.compile(r"(?<![\w.$})/*-])/(home|root|Users|work|mnt|srv|tmp|workspace)/\w")
BUDGETS = {"README.md": 150, "models/**/*.yml": 200, "seeds/*.yml": 200, "macros/*.yml": 200}


def own_files() -> Iterator[Path]:
    """Every text file of the repository, as git sees it (tracked, or new and not ignored)."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        file = PROJECT / name
        if file.is_file() and file != Path(__file__).resolve():
            yield file


def lines_with(pattern: re.Pattern[str], files: Iterator[Path]) -> list[str]:
    return [
        f"{file}:{number}: {line.strip()[:100]}"
        for file in files
        for number, line in enumerate(file.read_bytes().decode(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_registry_is_named() -> None:
    assert not lines_with(HOSTS, own_files())


def test_no_path_of_a_machine() -> None:
    assert not lines_with(MACHINE_PATHS, own_files())


@pytest.mark.parametrize(
    ("pattern", "line", "seen"),
    [
        (HOSTS, "pip install --index-url somewhere", True),
        (HOSTS, "see https://pypi.org/project/x", True),
        (HOSTS, "FROM quay.io/x", True),
        (HOSTS, "the package index", False),
        (MACHINE_PATHS, "open('/home/someone/file')", True),
        (MACHINE_PATHS, "cd /srv/someone/project", True),
        (MACHINE_PATHS, "https://example.org/home/page", False),
        (MACHINE_PATHS, "$(ROOT)/home/x", False),
        (MACHINE_PATHS, "#!/usr/bin/env bash", False),
    ],
)
def test_a_host_or_path_is_seen(
    tmp_path: Path, pattern: re.Pattern[str], line: str, seen: bool
) -> None:
    (tmp_path / "file").write_text(f"first\n{line}\n")
    assert bool(lines_with(pattern, iter([tmp_path / "file"]))) is seen


def too_long(folder: Path) -> list[str]:
    return [
        f"{file.relative_to(folder)}: more than {budget} lines"
        for pattern, budget in BUDGETS.items()
        for file in sorted(folder.glob(pattern))
        if len(file.read_text(encoding="utf-8").splitlines()) > budget
    ]


def test_files_stay_short() -> None:
    assert (PROJECT / "README.md").is_file()
    assert not too_long(PROJECT)


def test_a_long_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "models" / "staging" / "x").mkdir(parents=True)
    (tmp_path / "README.md").write_text("line\n" * 151)
    (tmp_path / "models" / "staging" / "x" / "a.yml").write_text("line\n" * 201)
    (tmp_path / "models" / "staging" / "x" / "b.yml").write_text("line\n" * 200)
    assert len(too_long(tmp_path)) == 2


def targets(makefile: str) -> list[str]:
    """What can be made by name; files and special targets not counted."""
    return re.findall(r"(?m)^([a-z][a-z0-9_-]*)\s*:(?!=)", makefile)


def test_makefile_has_few_targets() -> None:
    found = targets((PROJECT / "Makefile").read_text())
    assert found and len(found) <= 10


def test_targets_are_counted() -> None:
    makefile = "A := b\nrun: x ## text\n\tdo: it\n.PHONY: run\ntest:\n$(X): y\nq:=1\n"
    assert targets(makefile) == ["run", "test"]


def unpinned(lock: str) -> list[str]:
    """Requirements of a lock file that lack a version or a hash, and lines that name an address."""
    plain = re.sub(r"(?m)(^|\s)#.*$", "", lock)
    problems = [line for line in plain.splitlines() if "://" in line]
    for entry in re.split(r"\n(?=\S)", plain.strip()):
        if "==" not in entry.split("--hash")[0] or "--hash=sha256:" not in entry:
            problems.append(entry.splitlines()[0])
    return problems


def test_lock_file_pins_by_hash() -> None:
    assert not unpinned((PROJECT / "requirements.lock").read_text())


@pytest.mark.parametrize(
    ("lock", "fine"),
    [
        ("# from https://x\na==1 --hash=sha256:00\nb==2 ; x < '4' \\\n    --hash=sha256:1\n", True),
        ("a==1\n", False),
        ("a>=1 --hash=sha256:00\n", False),
        ("a @ https://x/a.whl --hash=sha256:00\n", False),
        ("--index-url https://x\na==1 --hash=sha256:00\n", False),
    ],
)
def test_a_loose_lock_file_is_seen(lock: str, fine: bool) -> None:
    assert (unpinned(lock) == []) is fine


def test_the_models_keep_their_unit_tests(artifacts: Path) -> None:
    assert len(json.loads((artifacts / "manifest.json").read_text())["unit_tests"]) >= 30
    run_dbt(artifacts.parent, "test", "--select", "test_type:unit")
