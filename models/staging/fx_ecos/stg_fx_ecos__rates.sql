with source as (

    select * from {{ source('raw_fx_ecos', 'rates') }}

),

renamed as (

    select
        time as rate_date,
        case trim(item_code1)
            when '0000001' then 'USD'
            when '0000002' then 'JPY'
        end as currency,
        case trim(item_code1) when '0000002' then 100 else 1 end as unit,
        data_value as krw_per_unit,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
