"""HIRA's registry as it comes: workbooks whose headers drift, and what a spreadsheet loses."""

from datetime import date
from pathlib import Path

import openpyxl

from conftest import Goodoc

SAME = [
    "요양기관명", "종별코드", "종별코드명", "시도코드", "시도코드명", "시군구코드", "시군구코드명",
    "읍면동", "우편번호", "주소", "전화번호",
]  # fmt: skip
FIRST = ["암호화YKIHO코드", *SAME, "병원URL", "개설일자", "x좌표", "y좌표", "총의사수"]
LATER = [
    "암호화요양기호", *SAME, "병원홈페이지", "개설일자", "총의사수", "의과일반의", "좌표(X)",
    "좌표(Y)",
]  # fmt: skip


def workbook(file: Path, header: list[str], rows: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "hospBasisList"
    # what pandas calls Unnamed are columns without a header
    sheet.append([*header, None, None])
    for row in rows:
        sheet.append(row)
    book.save(file)


def test_workbooks_of_two_releases_are_one_registry(goodoc: Goodoc, tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    key, other = "A" * 80, "B" * 80
    where = ["의원", 110000, "서울", 110001, "강남구", None]
    workbook(
        folder / "1.병원정보서비스(2025.12.).xlsx",
        FIRST,
        [
            [key, "바른의원", 31, *where, 6292, "건강로 1", "02-555-0101", None, 19810806.0,
             127.0473, 37.5172, 3],
            [other, "새봄대학교병원", 1, "상급종합", *where[1:], "06292", "건강로 2", None, None,
             "19900101", 127.1, 37.5, 120],
        ],
    )  # fmt: skip
    workbook(
        folder / "1. 병원정보서비스 2026.03.xlsx",
        LATER,
        [[key, "바른의원", "31", *where, 3181, "건강로 9", None, None, 19810806, 4, 1,
          127.0473, 37.5172]],
    )  # fmt: skip
    goodoc.environment["HIRA_REGISTRY_DIR"] = str(folder)
    done = goodoc("run", "hira_registry")
    # no mart is made of it alone
    assert "nothing to publish yet" in done.stderr
    # a column that nobody declared is named, not landed
    assert "no privacy class, so did not land: 의과일반의" in done.stderr
    rows = goodoc.query(
        "select left(ykiho, 1), release_month, institution_type_code, post_code, address,"
        " opened_date, doctor_count, is_latest from staging.stg_hira_registry__hospitals"
        " order by 1, 2"
    )
    assert rows == [
        ("A", date(2025, 12, 1), "31", "06292", "건강로 1", date(1981, 8, 6), 3, False),
        ("A", date(2026, 3, 1), "31", "03181", "건강로 9", date(1981, 8, 6), 4, True),
        ("B", date(2025, 12, 1), "01", "06292", "건강로 2", date(1990, 1, 1), 120, True),
    ]
