"""Dropped files: whatever is in them, each row lands once or is in quarantine."""

import gzip
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Lab
from engines import on_engines

CSV = """\
    source: drops
    description: Dropped files.
    reader: files
    root: ${FILES}
    tables:
      rows:
        description: One row is a row.
        path: "*.csv*"
        OPTIONS
        columns:
          code: string none
          amount: bigint none
          seen_at: timestamp none
          note: string none
"""
HEADER = "code,amount,seen_at,note\n"


def declare(lab: Lab, options: str = "delimiter: ','", text: str = CSV) -> None:
    lab.declare(text.replace("OPTIONS", options), "drops")


def drop(lab: Lab, name: str, text: str, encoding: str = "utf-8") -> Path:
    file = lab.files / name
    file.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode(encoding)
    file.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return file


def rows(lab: Lab, columns: str = "code, amount, note") -> list[tuple]:
    return lab.query(
        f"select {columns} from raw_drops.rows where _deleted_at is null order by _file, _line"
    )


def quarantine(lab: Lab) -> list[tuple]:
    return lab.query("select file, line, reason from raw_ledger.quarantine order by file, line")


def counts(lab: Lab, **options: object) -> tuple[int, int, int, int, int]:
    (table,) = lab.load(**options).tables
    assert table.error is None, table.error
    c = table.counts
    assert c.read == c.loaded + c.quarantined + c.suppressed
    return c.read, c.loaded, c.quarantined, c.suppressed, c.vanished


def test_codes_texts_and_newlines_land_byte_exact(lab: Lab) -> None:
    declare(lab)
    values = [
        "007",
        "1E5",
        "1,234",
        "20240230",
        'say ""hi""',
        "line\nbreak",
        "😀 한글",
        " padded ",
        "NULL",
    ]
    drop(lab, "a.csv", HEADER + "".join(f'"{v}",1,2026-01-01 00:00:00,x\n' for v in values))
    assert counts(lab) == (9, 9, 0, 0, 0)
    assert [row[0] for row in rows(lab)] == [v.replace('""', '"') for v in values]


def test_empty_is_null_and_quoted_empty_is_text(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + ',1,,""\n')
    counts(lab)
    assert rows(lab, "code, seen_at, note") == [(None, None, "")]


@pytest.mark.parametrize("bad", ["1.0", "1E5", "007", "1,234", "x", "99999999999999999999", "１２"])
def test_what_is_no_bigint_is_never_altered(lab: Lab, bad: str) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + f'a,"{bad}",,\nb,2,,\n')
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert quarantine(lab) == [("a.csv", 2, "amount is no bigint")]


@pytest.mark.parametrize("bad", ["2024-02-30 00:00:00", "2024-13-01 00:00:00", "20240101", "soon"])
def test_what_is_no_instant_is_quarantined(lab: Lab, bad: str) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + f"a,1,{bad},\n")
    assert counts(lab) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2026-08-29 09:00:00", "UTC", "2026-08-29 09:00:00"),
        ("2026-08-29T09:00:00Z", "UTC", "2026-08-29 09:00:00"),
        ("2026-08-29T09:00:00.5+09:00", "UTC", "2026-08-29 00:00:00.5"),
        ("2026-08-29 09:00", "Asia/Seoul", "2026-08-29 00:00:00"),
        ("2026-08-29 09:00:00+00:00", "Asia/Seoul", "2026-08-29 09:00:00"),
    ],
)
def test_instants_land_as_utc(lab: Lab, text: str, zone: str, utc: str) -> None:
    declare(lab, f"time_zone: {zone}")
    drop(lab, "a.csv", HEADER + f"a,1,{text},\n")
    counts(lab)
    assert lab.query(f"select seen_at = timestamp '{utc}' from raw_drops.rows") == [(True,)]


