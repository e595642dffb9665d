"""What is true of prescriptions beyond counts of their rows: which rules of the drug-utilisation
review they break, how people take what they are given, what is paid for their visits. It comes
from the clean state, by definition and not by way of anything that a warehouse does.
"""

from collections import defaultdict
from datetime import date, timedelta

import duckdb

from simulator.world import run

_FACTS = {
    # the product as it was listed on the day, and how long it is taken
    "line": """
        select i.*, p.member_id, coalesce(f.person_id::varchar, 'rx' || i.prescription_id) as taker,
            case when i.total_days between 1 and 365 then i.total_days end as days,
            d.ingredient, d.substance, d.strength_mg, a.atc_code
        from item as i
        join prescription_now as p on i.prescription_id = p.id
        left join fact_person as f on p.member_id = f.id
        left join drug_version as v on i.drug_code = v.drug_code and i.issued_date >= v.valid_from
            and i.issued_date < coalesce(v.valid_to, date '9999-12-31')
        left join (select distinct drug_code, ingredient, strength_mg,
            substr(ingredient_code, 1, 4) as substance from drug_list) as d
            on v.drug_code = d.drug_code
        left join drug_atc as a on v.drug_code = a.drug_code
    """,
    "main_diagnosis": """
        select p.id as prescription_id, left(d.kcd_code, 3) as kcd, p.issued_date,
            exists (select 1 from fact_line as l where l.prescription_id = p.id
                and l.atc_code like 'J01%') as has_antibiotic
        from prescription_now as p join diagnosis as d on d.prescription_id = p.id and d.seq = 1
        where d.dirt is distinct from 'kcd_blank'
    """,
    # two lines that are taken together, the later one first
    "meeting": """
        select a.prescription_id, a.drug_code as a_code, b.drug_code as b_code,
            a.ingredient as a_name, b.ingredient as b_name, a.substance as a_substance,
            b.substance as b_substance
        from fact_line as a join fact_line as b on a.taker = b.taker
        where b.issued_date + coalesce(b.days, 1)::int > a.issued_date
            and (b.issued_date, b.prescription_id, b.line_no)
                < (a.issued_date, a.prescription_id, a.line_no)
    """,
    # every year of age that a rule forbids
    "forbidden_age": """
        select fields[1] as ingredient, unnest(case
            when fields[4] = '이상' then range(fields[2]::bigint, 150)
            when fields[4] = '이하' then range(0, fields[2]::bigint + 1)
            else range(0, fields[2]::bigint) end) as age
        from dur_rule where list = 'age_limits'
    """,
}

_ALERTS = {
    "concomitant": """
        select distinct prescription_id, least(a_code, b_code), greatest(a_code, b_code)
        from fact_meeting join dur_rule on list = 'concomitant_pairs'
            and (fields[1] = a_name and fields[2] = b_name
                or fields[1] = b_name and fields[2] = a_name)
    """,
    "efficacy_duplication": """
        select distinct prescription_id, least(a_code, b_code), greatest(a_code, b_code)
        from fact_meeting as m
        join dur_rule as a on a.list = 'efficacy_groups' and a.fields[3] = m.a_name
        join dur_rule as b on b.list = 'efficacy_groups' and b.fields[3] = m.b_name
        where a.fields[2] = b.fields[2] and a.fields[3] <> b.fields[3]
    """,
    "same_ingredient": """
        select distinct prescription_id, least(a_code, b_code), greatest(a_code, b_code)
        from fact_meeting where a_substance = b_substance
    """,
    "max_days": """
        select distinct prescription_id, drug_code from fact_line as l
        where l.days > (select max(fields[2]::bigint) from dur_rule
            where list = 'max_days' and fields[1] = l.ingredient)
    """,
    "max_dose": """
        select distinct prescription_id, drug_code from fact_line as l
        where l.dose > 0 and l.dose * l.times_per_day * l.strength_mg > (
            select max(replace(regexp_extract(fields[2], ' ([0-9,]+)mg$', 1), ',', '')::bigint)
            from dur_rule where list = 'max_daily_dose' and fields[1] = l.ingredient
                and fields[2] like '%mg')
    """,
    # whatever the birthday
    "age": """
        select distinct l.prescription_id, l.drug_code from fact_line as l
        join member_now as m on l.member_id = m.id and m.dirt is distinct from 'birth_1900'
        where exists (select 1 from forbidden as f where f.ingredient = l.ingredient
                and f.age = year(l.issued_date) - year(m.birth_date))
            and exists (select 1 from forbidden as f where f.ingredient = l.ingredient
                and f.age = greatest(year(l.issued_date) - year(m.birth_date) - 1, 0))
    """,
    "elderly": """
        select distinct l.prescription_id, l.drug_code from fact_line as l
        join member_now as m on l.member_id = m.id and m.dirt is distinct from 'birth_1900'
        where year(l.issued_date) - year(m.birth_date) > 65
            and l.ingredient in (select fields[1] from dur_rule where list = 'elderly')
    """,
}

