-- 부천 got its districts, 군위 went to 대구, 강원 and 전북 were renamed, 화성 got districts: what a code is
-- called, and whether there is such a code, depends on the day.
with expected as (

    {% set facts = [
        ('310300', '2023-12-31', '경기도'), ('310300', '2024-01-01', none),
        ('310301', '2023-12-31', none), ('310301', '2024-01-01', '경기도'),
        ('230200', '2023-06-30', none), ('230200', '2023-07-01', '대구광역시'),
        ('320100', '2023-06-10', '강원도'), ('320100', '2023-06-11', '강원특별자치도'),
        ('350200', '2024-01-17', '전라북도'), ('350200', '2024-01-18', '전북특별자치도'),
        ('312501', '2026-01-31', none), ('312501', '2026-02-01', '경기도'),
    ] %}
    {% for code, day, sido in facts %}
        select
            '{{ code }}' as sggu_code,
            cast('{{ day }}' as date) as as_of_date,
            cast({{ "'" ~ sido ~ "'" if sido else 'null' }} as {{ dbt.type_string() }}) as sido_name
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

found as (

    select
        expected.sggu_code,
        expected.as_of_date,
        min(regions.sido_official_name_ko) as sido_name
    from expected
    inner join {{ ref('dim_regions') }} as regions
        on
        expected.sggu_code = regions.sggu_code
        and expected.as_of_date >= regions.valid_from
        and (expected.as_of_date < regions.valid_to or regions.valid_to is null)
    group by expected.sggu_code, expected.as_of_date

)

select
    expected.*,
    found.sido_name as found_sido_name
from expected
left join found
    on
    expected.sggu_code = found.sggu_code
    and expected.as_of_date = found.as_of_date
where coalesce(expected.sido_name, '-') <> coalesce(found.sido_name, '-')