def test_a_bad_row_in_the_second_of_three_files_stops_nothing(lab: Lab) -> None:
    declare(lab)
    good = HEADER + "a,1,,\nb,2,,\n"
    drop(lab, "1.csv", good)
    drop(lab, "2.csv", HEADER + "a,1,,\nb,two,,\nc,3,,,extra\nd,4,,\nfew,5\n")
    drop(lab, "3.csv", good.replace("1", "7"))
    assert counts(lab) == (9, 6, 3, 0, 0)
    assert quarantine(lab) == [
        ("2.csv", 3, "amount is no bigint"),
        ("2.csv", 4, "5 fields where the header has 4"),
        ("2.csv", 6, "2 fields where the header has 4"),
    ]
    assert rows(lab, "_file, _line, code") == [
        ("1.csv", 2, "a"), ("1.csv", 3, "b"), ("2.csv", 2, "a"), ("2.csv", 5, "d"),
        ("3.csv", 2, "a"), ("3.csv", 3, "b"),
    ]  # fmt: skip
    assert lab.ledger_balances()


def test_a_row_that_cannot_be_taken_apart_shows_only_its_shape(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "김철수,010-1234-5678\n")
    counts(lab)
    assert lab.query("select masked_row from raw_ledger.quarantine") == [("가가가,999-9999-9999",)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_encodings_are_detected(lab: Lab, encoding: str, ending: str) -> None:
    declare(lab)
    text = (HEADER + "굿닥,1,,똠방각하\n\n병원,2,,").replace("\n", ending)
    drop(lab, "a.csv", text, encoding)
    assert counts(lab) == (2, 2, 0, 0, 0)
    assert rows(lab, "code, note") == [("굿닥", "똠방각하"), ("병원", None)]


def test_a_byte_that_the_declared_encoding_lacks_costs_one_row(lab: Lab) -> None:
    declare(lab, "encoding: cp949")
    file = drop(lab, "a.csv", HEADER + "가,1,,\n나,2,,\n", "cp949")
    file.write_bytes(file.read_bytes().replace("나".encode("cp949"), b"\xff\xff"))
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert quarantine(lab)[0][1:] == (3, "bytes that the encoding lacks")


def test_a_nul_is_never_stripped_unseen(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a\0b,1,,\n")
    assert counts(lab) == (1, 0, 1, 0, 0)


def test_korean_headers_are_mapped_and_colliding_ones_refused_with_both_names(lab: Lab) -> None:
    declare(lab, "header: {코드: code, 상품코드: code, 금액: amount, 시각: seen_at, 비고: note}")
    drop(lab, "1.csv", "비고,금액,코드,시각\nx,1,a,\n")
    drop(lab, "2.csv", "코드,상품코드,금액,시각,비고\na,b,1,,\n")
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert rows(lab) == [("a", 1, "x")]
    ((file, line, reason),) = quarantine(lab)
    assert (file, line) == ("2.csv", None)
    assert "코드" in reason and "상품코드" in reason


def test_an_undeclared_column_is_reported_and_does_not_land(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", "code,amount,seen_at,note,surname\na,1,,,Kim\n")
    report = lab.load().tables[0]
    assert report.undeclared == {"surname"}
    assert report.counts.loaded == 1


def test_broken_files_are_quarantined_and_the_others_land(lab: Lab) -> None:
    declare(lab)
    good = HEADER + "a,1,,\n" * 2000
    drop(lab, "1.csv", good)
    whole = drop(lab, "2.csv.gz", good)
    whole.write_bytes(whole.read_bytes()[:-20])
    drop(lab, "3.csv", "")
    drop(lab, "4.csv", "code,amount\na,1\n")
    assert counts(lab) == (2003, 2000, 3, 0, 0)
    assert [file for file, line, _ in quarantine(lab) if line is None] == [
        "2.csv.gz",
        "3.csv",
        "4.csv",
    ]
    assert counts(lab) == (0, 0, 0, 0, 0)
    drop(lab, "2.csv.gz", good)
    assert counts(lab) == (2000, 2000, 0, 0, 0)
    assert len(quarantine(lab)) == 2


def test_a_file_that_comes_again_broken_takes_no_row_away(lab: Lab) -> None:
    declare(lab)
    good = HEADER + "a,1,,\n" * 2000
    file = drop(lab, "a.csv.gz", good)
    drop(lab, "b.csv", HEADER + "b,1,,\n")
    assert counts(lab)[1] == 2001
    file.write_bytes(file.read_bytes()[:-20])
    drop(lab, "b.csv", HEADER)
    assert counts(lab) == (1, 0, 1, 0, 1)  # b.csv has lost its row, a.csv.gz can't tell
    assert lab.query("select count(*) from raw_drops.rows where _deleted_at is null") == [(2000,)]
    drop(lab, "a.csv.gz", good)
    assert counts(lab) == (2000, 0, 0, 2000, 0)


def test_a_file_sent_again_moved_or_renamed_is_loaded_once(lab: Lab) -> None:
    declare(lab)
    file = drop(lab, "a.csv", HEADER + "a,1,,\n")
    assert counts(lab)[1] == 1
    drop(lab, "again.csv", HEADER + "a,1,,\n")
    assert counts(lab)[0] == 0
    file.rename(lab.files / "moved.csv")
    assert counts(lab)[0] == 0
    assert len(rows(lab)) == 1


def test_a_late_file_with_an_old_time_lands(lab: Lab) -> None:
    import os

    declare(lab)
    drop(lab, "b.csv", HEADER + "b,1,,\n")
    counts(lab)
    os.utime(drop(lab, "a.csv", HEADER + "a,1,,\n"), (0, 0))
    assert counts(lab)[1] == 1


@on_engines("duckdb", "postgres", "bigquery")
def test_a_changed_file_replaces_its_own_rows(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2,,\nc,3,,\n")
    counts(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,20,,\n")
    assert counts(lab) == (2, 1, 0, 1, 1)
    assert rows(lab) == [("a", 1, None), ("b", 20, None)]
    drop(lab, "a.csv", HEADER + "a,1,,\nb,20,,\nc,3,,\n")
    assert counts(lab) == (3, 1, 0, 2, 0)
    assert [row[0] for row in rows(lab)] == ["a", "b", "c"]
    assert lab.ledger_balances()


def test_replay_brings_rows_in_after_a_fix(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2.5,,\n")
    counts(lab)
    declare(lab, text=CSV.replace("amount: bigint", "amount: numeric"))
    lab.query("alter table raw_drops.rows alter amount type decimal(38, 9)")
    assert counts(lab, replay=[("drops", "rows")]) == (2, 1, 0, 1, 0)
    assert quarantine(lab) == []
    assert [float(row[1]) for row in rows(lab)] == [1, 2.5]


def test_history_of_a_file_keeps_its_versions_and_leaves_other_files_alone(lab: Lab) -> None:
    declare(lab, "history: true")
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2,,\n")
    drop(lab, "b.csv", HEADER + "c,3,,\n")
    counts(lab)
    for amount in (10, 11):
        drop(lab, "a.csv", HEADER + f"a,{amount},,\n")
        counts(lab)
    assert lab.query("select code, amount from raw_drops.rows order by _file, _load_id, code") == [
        ("a", 1),
        ("a", 10),
        ("b", 2),
        ("a", 11),
        ("c", 3),
    ]
    assert [row[0] for row in rows(lab, "code")] == ["a", "a", "a", "c"]


@on_engines("duckdb", "postgres", "bigquery")
def test_replay_after_a_fix_of_the_declaration_alone(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\n9001011234568,2,,\n9001011234568,x,,\n")
    assert counts(lab) == (3, 1, 2, 0, 0)
    declare(lab, "unscanned: [code]")
    assert counts(lab, replay=[("drops", "rows")]) == (3, 1, 1, 1, 0)
    assert quarantine(lab) == [("a.csv", 4, "amount is no bigint")]
    assert [row[:2] for row in rows(lab)] == [("a", 1), ("9001011234568", 2)]
    assert lab.ledger_balances()


def test_links_out_of_the_root_are_not_followed(lab: Lab, tmp_path: Path) -> None:
    declare(lab)
    (tmp_path / "secret.csv").write_text(HEADER + "s,1,,\n")
    (lab.files / "link.csv").symlink_to(tmp_path / "secret.csv")
    (lab.files / "folder").symlink_to(tmp_path)
    assert counts(lab)[0] == 0


JSONL = CSV.replace('"*.csv*"', '"*.jsonl*"')


def test_json_lines_keep_their_numbers_and_bad_ones_are_named(lab: Lab) -> None:
    declare(lab, text=JSONL)
    lines = [
        '{"code": "007", "amount": 1, "seen_at": "2026-01-01T00:00:00Z", "note": {"a": [1, "x"]}}',
        '{"code": "b", "amount": "two"}',
        '{"code": "c", ',
        "[1]",
        "",
        '{"code": null, "amount": null, "more": 1}',
    ]
    drop(lab, "a.jsonl.gz", "\n".join(lines) + "\n")
    report = lab.load().tables[0]
    assert (report.counts.read, report.counts.loaded, report.undeclared) == (5, 2, {"more"})
    assert rows(lab, "_line, code, amount, note") == [
        (1, "007", 1, '{"a":[1,"x"]}'),
        (6, None, None, None),
    ]
    assert quarantine(lab) == [
        ("a.jsonl.gz", 2, "amount is no bigint"),
        ("a.jsonl.gz", 3, "not a JSON object"),
        ("a.jsonl.gz", 4, "not a JSON object"),
    ]


def test_parquet_lands_typed_also_where_a_file_has_another_type(lab: Lab) -> None:
    declare(lab, text=CSV.replace('"*.csv*"', '"*.parquet"'))
    instant = pa.array([1_767_225_600_000_000], pa.timestamp("us", "UTC"))
    base = {"code": ["a"], "seen_at": instant, "note": ["x"]}
    pq.write_table(pa.table({**base, "amount": pa.array([5])}), lab.files / "1.parquet")
    pq.write_table(pa.table({**base, "amount": pa.array(["6"])}), lab.files / "2.parquet")
    pq.write_table(pa.table({**base, "amount": pa.array([7.5])}), lab.files / "3.parquet")
    (lab.files / "4.parquet").write_bytes(b"PAR1 not really")
    assert counts(lab) == (4, 2, 2, 0, 0)
    assert rows(lab, "amount, seen_at") == [
        (5, datetime(2026, 1, 1)),
        (6, datetime(2026, 1, 1)),
    ]
    assert [(file, line) for file, line, _ in quarantine(lab)] == [
        ("3.parquet", 1),
        ("4.parquet", None),
    ]


def test_rows_from_the_future_are_quarantined(lab: Lab) -> None:
    declare(lab, "future: seen_at")
    drop(lab, "a.csv", HEADER + "a,1,2099-01-01 00:00:00,\nb,1,2026-01-01 00:00:00,\n")
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert quarantine(lab) == [("a.csv", 2, "seen_at lies in the future")]


def test_values_in_the_files_name_become_columns(lab: Lab) -> None:
    text = CSV.replace("OPTIONS", "name_pattern: '(?P<day>\\d{8})\\.csv'").replace(
        "code: string none", "day: string none\n          code: string none"
    )
    declare(lab, text=text)
    drop(lab, "20260829.csv", HEADER + "a,1,,\n")
    drop(lab, "other.csv", HEADER + "a,2,,\n")
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert rows(lab, "day") == [("20260829",)]


@on_engines("duckdb")
def test_nothing_is_left_in_the_landing_folder_and_modes_are_tight(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    counts(lab)
    assert list((lab.folder / "landing").iterdir()) == []
    assert (lab.folder / "landing").stat().st_mode & 0o777 == 0o700
    assert lab.warehouse.stat().st_mode & 0o777 == 0o600
