"""Who had what done to which data is on record, and stays there."""

import json
from pathlib import Path

import pytest

import engines
from conftest import DROPS, Goodoc, Lab
from engines import on_engines, open_warehouse
from extract_load.loader.postgres_warehouse import LOADER, held
from extract_load.loader.warehouse import WarehouseError
from goodoc.settings import Postgres, Settings
from goodoc.setup import prepare_target


def log(goodoc: Goodoc) -> list[dict]:
    return list(reversed(json.loads(goodoc("access", "--json").stdout)))


def test_each_writing_command_is_on_record_with_who_what_and_outcome(
    goodoc: Goodoc, drops: Path
) -> None:
    assert goodoc("load", "drops", "--since", "2026-01-01", GOODOC_ACTOR="kim").returncode == 0
    (drops / "a.csv").write_text("code,amount\n007,1\nx,2\n")
    assert goodoc("quarantine", "replay", GOODOC_ACTOR="lee").returncode == 0
    assert goodoc("load", DROPS=str(drops / "nowhere"), GOODOC_ACTOR="park").returncode == 1
    assert goodoc("publish", GOODOC_ACTOR="choi").returncode == 1
    found = [(row["actor"], row["command"], row["scope"], row["outcome"]) for row in log(goodoc)]
    assert found == [
        ("kim", "goodoc load", "drops, 2026-01-01 to now", "started"),
        ("kim", "goodoc load", "drops, 2026-01-01 to now", "done"),
        ("lee", "goodoc quarantine replay", "drops.rows", "started"),
        ("lee", "goodoc quarantine replay", "drops.rows", "done"),
        ("park", "goodoc load", "drops", "started"),
        ("park", "goodoc load", "drops", "failed"),
        ("choi", "goodoc publish", "published marts", "started"),
        ("choi", "goodoc publish", "published marts", "failed"),
    ]
    assert all(row["host"] and row["happened_at"] for row in log(goodoc))


def test_erasing_needs_the_key_and_its_record_names_nobody(goodoc: Goodoc, drops: Path) -> None:
    goodoc("load")
    result = goodoc("erase", "--member", "4711")
    assert result.returncode == 1
    assert "there is no key: set GOODOC_PSEUDONYM_KEY_FILE" in result.stderr
    assert log(goodoc)[-1]["scope"] == "1 person"
    assert "4711" not in json.dumps(log(goodoc))


@on_engines("postgres")
def test_not_even_the_loader_changes_the_access_log_on_postgres(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_target(Settings("postgres", lab.folder, lab.sources, 0, Postgres(lab.place)), {})
    monkeypatch.setattr(engines, "POSTGRES_ROLE", LOADER)
    for statement in ("delete from raw_ledger.access_log", "truncate raw_ledger.access_log",
                      "update raw_ledger.access_log set actor = 'nobody'"):  # fmt: skip
        with (
            open_warehouse(lab.engine, lab.place) as warehouse,
            pytest.raises(WarehouseError, match="permission denied"),
        ):
            warehouse.query(statement)


@on_engines("postgres")
def test_a_second_machine_is_refused_and_told_who_writes(lab: Lab, tmp_path: Path) -> None:
    lab.declare(DROPS.replace("${DROPS}", "${FILES}"), "drops")
    (lab.files / "a.csv").write_text("code,amount\n007,1\n")
    prepare_target(Settings("postgres", lab.folder, lab.sources, 0, Postgres(lab.place)), {})
    other = Goodoc(tmp_path / "other" / "home")
    other.home.parent.mkdir()
    other.environment |= {
        "GOODOC_TARGET": "postgres", "GOODOC_PG_URL": lab.place, "GOODOC_SOURCES": str(lab.sources)
    }  # fmt: skip
    with held(lab.place, "goodoc run on clinic-pc (process 1)", 0):
        refused = other("load")
    assert refused.returncode == 1
    assert "is being written by goodoc run on clinic-pc (process 1)" in refused.stderr
    assert other("load").returncode == 0
