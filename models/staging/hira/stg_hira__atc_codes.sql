with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        case
            when length(trim(drug_code)) < 9 then lpad(nullif(trim(drug_code), ''), 9, '0')
            else trim(drug_code)
        end as drug_code_padded
    from {{ source('raw_hira', 'atc_codes') }}

),

renamed as (

    select
        drug_code_padded as drug_code,
        cast(release_month || '-01' as date) as release_month,
        nullif(upper(trim(atc_code)), '') as atc_code,
        trim(atc_name) as atc_name,

        is_deleted,
        not is_deleted and row_number() over (
            partition by drug_code_padded, is_deleted
            order by
                release_month desc nulls last,
                _load_id desc nulls last,
                _file asc nulls last,
                _line asc nulls last
        ) = 1 as is_latest,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
