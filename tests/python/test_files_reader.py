"""Dropped files: whatever is in them, each row lands once or is in quarantine."""

import gzip
import io
import os
import socket
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import Lab
from engines import on_engines
from extract_load.declaration import DeclarationError
from extract_load.readers.files import Slice, storage

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


@on_engines("duckdb")
@pytest.mark.parametrize("bad", ["1.0", "1E5", "007", "1,234", "x", "99999999999999999999", "１２"])
def test_what_is_no_bigint_is_never_altered(lab: Lab, bad: str) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + f'a,"{bad}",,\nb,2,,\n')
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert quarantine(lab) == [("a.csv", 2, "amount is no bigint")]


@on_engines("duckdb")
@pytest.mark.parametrize("bad", ["2024-02-30 00:00:00", "2024-13-01 00:00:00", "20240101", "soon"])
def test_what_is_no_instant_is_quarantined(lab: Lab, bad: str) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + f"a,1,{bad},\n")
    assert counts(lab) == (1, 0, 1, 0, 0)


@on_engines("duckdb")
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


@on_engines("duckdb")
def test_a_row_that_cannot_be_taken_apart_shows_only_its_shape(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "김철수,010-1234-5678\n")
    counts(lab)
    assert lab.query("select masked_row from raw_ledger.quarantine") == [("가가가,999-9999-9999",)]


@on_engines("duckdb")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_encodings_are_detected(lab: Lab, encoding: str, ending: str) -> None:
    declare(lab)
    text = (HEADER + "굿닥,1,,똠방각하\n\n병원,2,,").replace("\n", ending)
    drop(lab, "a.csv", text, encoding)
    assert counts(lab) == (2, 2, 0, 0, 0)
    assert rows(lab, "code, note") == [("굿닥", "똠방각하"), ("병원", None)]


@on_engines("duckdb")
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


@on_engines("duckdb")
def test_korean_headers_are_mapped_and_colliding_ones_refused_with_both_names(lab: Lab) -> None:
    declare(lab, "header: {코드: code, 상품코드: code, 금액: amount, 시각: seen_at, 비고: note}")
    drop(lab, "1.csv", "비고,금액,코드,시각\nx,1,a,\n")
    drop(lab, "2.csv", "코드,상품코드,금액,시각,비고\na,b,1,,\n")
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert rows(lab) == [("a", 1, "x")]
    ((file, line, reason),) = quarantine(lab)
    assert (file, line) == ("2.csv", None)
    assert "코드" in reason and "상품코드" in reason


@on_engines("duckdb")
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
    assert counts(lab) == (2, 0, 2, 0, 0)
    assert "kept the 1 loaded before" in quarantine(lab)[1][2]
    declare(lab, "empty: allowed")
    assert counts(lab, replay=[("drops", "rows")]) == (1, 0, 1, 0, 1)  # a.csv.gz can't tell
    assert lab.query("select count(*) from raw_drops.rows where _deleted_at is null") == [(2000,)]
    drop(lab, "a.csv.gz", good)
    assert counts(lab) == (2000, 0, 0, 2000, 0)


def test_a_file_sent_again_moved_or_renamed_is_loaded_once(lab: Lab) -> None:
    declare(lab)
    file = drop(lab, "a.csv", HEADER + "a,1,,\n")
    assert counts(lab)[1] == 1
    drop(lab, "again.csv", HEADER + "a,1,,\n")
    report = lab.load().tables[0]
    assert report.counts.read == 0
    assert report.notes == ["again.csv says what a.csv says: landed once"]
    file.rename(lab.files / "moved.csv")
    assert counts(lab)[0] == 0
    assert len(rows(lab)) == 1
    assert lab.load().tables[0].notes == []


@on_engines("duckdb")
def test_a_late_file_with_an_old_time_lands_and_a_touched_one_does_not_again(lab: Lab) -> None:
    declare(lab)
    file = drop(lab, "b.csv", HEADER + "b,1,,\n")
    counts(lab)
    os.utime(drop(lab, "a.csv", HEADER + "a,1,,\n"), (0, 0))
    os.utime(file, (86400, 86400))
    assert counts(lab) == (1, 1, 0, 0, 0)


