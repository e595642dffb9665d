"""Lists of the drug-utilisation review (DUR) for the made-up ingredients, and what they say of the
made-up prescriptions."""

import csv
import io
from pathlib import Path

import duckdb

from simulator.files import Tally, write_bytes
from simulator.world import run

# List, its columns as announced, and which ingredients stand in it with what.
LISTS = {
    "concomitant_pairs": (
        "연번,성분명,병용금기 성분명,금기사유",
        """
        select case when rnd('way', n) < 0.5 then a.name else b.name end,
            case when rnd('way', n) < 0.5 then b.name else a.name end, '이유'
        from range(1, 701) as r (n)
        join ingredient as a on a.no = 1 + floor(rnd('pa', n) * 420)::bigint
        join ingredient as b on b.no = 1 + floor(rnd('pb', n) * 420)::bigint
        where a.name <> b.name
        """,
    ),
    "age_limits": (
        "연번,성분명,연령,연령단위,연령 처리조건",
        """
        select name, pick(['2', '6', '12', '18', '65'], rnd('agev', no)),
            case when rnd('ageu', no) < 0.2 then '' else '세' end,
            case when rnd('agev', no) >= 0.8 then '이상' when rnd('agec', no) < 0.5 then '미만'
                else '이하' end
        from ingredient where rnd('age', no) < 0.15
        """,
    ),
    "pregnancy": (
        "연번,성분명,금기등급",
        "select name, pick(['1', '2'], rnd('preg', no)) from ingredient"
        " where rnd('pregn', no) < 0.1",
    ),
    "lactation": ("연번,성분명", "select name from ingredient where rnd('lact', no) < 0.05"),
    "elderly": ("연번,성분명", "select name from ingredient where rnd('eld', no) < 0.1"),
    "max_days": (
        "연번,성분명,최대투여기간(일)",
        "select name, pick(['5', '7', '14', '28'], rnd('mdv', no)) from ingredient"
        " where rnd('md', no) < 0.15",
    ),
    "max_daily_dose": (
        "연번,성분명,1일최대용량",
        """
        select name, case when rnd('dosev', no) < 0.1 then korean || ' 3캡슐'
            else korean || ' ' || pick(['40', '60', '100', '1,000'], rnd('dosew', no)) || 'mg' end
        from ingredient where rnd('dosel', no) < 0.2
        """,
    ),
    "efficacy_groups": (
        "연번,효능군,그룹구분,성분명",
        "select '해열진통소염제', '1-' || (no % 9), name from ingredient"
        " where rnd('eff', no) < 0.2",
    ),
}


def write_lists(con: duckdb.DuckDBPyConnection, root: Path, tally: Tally) -> None:
    """Write each list once and keep the rules, by ingredient, in table `dur_rule`."""
    run(
        con,
        """
        create temp table ingredient as
        select ingredient_no as no, min(ingredient) as name, min(korean) as korean
        from (select ingredient_no, ingredient, regexp_extract(name, '^[가-힣]{3}') as korean
            from drug_list) group by ingredient_no
        """,
    )
    run(con, "create table dur_rule (list varchar, line bigint, fields varchar[])")
    for name, (header, select) in LISTS.items():
        rows = [(number, *row) for number, row in enumerate(sorted(set(run(con, select))), 1)]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)
        write_bytes(root / f"dur_{name}.csv", out.getvalue().encode("cp949"))
        con.executemany(
            "insert into dur_rule values (?, ?, ?)",
            [(name, number, [str(each) for each in row]) for number, *row in rows],
        )
        tally.add("rows", "mfds_dur.rules", len(rows))
