with source as (

    select * from {{ source('raw_app_db', 'payments') }}

),

renamed as (

    select
        id as payment_id,
        reception_id,
        member_id as member_key,
        trim(order_id) as order_id,
        trim(pg_tid) as pg_transaction_id,

        lower(trim(method)) as payment_method,
        lower(trim(status)) as payment_status,
        amount as amount_krw,
        covered_amount as covered_amount_krw,
        uncovered_amount as uncovered_amount_krw,

        paid_at,
        cancelled_at,
        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