_FIGURES = {
    "fact_line": {
        "prescriptions_with_antibiotic_count": "count(distinct prescription_id) "
        "filter (atc_code like 'J01%')",
        "prescription_medicated_days_total": "(select sum(days) from (select max(days) as days "
        "from fact_line group by prescription_id))",
        "prescriptions_six_or_more_items_count": "(select count(*) from (select prescription_id "
        "from fact_line group by 1 having count(*) >= 6))",
    },
    "fact_main_diagnosis": {
        "prescriptions_uri_count": "count(*) filter (kcd between 'J00' and 'J06')",
        "prescriptions_uri_antibiotic_count": "count(*) filter (kcd between 'J00' and 'J06' "
        "and has_antibiotic)",
        "prescriptions_lri_count": "count(*) filter (kcd between 'J20' and 'J22')",
        "prescriptions_lri_antibiotic_count": "count(*) filter (kcd between 'J20' and 'J22' "
        "and has_antibiotic)",
    },
    """
    (select p.id, p.reception_id, r.id is not null as is_there, sum(round(m.amount)) as paid,
        count(m.amount) as payments
    from prescription_now as p left join reception_now as r on p.reception_id = r.id
    left join payment_now as m on m.reception_id = r.id and m.status in ('paid', 'refunded')
    group by all)
    """: {
        "prescriptions_linked_to_payment_count": "count(*) filter (payments > 0)",
        "prescriptions_without_payment_count": "count(*) filter (is_there and payments = 0)",
        "prescriptions_without_reception_count": "count(*) filter (reception_id is null)",
        "prescription_payments_krw": "sum(paid)",
    },
    """
    (select drug_code, m, price, lag(price) over of_drug as before, lag(m) over of_drug as last_m
    from drug_list window of_drug as (partition by drug_code order by m))
    """: {
        "price_cuts_count": "count(*) filter (price < before and last_m = m - 1)",
        "price_cuts_krw": "sum(before - price) filter (price < before and last_m = m - 1)",
        "products_delisted_count": "(select count(*) from drug_list as a where m < "
        "(select max(m) from drug_list) and not exists (select 1 from drug_list as b "
        "where a.drug_code = b.drug_code and b.m = a.m + 1))",
    },
}


def figures(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The figures as of now; needs the views `…_now` of the state, and persons and clock."""
    for name, query in _FACTS.items():
        run(con, f"create or replace temp table fact_{name} as {query}")
    found: dict[str, int] = {}
    for source, expressions in _FIGURES.items():
        values = run(con, f"select {', '.join(expressions.values())} from {source}")[0]
        found |= {name: int(value or 0) for name, value in zip(expressions, values, strict=True)}
    for category, query in _ALERTS.items():
        query = query.replace("from forbidden as f", "from fact_forbidden_age as f")
        ((found[f"dur_alerts_{category}_count"],),) = run(con, f"select count(*) from ({query})")
    return found | _adherence(con)


def _adherence(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How people take each substance in a half-year, day by day."""
    ((newest,),) = run(con, "select day from fact_clock")
    fills: dict[tuple, dict[date, int]] = defaultdict(dict)
    for taker, substance, day, days in run(
        con,
        """
        select taker, substance, coalesce(kst_day(p.dispensed_at), l.issued_date), max(l.days)
        from fact_line as l join prescription_now as p on l.prescription_id = p.id
        where p.status = 'dispensed' and not l.in_house and l.days is not null
            and substance is not null and p.member_id is not null
        group by all order by all
        """,
    ):
        if day <= newest:
            fills[taker, substance, day.year, day.month <= 6][day] = days
    measured = adherent = covered_days = supply = 0
    for (_, _, year, is_first_half), given in fills.items():
        end = min(newest, date(year, 6, 30) if is_first_half else date(year, 12, 31))
        covered: set[date] = set()
        for day, days in sorted(given.items()):
            # what is left of the last one is used up first
            start = max([day, *(each + timedelta(1) for each in covered)])
            covered |= {start + timedelta(n) for n in range(days)}
        within = sum(day <= end for day in covered)
        covered_days += within
        supply += sum(given.values())
        if len(given) > 1:
            measured += 1
            adherent += within >= 0.8 * ((end - min(given)).days + 1)
    return {
        "adherence_rows_count": len(fills),
        "adherence_measured_count": measured,
        "adherence_adherent_count": adherent,
        "adherence_covered_days_total": covered_days,
        "adherence_supply_days_total": supply,
    }
