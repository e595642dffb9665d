with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        cast(price_month || '-01' as date) as price_month_date,
        case
            when length(trim(drug_code)) < 9 then lpad(nullif(trim(drug_code), ''), 9, '0')
            else trim(drug_code)
        end as drug_code_padded,
        nullif(replace(trim(price), ',', ''), '') as price_text
    from {{ source('raw_hira', 'drug_prices') }}

),

renamed as (

    select
        drug_code_padded as drug_code,
        price_month_date as price_month,

        nullif(trim(kd_code), '') as kd_code,
        trim(drug_name) as drug_name,
        trim(pack_size) as pack_size,
        trim(unit) as unit,
        -- 산정불가 (no price can be set) and anything else that isn't a whole number has no price
        case
            when translate(price_text, '0123456789', '') = ''
                then cast(price_text as {{ dbt.type_bigint() }})
        end as price_krw,
        price_text as price_as_listed,
        trim(company) as company_name,
        nullif(upper(trim(ingredient_code)), '') as ingredient_code,
        trim(ingredient_name) as ingredient_name,
        trim(route_name) as route_name,
        nullif(trim(efficacy_class_code), '') as efficacy_class_code,

        is_deleted,
        -- the month stands in the partition so that a filter on it reaches the raw rows
        not is_deleted and row_number() over (
            partition by drug_code_padded, price_month_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
