{{ replaces_days(
    'month_start_date', changes='int_prescription__quality_changes',
    looked_up_by=['measure', 'hospital_id'],
) }}
-- A table, since judging which counts may be told reads it several times.
with measures as (

    select * from {{ ref('int_prescription__quality_measures') }}
    where {{ in_days_to_replace('month_start_date') }}

),

hospitals as (

    select * from {{ ref('dim_hospitals') }}

),

hospital_months as (

    select
        measures.hospital_id,
        measures.month_start_date,
        min(hospitals.valid_from) as valid_from
    from measures
    inner join hospitals
        on
        measures.hospital_id = hospitals.hospital_id
        and (measures.month_start_date < hospitals.valid_to or hospitals.valid_to is null)
    group by measures.hospital_id, measures.month_start_date

),

-- the province that a hospital lay in at the start of the month, or where it first lay
placed as (

    select
        measures.*,
        coalesce(hospitals.sido_code, 'unknown') as sido_code
    from measures
    left join hospital_months
        on
        measures.hospital_id = hospital_months.hospital_id
        and measures.month_start_date = hospital_months.month_start_date
    left join hospitals
        on
        hospital_months.hospital_id = hospitals.hospital_id
        and hospital_months.valid_from = hospitals.valid_from

),

levels as (

    {% for level in ['nation', 'sido', 'hospital'] %}
        select '{{ level }}' as area_level {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        placed.month_start_date,
        levels.area_level,
        case when levels.area_level <> 'nation' then placed.sido_code end as sido_code,
        case when levels.area_level = 'hospital' then placed.hospital_id end as hospital_id,
        placed.measure,
        cast(sum(placed.numerator) as {{ dbt.type_numeric() }}) as numerator,
        cast(sum(placed.denominator) as {{ dbt.type_numeric() }}) as denominator,
        count(distinct placed.person_key) as people,
        -- people with and without what a share counts; other measures have nobody without
        count(distinct case when placed.numerator > 0 then placed.person_key end) as people_with,
        count(distinct case when placed.numerator < placed.denominator then placed.person_key end)
            as people_without,
        count(distinct placed.hospital_id) as hospital_count,
        max(placed.load_id) as load_id
    from placed
    cross join levels
    group by
        placed.month_start_date, levels.area_level,
        case when levels.area_level <> 'nation' then placed.sido_code end,
        case when levels.area_level = 'hospital' then placed.hospital_id end,
        placed.measure

)

select * from final
