with source as (

    select * from {{ source('raw_marketing_plan', 'budgets') }}

),

renamed as (

    select
        {{ parse_date("trim(month) || '-01'") }} as budget_month,
        lower(trim(medium)) as medium,
        trim(account_id) as account_id,
        budget_krw,
        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
