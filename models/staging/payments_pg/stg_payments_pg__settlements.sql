with source as (

    select * from {{ source('raw_payments_pg', 'settlements') }}

),

renamed as (

    select
        trim(pg_tid) as pg_transaction_id,
        trim(order_id) as order_id,

        cast(
            substring(settlement_date, 1, 4) || '-' || substring(settlement_date, 5, 2) || '-'
            || substring(settlement_date, 7, 2) as date
        ) as settlement_date,
        trim(merchant_name) as merchant_name,
        trim(method) as payment_method,
        trim(kind) as settlement_kind,
        -- "12,300" and "-12,300"
        cast(nullif(replace(trim(amount), ',', ''), '') as {{ dbt.type_numeric() }}) as amount_krw,
        cast(nullif(replace(trim(fee), ',', ''), '') as {{ dbt.type_numeric() }}) as fee_krw,
        cast(nullif(replace(trim(settled_amount), ',', ''), '') as {{ dbt.type_numeric() }})
            as settled_amount_krw,
        coalesce(length(remark), 0) as remark_length,
        coalesce(length(remark), 0) > 0 as has_remark,

        approved_at,

        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
