{{ replaces_days(
    'coded_date', changes='int_core__coded_values',
    looked_up_by=['seed_name', 'table_name', 'column_name', 'coded_value'],
) }}
-- One row is a value of a field on a day that the field's seed doesn't know.

with coded_values as (

    select * from {{ ref('int_core__coded_values') }}
    where not is_deleted and {{ in_days_to_replace('coded_date', instant='coded_at') }}

),

known_values as (

    select * from {{ ref('int_core__known_values') }}

),

counted as (

    select
        source_name,
        table_name,
        column_name,
        seed_name,
        coded_value,
        coded_date,
        count(*) as row_count,
        max(load_id) as load_id
    from coded_values
    where coded_value is not null and coded_date is not null
    group by source_name, table_name, column_name, seed_name, coded_value, coded_date

),

final as (

    select
        counted.source_name,
        counted.table_name,
        counted.column_name,
        counted.seed_name,
        counted.coded_value,
        counted.coded_date,
        cast(counted.row_count as {{ dbt.type_bigint() }}) as row_count,
        counted.load_id
    from counted
    left join known_values
        on
        counted.seed_name = known_values.seed_name
        and counted.coded_value = known_values.known_value
    where known_values.known_value is null

)

select * from final