@on_engines("duckdb")
def test_a_file_that_grows_is_read_again_with_its_half_written_line(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2")
    assert counts(lab) == (2, 1, 1, 0, 0)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,23,,\nc,3,,\n")
    assert counts(lab) == (3, 2, 0, 1, 0)
    assert [row[:2] for row in rows(lab)] == [("a", 1), ("b", 23), ("c", 3)]
    assert quarantine(lab) == []


@on_engines("duckdb")
@pytest.mark.parametrize("older", ["0.csv", "z.csv"])
def test_a_file_that_makes_room_for_the_next_keeps_its_rows(lab: Lab, older: str) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2,,\n")
    counts(lab)
    (lab.files / "a.csv").rename(lab.files / older)
    drop(lab, "a.csv", HEADER + "c,3,,\n")
    counts(lab)
    assert sorted(row[0] for row in rows(lab)) == ["a", "b", "c"]
    assert counts(lab)[0] == 0
    assert lab.ledger_balances()


@on_engines("duckdb")
def test_a_copy_brings_the_rows_that_its_twin_loses(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    drop(lab, "b.csv", HEADER + "a,1,,\n")
    counts(lab)
    drop(lab, "a.csv", HEADER + "other,2,,\n")
    counts(lab)
    assert rows(lab, "_file, code") == [("a.csv", "other"), ("b.csv", "a")]
    # a replay of all finds nothing to change
    assert counts(lab, replay=[("drops", "rows")]) == (2, 0, 0, 2, 0)
    # and back again
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    assert counts(lab) == (0, 0, 0, 0, 1)
    assert rows(lab, "_file, code") == [("b.csv", "a")]


@on_engines("duckdb")
def test_a_file_that_could_not_be_read_can_be_sent_under_another_name(lab: Lab) -> None:
    declare(lab, "name_pattern: 'good.*'")
    file = drop(lab, "misnamed.csv", HEADER + "a,1,,\n")
    assert counts(lab) == (1, 0, 1, 0, 0)
    file.rename(lab.files / "good.csv")
    assert counts(lab) == (1, 1, 0, 0, 0)


@on_engines("duckdb")
def test_two_files_that_change_names_keep_all_rows(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    drop(lab, "b.csv", HEADER + "b,2,,\n")
    counts(lab)
    (lab.files / "a.csv").rename(lab.files / "x")
    (lab.files / "b.csv").rename(lab.files / "a.csv")
    (lab.files / "x").rename(lab.files / "b.csv")
    counts(lab)
    assert rows(lab, "_file, code") == [("a.csv", "b"), ("b.csv", "a")]
    assert counts(lab)[0] == 0
    assert lab.ledger_balances()


@on_engines("duckdb")
def test_a_copy_of_a_file_that_broke_since_is_not_loaded_beside_it(lab: Lab) -> None:
    declare(lab)
    good = HEADER + "a,1,,\n"
    drop(lab, "a.csv", good)
    drop(lab, "b.csv", good)
    counts(lab)
    drop(lab, "a.csv", "code,amount\n")
    assert counts(lab) == (1, 0, 1, 0, 0)
    drop(lab, "c.csv", good)
    assert counts(lab)[0] == 0
    assert rows(lab, "_file, code") == [("a.csv", "a")]
    drop(lab, "a.csv", good)
    assert counts(lab) == (1, 0, 0, 1, 0)
    assert quarantine(lab) == []
    drop(lab, "a.csv", HEADER + "new,2,,\n")
    assert counts(lab)[1] == 2
    assert rows(lab, "_file, code") == [("a.csv", "new"), ("b.csv", "a")]


@on_engines("duckdb")
def test_what_stands_in_the_name_is_part_of_what_a_file_says(lab: Lab) -> None:
    text = CSV.replace("OPTIONS", "name_pattern: '(?P<day>\\d{8})\\.csv'").replace(
        "code: string none", "day: string none\n          code: string none"
    )
    declare(lab, text=text)
    drop(lab, "20260829.csv", HEADER + "a,1,,\n")
    drop(lab, "20260830.csv", HEADER + "a,1,,\n")
    drop(lab, "sent again/20260830.csv", HEADER + "a,1,,\n")
    assert counts(lab) == (2, 2, 0, 0, 0)
    assert rows(lab, "day") == [("20260829",), ("20260830",)]


@on_engines("duckdb")
def test_a_file_that_may_still_be_written_is_left_for_the_next_run(lab: Lab) -> None:
    declare(lab, "settle: 2m")
    file = drop(lab, "a.csv", HEADER + "a,1,,\n")
    report = lab.load().tables[0]
    assert (report.counts.read, report.notes) == (
        0,
        ["a.csv is younger than `settle`: left for the next run"],
    )
    os.utime(file, (time.time() - 121,) * 2)
    assert counts(lab)[1] == 1


@on_engines("duckdb")
@pytest.mark.parametrize("change", ["grows", "link", "gone"])
def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(
    lab: Lab, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab)
    file = drop(lab, "a.csv", HEADER + "a,1,,\n")
    drop(lab, "b.csv", HEADER + "b,1,,\n")
    read = Slice.read

    def meddled(self: Slice) -> object:
        if change == "grows":
            with file.open("a") as stream:
                stream.write("c,3,,\n")
        else:
            file.unlink(missing_ok=True)
        if change == "link":
            file.symlink_to(lab.files / "b.csv")
        monkeypatch.setattr(Slice, "read", read)
        return read(self)

    monkeypatch.setattr(Slice, "read", meddled)
    report = lab.load().tables[0]
    assert (report.error, report.counts.read, report.counts.loaded) == (None, 1, 1)
    assert report.notes == ["a.csv changed while it was read: left for the next run"]
    assert counts(lab)[1] == (2 if change == "grows" else 0)
    assert quarantine(lab) == []


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


@on_engines("duckdb", "postgres")
def test_a_rejected_row_does_not_keep_the_row_that_stood_on_its_line(lab: Lab) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2,,\nc,3,,\n")
    counts(lab)
    drop(lab, "a.csv", HEADER + "x,bad,,\nb,2,,\nbroken\n")
    assert counts(lab) == (3, 0, 2, 1, 2)
    assert rows(lab) == [("b", 2, None)]
    assert [line for _, line, _ in quarantine(lab)] == [2, 4]
    # and back: the rows come in as new ones
    drop(lab, "a.csv", HEADER + "a,1,,\nb,2,,\nc,3,,\n")
    assert counts(lab) == (3, 2, 0, 1, 0)
    assert rows(lab) == [("a", 1, None), ("b", 2, None), ("c", 3, None)]
    assert quarantine(lab) == []
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


@on_engines("duckdb")
@pytest.mark.parametrize("pattern", ["*.csv*", "**/*.csv", "**/*", "*/*.csv", "**/**/x*"])
def test_nothing_but_files_of_the_root_is_read(lab: Lab, tmp_path: Path, pattern: str) -> None:
    declare(lab, text=CSV.replace('"*.csv*"', f'"{pattern}"'))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.csv").write_text(HEADER + "s,1,,\n")
    (lab.files / "link.csv").symlink_to(tmp_path / "outside" / "secret.csv")
    (lab.files / "folder").symlink_to(tmp_path / "outside")
    (lab.files / "loop").symlink_to(lab.files)
    (lab.files / "device.csv").symlink_to("/dev/zero")
    (lab.files / "folder.csv").mkdir()
    os.mkfifo(lab.files / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(lab.files / "socket.csv"))
        drop(lab, "xx/x.csv", HEADER + "a,1,,\n")
        assert counts(lab)[1:] == ((0 if pattern == "*.csv*" else 1), 0, 0, 0)
    assert {row[0] for row in rows(lab, "_file")} <= {"xx/x.csv"}


@pytest.mark.parametrize("path", ["../*.csv", "/etc/*", "a/../../*.csv"])
@on_engines("duckdb")
def test_a_path_out_of_the_root_is_refused(lab: Lab, path: str) -> None:
    declare(lab, text=CSV.replace("*.csv*", path))
    with pytest.raises(DeclarationError, match=r"drops.yml:8: .* leaves the source's root"):
        lab.load()


@on_engines("duckdb")
@pytest.mark.parametrize("what", ["link", "pipe", "other", "gone"])
def test_a_file_that_is_another_one_when_it_is_opened_is_not_read(
    lab: Lab, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab)
    file = drop(lab, "a.csv", HEADER + "a,1,,\n")
    drop(lab, "b.csv", HEADER + "b,1,,\n")
    (tmp_path / "secret.csv").write_text(HEADER + "secret,1,,\n")
    find = storage.Folder.find

    def swapped(self: storage.Folder, patterns: tuple[str, ...]) -> list:
        found = find(self, patterns)
        file.unlink()
        if what == "link":
            file.symlink_to(tmp_path / "secret.csv")
        elif what == "pipe":
            os.mkfifo(file)
        elif what == "other":
            (tmp_path / "secret.csv").rename(file)
        monkeypatch.setattr(storage.Folder, "find", find)
        return found

    monkeypatch.setattr(storage.Folder, "find", swapped)
    report = lab.load().tables[0]
    assert (report.counts.read, report.counts.loaded) == (1, 1)
    assert report.notes == ["a.csv changed while it was read: left for the next run"]
    assert [row[0] for row in rows(lab)] == ["b"]
    file.unlink(missing_ok=True)
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    assert counts(lab)[1] == 1


@on_engines("duckdb")
def test_a_file_that_may_not_be_opened_is_quarantined_and_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(lab)
    drop(lab, "a.csv", HEADER + "a,1,,\n")
    drop(lab, "b.csv", HEADER + "b,1,,\n")
    opened = storage.open_as_found

    def denied(path: Path, inode: int) -> object:
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, inode)

    monkeypatch.setattr(storage, "open_as_found", denied)
    for _ in range(2):
        assert counts(lab)[2] == 1
    assert quarantine(lab) == [("a.csv", None, "the file can't be read: Permission denied")]
    monkeypatch.setattr(storage, "open_as_found", opened)
    assert counts(lab) == (1, 1, 0, 0, 0)
    assert quarantine(lab) == []


JSONL = CSV.replace('"*.csv*"', '"*.jsonl*"')


@on_engines("duckdb")
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


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx"])
def test_a_file_may_lack_an_optional_column_and_no_other(lab: Lab, form: str) -> None:
    declare(lab, "optional: [amount, seen_at]", CSV.replace('"*.csv*"', f'"*.{form}"'))

    def write(name: str, **columns: list[str]) -> None:
        file = lab.files / f"{name}.{form}"
        lines = [list(columns), *zip(*columns.values(), strict=True)]
        if form == "csv":
            file.write_text("\n".join(",".join(line) for line in lines))
        elif form == "parquet":
            pq.write_table(pa.table(columns), file)
        else:
            book = openpyxl.Workbook()
            for line in lines:
                book.active.append(line)
            book.save(file)

    write("1", code=["a"], note=["x"])
    write("2", code=["b"], note=["y"], amount=["2"])
    write("3", code=["c"], amount=["3"])
    assert counts(lab)[:3] == (3, 2, 1)
    assert rows(lab) == [("a", None, "x"), ("b", 2, "y")]
    ((file, line, reason),) = quarantine(lab)
    assert (file, line) == (f"3.{form}", None) and reason.endswith(" note"), reason


@on_engines("duckdb")
def test_parquet_with_texts_that_are_no_utf8_is_quarantined(lab: Lab) -> None:
    declare(lab, text=CSV.replace('"*.csv*"', '"*.parquet"'))
    texts = pa.array([b"\xff\xfe", b"x"]).view(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, texts.buffers())
    base = {"amount": [1, 2], "seen_at": [None, None], "note": ["x", "y"]}
    pq.write_table(pa.table({"code": broken, **base}), lab.files / "1.parquet")
    pq.write_table(pa.table({"code": ["a", "b"], **base}), lab.files / "2.parquet")
    assert counts(lab)[0] == 3
    assert [(file, line) for file, line, _ in quarantine(lab)] == [("1.parquet", None)]
    assert rows(lab) == [("a", 1, "x"), ("b", 2, "y")]


@on_engines("duckdb")
def test_rows_from_the_future_are_quarantined(lab: Lab) -> None:
    declare(lab, "future: seen_at")
    drop(lab, "a.csv", HEADER + "a,1,2099-01-01 00:00:00,\nb,1,2026-01-01 00:00:00,\n")
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert quarantine(lab) == [("a.csv", 2, "seen_at lies in the future")]


@on_engines("duckdb")
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


# -- what is odd about a text file ---------------------------------------------------------------


@on_engines("duckdb")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(lab: Lab, encoding: str) -> None:
    declare(lab)
    mark = "" if encoding == "utf-16" else "\ufeff"
    drop(lab, "a.csv", mark + HEADER + "굿닥,1,,똠방각하\n", encoding)
    assert counts(lab) == (1, 1, 0, 0, 0)
    assert rows(lab, "code, note") == [("굿닥", "똠방각하")]


@on_engines("duckdb")
def test_a_mark_before_declared_utf8_is_no_part_of_the_first_header(lab: Lab) -> None:
    declare(lab, "encoding: UTF-8")
    drop(lab, "a.csv", HEADER + "굿닥,1,,\n", "utf-8-sig")
    assert counts(lab) == (1, 1, 0, 0, 0)


@on_engines("duckdb")
def test_a_broken_byte_costs_a_utf8_file_one_row_and_no_other_text(lab: Lab) -> None:
    declare(lab)
    file = drop(lab, "a.csv", HEADER + "각각,1,,\n각,2,,\n")
    file.write_bytes(file.read_bytes().replace("각,2".encode(), "각,2".encode()[:2] + b",2"))
    assert counts(lab) == (2, 1, 1, 0, 0)
    assert rows(lab) == [("각각", 1, None)]
    assert quarantine(lab) == [("a.csv", 3, "bytes that the encoding lacks")]


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("text", "landed", "rejected"),
    [
        ("\n\r\ncode,amount,seen_at,note\na,1,,\n", 1, 0),
        ("code,amount,seen_at,note", 0, 0),
        ("code,amount,seen_at,note\r\ra,1,,\r\rb,2,,", 2, 0),
        ('code,amount,seen_at,note\na,1,,"x\n\ny"\n', 1, 0),
        # a quote that is never closed swallows what follows
        ('code,amount,seen_at,note\na,1,,\nb,2,,"x\nc,3,,\nd,4,,\n', 1, 1),
        ('code,amount,seen_at,note\na,1,,\nb,"2\nc,3,,\nd,4,,\n', 1, 1),
        ('note,seen_at,amount,code\n"a ""b"" c",,1,x\n', 1, 0),
    ],
)
def test_odd_but_clear_csv(lab: Lab, text: str, landed: int, rejected: int) -> None:
    declare(lab)
    drop(lab, "a.csv", text)
    assert counts(lab) == (landed + rejected, landed, rejected, 0, 0)
    if rejected:
        assert quarantine(lab) == [("a.csv", 3, "a quote that is never closed")]


@on_engines("duckdb")
def test_lines_are_named_across_blocks_blank_lines_and_broken_rows(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract_load.readers.files.delimited.CHUNK", 256)
    declare(lab)
    lines = ["broken" if n % 7 == 0 else f'c{n},{n},,"x\ny"' for n in range(2, 500)]
    drop(lab, "a.csv", HEADER + "\n\n".join(lines))
    counts(lab)
    assert lab.query("select count(*) from raw_drops.rows where _line <> amount") == [(0,)]
    assert [line for _, line, _ in quarantine(lab)] == [n for n in range(2, 500) if n % 7 == 0]


@on_engines("duckdb")
def test_fragments_of_code_are_text_wherever_they_stand(lab: Lab) -> None:
    fragments = [
        "'; drop table raw_ledger.loads; --", "{{ env_var('HOME') }}", "$(touch x)", "`id`",
        "%s %(x)s {0}", "${HOME}", "\\", "../../etc/passwd", '"', "null", "=cmd()", "<b>&amp;",
    ]  # fmt: skip
    head = "it's ${HOME} {{ 1 }} $(id)"
    declare(lab, f'header: {{"{head}": note}}')
    quoted = [fragment.replace('"', '""') for fragment in fragments]
    text = f"code,amount,seen_at,{head}\n" + "".join(f'"{q}",1,,"{q}"\n' for q in quoted)
    for n, fragment in enumerate(fragments[:5] + fragments[9:]):
        drop(lab, fragment.replace("/", "-") + ".csv", text + f"last,{n},,\n")
    read = len(fragments) + 1
    assert counts(lab)[:3] == (read * 8, read * 8, 0)
    assert {row[0] for row in rows(lab, "code")} == {*fragments, "last"}
    names = {row[0] for row in rows(lab, "_file")}
    assert names == {path.name for path in lab.files.iterdir()}


@on_engines("duckdb")
@pytest.mark.parametrize(
    "option",
    [
        "time_zone: \"UTC' or 1=1 --\"", "encoding: nonsense", "encoding: hex", "delimiter: ab",
        "delimiter: '\"'", "sheet: 0", "header_row: 0", "settle: soon", "format: xml",
        "name_pattern: '('",
    ],
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused_with_its_line(lab: Lab, option: str) -> None:
    declare(lab, option)
    with pytest.raises(DeclarationError, match=r"drops.yml:9: "):
        lab.load()


# -- files without rows --------------------------------------------------------------------------


def empty_files() -> dict[str, bytes]:
    table = pa.table({name: pa.array([], pa.string()) for name in HEADER.strip().split(",")})
    parquet = io.BytesIO()
    pq.write_table(table, parquet)
    return {
        "csv": HEADER.encode(),
        "jsonl": b"",
        "json": b"[]",
        "parquet": parquet.getvalue(),
        "xlsx": workbook([HEADER.strip().split(",")]),
    }


@on_engines("duckdb")
@pytest.mark.parametrize("form", ["csv", "jsonl", "json", "parquet", "xlsx"])
def test_a_file_without_rows_leaves_a_marker_where_that_is_declared(lab: Lab, form: str) -> None:
    options = f"empty: marked\n        name_pattern: '(?P<note>[a-z]+)\\.{form}'"
    text = CSV.replace('"*.csv*"', f'"*.{form}"')
    declare(lab, options, text)
    (lab.files / f"none.{form}").write_bytes(empty_files()[form])
    assert counts(lab) == (1, 1, 0, 0, 0)
    assert rows(lab, "_line, code, amount, seen_at, note") == [(0, None, None, None, "none")]
    declare(lab, options.replace("marked", "refused"), text)
    (lab.files / f"other.{form}").write_bytes(empty_files()[form])
    assert counts(lab)[1] == 0


# -- workbooks -----------------------------------------------------------------------------------

XLSX = CSV.replace('"*.csv*"', '"*.xlsx"').replace("amount: bigint", "amount: string")
NAMES = ["code", "amount", "seen_at", "note"]


def workbook(lines: list[list], change: Callable[[Any, Any], None] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "첫 장"
    for line in lines:
        sheet.append(line)
    if change:
        change(book, sheet)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def with_part(content: bytes, part: bytes) -> bytes:
    """A workbook whose styles are another part."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as book, zipfile.ZipFile(out, "w", 8) as changed:
        for name in book.namelist():
            changed.writestr(name, part if name == "xl/styles.xml" else book.read(name))
    return out.getvalue()


@on_engines("duckdb")
def test_cells_of_a_workbook_land_as_what_they_say(lab: Lab) -> None:
    declare(lab, "sheet: 첫 장\n        header_row: 2", XLSX)
    lines = [
        ["007", 7, datetime(2026, 1, 2, 3, 4, 5), "line\nbreak"],
        ["1E5", 1.5, None, " pad "],
        [None, None, None, None],
        [20240230, 1e-7, None, datetime(2026, 1, 2)],
        ["한글 😀", 0.1 + 0.7, None, True],
        ["1,234", 123456789012345, None, timedelta(hours=26)],
        ["x", 10**15, None, None],
    ]
    content = workbook([["a title", None, None, None], NAMES, *lines])
    (lab.files / "a.xlsx").write_bytes(content)
    assert counts(lab) == (6, 5, 1, 0, 0)
    assert rows(lab, "_line, code, amount, note") == [
        (3, "007", "7", "line\nbreak"),
        (4, "1E5", "1.5", " pad "),
        (6, "20240230", "0.0000001", "2026-01-02"),
        (7, "한글 😀", "0.8", "true"),
        (8, "1,234", "123456789012345", "26:00:00"),
    ]
    assert lab.query("select seen_at from raw_drops.rows where _line = 3") == [
        (datetime(2026, 1, 2, 3, 4, 5),)
    ]
    assert quarantine(lab) == [("a.xlsx", 9, "amount: a number of more than 15 digits")]


@on_engines("duckdb")
@pytest.mark.parametrize("chunk", [128, 160, 199, 2**23])
def test_cells_that_do_not_say_what_they_show_cost_their_row(
    lab: Lab, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract_load.readers.files.workbook._CHUNK", chunk)

    def change(_: Any, sheet: Any) -> None:
        sheet["B3"] = "#N/A"
        sheet["B4"] = "=1+1"
        sheet.merge_cells("A5:A6")

    declare(lab, text=XLSX)
    content = workbook([NAMES, *([f"c{n}", n, None, "x"] for n in range(2, 8))], change)
    (lab.files / "a.xlsx").write_bytes(content)
    assert counts(lab) == (6, 2, 4, 0, 0)
    assert [reason for _, _, reason in quarantine(lab)] == [
        "cell B3 holds an error", "cell B4 holds a formula without value",
        "row 5 has merged cells", "row 6 has merged cells",
    ]  # fmt: skip


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("options", "content", "reason"),
    [
        ("sheet: 없음", lambda: workbook([NAMES]), "it has no sheet 없음"),
        ("sheet: 2", lambda: workbook([NAMES]), "it has no sheet 2"),
        ("", lambda: workbook([[*NAMES, "code"]]), "two headers mean code: code and code"),
        ("", lambda: workbook([NAMES[1:]]), "the header lacks code"),
        ("", lambda: workbook([]), "not even a header"),
        ("header_row: 3", lambda: workbook([NAMES, ["a", 1]]), "not even a header"),
        (
            "",
            lambda: workbook([NAMES], lambda _, sheet: sheet.merge_cells("A1:B1")),
            "row 1, the header, has merged cells",
        ),
        # two cells, far apart: room for all between them would be 400 GB
        ("", lambda: workbook([NAMES], lambda _, s: s.cell(1048576, 16384, "x")), "10,000,000"),
        ("", lambda: workbook([NAMES])[:-90], "no workbook that can be read"),
        ("", lambda: b"PK\3\4 no", "no workbook that can be read"),
        ("", lambda: b"", "no workbook that can be read"),
        ("", lambda: with_part(workbook([NAMES]), b" " * 70_000_000), "unpacks to 70,0"),
        ("", lambda: with_part(workbook([NAMES]), b"<<"), "no workbook that can be read"),
    ],
)
def test_a_workbook_that_is_not_as_declared_is_quarantined(
    lab: Lab, options: str, content: Callable[[], bytes], reason: str
) -> None:
    declare(lab, options, XLSX)
    (lab.files / "a.xlsx").write_bytes(content())
    (lab.files / "b.xlsx").write_bytes(workbook([["x"], ["x"], NAMES, ["b", 1]]))
    (table,) = lab.load().tables
    assert table.error is None
    found = [why for file, _, why in quarantine(lab) if file == "a.xlsx"]
    assert len(found) == 1 and reason in found[0]


# -- JSON ----------------------------------------------------------------------------------------

JSON = CSV.replace('"*.csv*"', '"*.json"').replace("amount: bigint", "amount: string")
# valid JSON values and how they land as text; after the suite of Nicolas Seriot, which names these
# cases y_ (must be accepted) and n_ (must be refused)
ACCEPTED = {
    "1E5": "1E5", "1e-2": "1e-2", "1.0": "1.0", "-0": "-0", "0.10": "0.10", "12.5e78": "12.5e78",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "3.141592653589793238462643383279": "3.141592653589793238462643383279",
    '"007"': "007", '""': "", '"\\u0061"': "a", '"\\ud83d\\ude00"': "😀", '"😀"': "😀",
    '"\\"\\\\\\/\\b\\f\\n\\r\\t"': '"\\/\b\f\n\r\t', '"\x7f"': "\x7f", '"\\u200b"': "\u200b",
    '"null"': "null", "null": None, "true": "true", '{"a": [1, "x"]}': '{"a":[1,"x"]}',
    '[1.0, 1E5]': "[1.0,1E5]", '"\\u2028"': "\u2028", '"한글"': "한글", '"\\uffff"': "\uffff",
}  # fmt: skip
REFUSED = [
    "01", "1.", ".5", "+1", "-", "1e", "1eE2", "0x1F", "1 2", "NaN", "Infinity", "-Infinity", "tru",
    "True", "nul", "'a'", '"a', 'a"', '"\\x"', '"\\u12"', '"a\nb"', '"a\tb"', "[1,]", "[1", "[,1]",
    '{"a" 1}', '{"a":}', "{a: 1}", '{"a": 1,}', "undefined", "<!-- x -->", "", "// x", '"\\a"',
    "[1]]", "{", '{"a":1 "b"}', "- 1", "2.e3", "1_000", "１", '"\x00"', '"\\', "\ufeff1",
]  # fmt: skip
# escapes that no text can hold: half a pair of surrogates, NUL
UNHOLDABLE = ['"\\ud800"', '"\\udc00x"', '"\\ud800\\ud800"', '"\\u0000"', '"a\\u0000b"']


@on_engines("duckdb")
def test_json_values_land_as_they_are_written(lab: Lab) -> None:
    declare(lab, text=JSON)
    values = ",\n".join(f'{{"code": {value}, "amount": "1"}}' for value in ACCEPTED)
    text = f"[{values}]"
    for name in ("seen_at", "note"):
        text = text.replace('"amount": "1"', f'"amount": "1", "{name}": null', 1)
    drop(lab, "a.json", text)
    assert counts(lab)[1] == len(ACCEPTED)
    assert dict(zip(ACCEPTED, (row[0] for row in rows(lab, "code")), strict=True)) == ACCEPTED


@on_engines("duckdb")
def test_what_is_no_json_is_quarantined(lab: Lab) -> None:
    declare(lab, text=JSON)
    for n, value in enumerate(REFUSED):
        drop(lab, f"{n}.json", f'[{{"code": {value}, "amount": "1"}}]')
    drop(lab, "good.json", '[{"code": "a"}]')
    assert counts(lab)[:3] == (len(REFUSED) + 1, 1, len(REFUSED))
    assert rows(lab) == [("a", None, None)]


@on_engines("duckdb")
def test_escapes_that_no_text_can_hold_are_quarantined(lab: Lab) -> None:
    declare(lab, text=JSON)
    values = ",".join(f'{{"code": {value}}}' for value in [*UNHOLDABLE, '"good"'])
    drop(lab, "a.json", f"[{values}]")
    assert counts(lab)[:3] == (len(UNHOLDABLE) + 1, 1, len(UNHOLDABLE))
    assert rows(lab) == [("good", None, None)]


@on_engines("duckdb")
@pytest.mark.parametrize(
    ("path", "text", "codes"),
    [
        ("", '[{"code": 1}, {"code": 2}]', ["1", "2"]),
        ("", ' {"code": 1} ', ["1"]),
        ("", "null", []),
        ("items", '{"n": 1, "items": [{"code": 1}], "z": {"items": 3}}', ["1"]),
        ("items.item", '{"items": {"item": [{"code": 1}, {"code": 2}]}}', ["1", "2"]),
        ("items.item", '{"items": {"item": {"code": 1}}}', ["1"]),
        ("items.item", '{"items": {"item": []}}', []),
        ("items.item", '{"items": {"item": null}}', []),
        ("items.item", '{"items": null}', []),
        # as Korea's public data portal answers where it has nothing
        ("items.item", '{"items": ""}', []),
        ("items.item", '{"items": {"item": ""}}', []),
        ("items.item", '{"items": []}', []),
        ("items.item", '{"items": {}}', "the document lacks items.item"),
        ("items.item", '{"other": {}}', "the document lacks items.item"),
        ("items.item", '{"items": "x"}', "items is neither object nor array"),
        ("items.item", '{"items": {"item": 5}}', "items.item is neither object nor array"),
        ("items", '{"items": [], "items": [{"code": 1}]}', "items stands there twice"),
        ("", '[{"code": 1}] [{"code": 2}]', "more than one JSON value"),
        ("", '[{"code": 1}, {"co', "not JSON at character"),
        ("", "", "not JSON at character 1"),
        ("", "5", "the document is neither object nor array"),
        ("", "[" * 100_000, "nested deeper than 100 levels"),
        ("", f'[{{"code": {"[" * 101}{"]" * 101}}}]', "row 1 is nested deeper than 100 levels"),
    ],
)
def test_rows_of_a_json_document_are_found_where_they_are_declared(
    lab: Lab, path: str, text: str, codes: list[str] | str
) -> None:
    declare(lab, f"rows: {path}" if path else "", JSON)
    drop(lab, "a.json", text)
    if isinstance(codes, list):
        assert counts(lab) == (len(codes), len(codes), 0, 0, 0)
        assert rows(lab, "code, _line") == [(code, n) for n, code in enumerate(codes, 1)]
    else:
        assert counts(lab) == (1, 0, 1, 0, 0)
        assert codes in quarantine(lab)[0][2]


# -- archives ------------------------------------------------------------------------------------

ZIP = CSV.replace('"*.csv*"', '["*.zip", "*.csv"]')


def archive(lab: Lab, name: str, members: dict[str, str | bytes], packed: int = 8) -> Path:
    file = lab.files / name
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packed) as out:
        warnings.simplefilter("ignore")
        for member, content in members.items():
            out.writestr(member.rstrip("*"), content)
    return file


@on_engines("duckdb")
def test_each_member_of_an_archive_is_a_file(lab: Lab) -> None:
    declare(lab, "name_pattern: '(?P<note>\\w+)\\.(csv|jsonl)(\\.gz)?'", ZIP)
    archive(
        lab,
        "a.zip",
        {
            "in/one.csv": HEADER + "a,1,,x\n",
            "two.csv.gz": gzip.compress((HEADER + "b,2,,x\nc,x,,x\n").encode()),
            "three.jsonl": '{"code": "d", "amount": 4}\n',
            "other.txt": "no",
            "in/": "",
            "__MACOSX/one.csv": "no",
        },
    )
    assert counts(lab)[0] == 5
    assert lab.query("select file, line from raw_ledger.quarantine order by 1") == [
        ("a.zip/other.txt", None),
        ("a.zip/two.csv.gz", 3),
    ]
    assert rows(lab, "_file, code, note") == [
        ("a.zip/in/one.csv", "a", "one"),
        ("a.zip/three.jsonl", "d", "three"),
        ("a.zip/two.csv.gz", "b", "two"),
    ]
    assert counts(lab)[0] == 0
    assert list((lab.folder / "landing").iterdir()) == []


@on_engines("duckdb")
def test_members_are_known_by_what_they_say_wherever_they_come_again(lab: Lab) -> None:
    declare(lab, text=ZIP)
    first, second = HEADER + "a,1,,\n", HEADER + "b,2,,\n"
    archive(lab, "a.zip", {"one.csv": first})
    assert counts(lab)[1] == 1
    archive(lab, "a.zip", {"one.csv": first, "two.csv": second})
    assert counts(lab) == (1, 1, 0, 0, 0)
    archive(lab, "b.zip", {"x.csv": first, "y.csv": second}, packed=zipfile.ZIP_STORED)
    drop(lab, "z.csv", first)
    assert counts(lab)[0] == 0
    archive(lab, "a.zip", {"one.csv": HEADER + "new,3,,\n", "two.csv": second})
    counts(lab)
    assert sorted(row[0] for row in rows(lab)) == ["a", "b", "new"]
    assert counts(lab, replay=[("drops", "rows")])[1] == 0
    assert lab.ledger_balances()


@on_engines("duckdb")
def test_an_archive_that_cannot_be_read_harms_no_other(lab: Lab) -> None:
    declare(lab, text=ZIP)
    good = {"good.csv": HEADER + "a,1,,\n"}
    inner = archive(lab, "inner.zip", {"x.csv": HEADER}).read_bytes()
    (lab.files / "inner.zip").unlink()
    archive(lab, "1.zip", good | {"inner.zip": inner})
    encrypted = archive(lab, "2.zip", {"secret.csv": HEADER + "b,1,,\n"})
    content = bytearray(encrypted.read_bytes())
    for mark, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.index(mark) + at] |= 1
    encrypted.write_bytes(content)
    archive(lab, "3.zip", {"a.csv": HEADER, "a.csv*": HEADER + "c,1,,\n"})
    broken = archive(lab, "4.zip", {"x.csv": HEADER + "d,1,,\n" * 100}, zipfile.ZIP_STORED)
    broken.write_bytes(broken.read_bytes().replace(b"d,1", b"e,1", 1))
    (lab.files / "5.zip").write_bytes(b"PK no")
    archive(lab, "6.zip", {"bomb.csv": b"\0" * 70_000_000})
    archive(lab, "7.zip", {"../../x.csv": HEADER + "f,1,,\n", "/etc/y.csv": HEADER + "g,1,,\n"})
    assert counts(lab)[1:3] == (3, 6)
    assert [row[0] for row in rows(lab)] == ["a", "f", "g"]
    reasons = {file: reason for file, _, reason in quarantine(lab)}
    for file, reason in {
        "1.zip/inner.zip": "an archive within an archive",
        "2.zip/secret.csv": "it is encrypted",
        "3.zip": "two members are called a.csv",
        "4.zip/x.csv": "can't be unpacked",
        "5.zip": "not a zip file",
        "6.zip": "unpacks to 70,000,000 bytes",
    }.items():
        assert reason in reasons[file]
    assert {path.name for path in lab.folder.iterdir()} <= {
        "files", "sources", "landing", "warehouse.duckdb"
    }  # fmt: skip
    assert counts(lab)[0] == 0


@on_engines("duckdb")
def test_names_in_an_archive_from_korean_windows(lab: Lab) -> None:
    declare(lab, text=ZIP)
    file = archive(lab, "a.zip", {"XXXX.csv": HEADER + "a,1,,\n"})
    file.write_bytes(file.read_bytes().replace(b"XXXX", "약가".encode("cp949")))
    counts(lab)
    assert rows(lab, "_file") == [("a.zip/약가.csv",)]


# -- sizes ---------------------------------------------------------------------------------------


@on_engines("duckdb")
def test_what_is_too_big_is_named_and_the_rest_lands(lab: Lab) -> None:
    text = CSV.replace('"*.csv*"', '["*.csv*", "*.jsonl*"]')
    declare(lab, text=text)
    drop(lab, "good.csv", HEADER + "a,1,,\n")
    long = "x" * 17_000_000
    drop(lab, "1.csv", HEADER + "a,1,,\n" + f"b,1,,{long}\n")
    drop(lab, "2.jsonl", '{"code": "a"}\n\n{"code": "' + long + '"}\n')
    drop(lab, "3.csv", HEADER.strip() + "".join(f",c{n}" for n in range(100_000)) + "\n")
    drop(lab, "4.csv.gz", HEADER + "a,1,,\n" * 14_000_000)
    # no line is too long, but a row is
    drop(lab, "5.csv", HEADER + 'a,1,,"' + "x\n" * 20_000_000 + '"\n')
    (lab.files / "6.csv.zst").write_bytes(
        pa.compress(HEADER.encode() + b"a,1,,\n" * 14_000_000, "zstd", asbytes=True)
    )
    assert counts(lab)[:3] == (7, 1, 6)
    reasons = {file: reason for file, _, reason in quarantine(lab)}
    for file, reason in {
        "1.csv": "line 3 is longer than 16,777,216 bytes",
        "2.jsonl": "line 3 is longer than 16,777,216 bytes",
        "3.csv": "100,004 columns, more than 4,000",
        "4.csv.gz": "it unpacks to more than 67,108,864 bytes",
        "5.csv": "row 2 or a later one is longer",
        "6.csv.zst": "it unpacks to more than 67,108,864 bytes",
    }.items():
        assert reason in reasons[file], (file, reasons[file])


BOMBS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from engines import open_warehouse
from extract_load import load, read_sources
folder = Path({folder!r})
with open_warehouse("duckdb", str(folder / "warehouse.duckdb")) as warehouse:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    load(read_sources(folder / "sources").values(), warehouse, folder / "landing", None)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@on_engines("duckdb")
def test_a_bomb_costs_little_memory(lab: Lab) -> None:
    """One line of 600 MB in 0.6 MB of gzip, as CSV and as JSON lines."""
    declare(lab, text=CSV.replace('"*.csv*"', '["*.csv*", "*.jsonl*"]'))
    with gzip.open(lab.files / "1.csv.gz", "wb", 1) as bomb:
        bomb.write(HEADER.encode())
        for _ in range(600):
            bomb.write(b"x" * 1_000_000)
    (lab.files / "2.jsonl.gz").write_bytes((lab.files / "1.csv.gz").read_bytes() + b"\0")
    drop(lab, "good.csv", HEADER + "a,1,,\n")
    script = BOMBS.format(tests=str(Path(__file__).parent), folder=str(lab.folder))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 300
    assert len(rows(lab)) == 1
    assert [file for file, _, _ in quarantine(lab)] == ["1.csv.gz", "2.jsonl.gz"]
