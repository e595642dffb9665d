with source as (

    select * from {{ source('raw_app_db', 'prescription_items') }}

),

renamed as (

    select
        prescription_id,
        line_no,

        -- a code that was a number has lost its first zero; lpad alone would cut long ones
        case
            when length(trim(drug_code)) < 9 then lpad(nullif(trim(drug_code), ''), 9, '0')
            else trim(drug_code)
        end as drug_code,
        trim(drug_name) as drug_name,
        cast(dose_per_time as {{ dbt.type_numeric() }}) as dose_per_time,
        times_per_day,
        total_days,
        trim(usage_text) as usage_text,
        coalesce(total_days between 1 and 365, false) as is_days_valid,
        coalesce(dose_per_time > 0 and times_per_day > 0, false) as is_dose_valid,
        coalesce(in_house, false) as is_in_house,
        case
            when length(trim(substituted_drug_code)) < 9
                then lpad(nullif(trim(substituted_drug_code), ''), 9, '0')
            else trim(substituted_drug_code)
        end as substituted_drug_code,
        coalesce(upper(trim(covered_yn)) = 'Y', false) as is_covered,

        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
