"""The whole way, from a made-up company's systems to the published marts, against its truth."""

import json
from pathlib import Path

import simulator
from conftest import Goodoc, contents, differences, truth


def loaded_as_the_truth_says(goodoc: Goodoc, company: Path) -> None:
    """Every row at the sources was read; what had to be rejected was, and nothing else."""
    facts = truth(company)
    status = {
        f"{table['source']}.{table['table']}": table
        for table in json.loads(goodoc("status", "--json").stdout)
    }
    # beside the tables of databases and files, those of web APIs, whose figures tell what came, and
    # other logs than the company's own
    others = {name for name in status if name.startswith(("ads_", "fx_", "event_logs."))}
    asked = others - set(facts["rows"])
    assert set(status) - asked == set(facts["rows"]) and asked
    rejected: dict[str, int] = {}
    for row in json.loads(goodoc("quarantine", "list", "--json").stdout):
        name = f"{row['source']}.{row['table_name']}"
        rejected[name] = rejected.get(name, 0) + row["row_count"]
    assert rejected == facts["quarantine"]
    for name, table in status.items():
        if name not in asked:
            assert table["live"] + rejected.get(name, 0) == facts["rows"][name], name
        assert not table["unaccounted"], name


def test_every_figure_is_right_at_first_after_two_days_and_after_a_full_refresh(
    goodoc: Goodoc, company: Path
) -> None:
    goodoc.use(company, media=True)
    made_key = goodoc(
        "simulate", "--out", str(goodoc.home.parent / "other"), "--days", "2", "--scale", "0.01"
    )
    assert made_key.returncode == 0, made_key.stderr
    assert (goodoc.home / "pseudonym.key").stat().st_mode & 0o777 == 0o600

    first = goodoc("run", "--json")
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["unaccounted_rows"] == 0
    assert {mart["schema"] for mart in report["published"]} == {
        "core", "marketing", "tablet_usage", "prescription", "booking_flow", "restricted",
    }  # fmt: skip
    assert differences(goodoc, company) == {}
    loaded_as_the_truth_says(goodoc, company)

    simulator.append_day(company)
    second = goodoc("run", "--json")
    assert second.returncode == 0, second.stderr
    assert differences(goodoc, company) == {}

    # a window that is built again must not make the build pass over the days that a load touched
    simulator.append_day(company)
    assert goodoc("load").returncode == 0
    third = goodoc("build", "--since", "2026-06-05", "--until", "2026-06-06")
    assert third.returncode == 0, third.stderr
    assert differences(goodoc, company) == {}
    loaded_as_the_truth_says(goodoc, company)

    increments = contents(goodoc)
    refreshed = goodoc("build", "--full-refresh")
    assert refreshed.returncode == 0, refreshed.stderr
    assert differences(goodoc, company) == {}
    full = contents(goodoc)
    for mart, rows in full.items():
        assert increments[mart] == rows, f"{mart}: increments and a full refresh differ"
