with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        -- numbers in JSON have lost their leading zero; lpad alone would cut long ones
        {% set codes = ['drug_code', 'drug_code_before', 'drug_code_after'] %}
    {% for code in codes %}
        case
            when length(trim({{ code }})) < 9 then lpad(nullif(trim({{ code }}), ''), 9, '0')
            else trim({{ code }})
        end as {{ code }}_padded{{ ',' if not loop.last }}
    {% endfor %}
    from {{ source('raw_hira', 'drug_items') }}

),

renamed as (

    select
        drug_code_padded as drug_code,
        trim(drug_name) as drug_name,
        {{ parse_date('trim(applied_from)') }} as applied_from_date,
        drug_code_before_padded as drug_code_before,
        drug_code_after_padded as drug_code_after,

        is_deleted,
        not is_deleted and row_number() over (
            partition by drug_code_padded, is_deleted
            order by
                trim(applied_from) desc nulls last,
                _load_id desc nulls last,
                _file asc nulls last,
                _line asc nulls last
        ) = 1 as is_latest,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
