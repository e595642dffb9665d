with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        -- a product whose name says that it contains the ingredient
        nullif(trim(replace(lower(ingredient_name), '함유제제', '')), '') as first_name,
        nullif(trim(replace(lower(counterpart_name), '함유제제', '')), '') as second_name,
        trim(age_value) as age_text,
        coalesce(nullif(trim(age_unit), ''), '세') as age_unit_text,
        trim(age_condition) as age_condition_text,
        trim(max_days) as days_text,
        -- '그라니세트론 9mg': what stands before the unit, from its last blank on
        case
            when trim(max_daily_dose) like '%mg' and trim(max_daily_dose) not like '%/%'
                then replace(
                        {{ dbt.split_part('trim(max_daily_dose)', "'mg'", 1) }}, ',', ''
                    )
        end as dose_in_words
    from {{ source('raw_mfds_dur', 'rules') }}

),

parsed as (

    select
        *,
        case when translate(age_text, '0123456789', '') = '' then nullif(age_text, '') end as age,
        case when translate(days_text, '0123456789', '') = '' then nullif(days_text, '') end
            as days,
        reverse({{ dbt.split_part('reverse(dose_in_words)', "' '", 1) }}) as dose_text
    from source

),

named as (

    select
        *,
        case list_name
            when 'concomitant_pairs' then 'concomitant'
            when 'age_limits' then 'age'
            when 'max_daily_dose' then 'max_dose'
            when 'efficacy_groups' then 'efficacy_duplication'
            else list_name
        end as dur_category,
        case when second_name < first_name then second_name else first_name end as lesser_name,
        case when second_name < first_name then first_name else second_name end as greater_name,
        case
            when translate(dose_text, '0123456789.', '') = ''
                and dose_text not like '%.%.%' and dose_text not in ('', '.') then dose_text
        end as dose
    from parsed

),

renamed as (

    select
        dur_category,
        trim(rule_no) as rule_no,
        lesser_name as ingredient_name,
        greater_name as counterpart_name,

        -- ages in whole years that are not allowed: from, and below
        cast(
            case
                when dur_category <> 'age' or age_unit_text <> '세' then null
                when age_condition_text = '이상' then age
                when age_condition_text in ('미만', '이하') then '0'
            end as {{ dbt.type_bigint() }}
        ) as age_from,
        case
            when dur_category <> 'age' or age_unit_text <> '세' then null
            when age_condition_text = '이상' then 200
            when age_condition_text = '미만' then cast(age as {{ dbt.type_bigint() }})
            when age_condition_text = '이하' then cast(age as {{ dbt.type_bigint() }}) + 1
        end as age_below,
        nullif(trim(grade_code), '') as grade_code,
        cast(days as {{ dbt.type_bigint() }}) as max_days,
        cast(dose as {{ dbt.type_numeric() }}) as max_daily_dose_mg,
        trim(max_daily_dose) as max_daily_dose_as_listed,
        trim(efficacy_group) as efficacy_group,
        nullif(trim(group_code), '') as group_code,

        is_deleted,
        not is_deleted and row_number() over (
            partition by
                dur_category, lesser_name, greater_name, group_code, age_text, age_condition_text,
                days_text, trim(max_daily_dose), is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from named

)

select * from renamed
