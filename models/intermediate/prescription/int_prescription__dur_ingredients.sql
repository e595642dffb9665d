{{ config(materialized='table') }}
-- A table, since each rule of the review looks lines up here.
with drugs as (

    select
        ingredient_code,
        max(ingredient_name) as ingredient_name
    from {{ ref('dim_drugs') }}
    where ingredient_code is not null
    group by ingredient_code

),

rules as (

    select * from {{ ref('stg_mfds_dur__rules') }}
    where not is_deleted and not is_repeat

),

listed_names as (

    select ingredient_name as listed_name from rules
    group by ingredient_name

    union distinct

    select counterpart_name as listed_name from rules
    where counterpart_name is not null
    group by counterpart_name

),

-- 'amlodipine besylate (as amlodipine   5mg), telmisartan   40mg' is two ingredients
components as (

    {% for n in range(1, 5) %}
        select
            ingredient_code,
            {{ n }} as component_no,
            lower({{ dbt.split_part('ingredient_name', "', '", n) }}) as component
        from drugs
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

bases as (

    select
        ingredient_code,
        component_no,
        case
            when component like '%(as %' then {{ dbt.split_part('component', "'(as '", 2) }}
            else component
        end as base
    from components
    where component <> ''

),

parts as (

    select
        ingredient_code,
        component_no,
        trim({{ dbt.split_part(dbt.split_part('base', "'   '", 1), "'('", 1) }}) as name,
        trim(
            {{ dbt.split_part(
                dbt.split_part(dbt.split_part('base', "'   '", 2), "')'", 1), "'('", 1
            ) }}
        ) as strength
    from bases

),

measured as (

    select
        ingredient_code,
        component_no,
        name,
        reverse({{ dbt.split_part('reverse(name)', "' '", 1) }}) as last_word,
        case
            when strength like '%mg' then replace(strength, 'mg', '')
            when strength like '%g' then replace(strength, 'g', '')
        end as amount,
        case when strength like '%mg' then 1 else 1000 end as mg_each
    from parts

),

-- lists name the substance, price lists its salt: the whole name, that without its last word, or
-- its first word
candidates as (

    {% set names = [
        'name',
        "case when name like '% %' then rtrim(replace(name || '|', last_word || '|', '')) end",
        dbt.split_part('name', "' '", 1),
    ] %}
    {% for name in names %}
        select
            ingredient_code,
            component_no,
            {{ name }} as listed_name,
            case
                when translate(amount, '0123456789.', '') = ''
                    and amount not like '%.%.%' and amount not in ('', '.')
                    then cast(amount as {{ dbt.type_numeric() }}) * mg_each
            end as strength_mg
        from measured
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

final as (

    select
        candidates.ingredient_code,
        candidates.listed_name as ingredient_name,
        cast(max(candidates.strength_mg) as {{ dbt.type_numeric() }}) as strength_mg
    from candidates
    inner join listed_names
        on candidates.listed_name = listed_names.listed_name
    group by candidates.ingredient_code, candidates.listed_name

)

select * from final
