with source as (

    select * from {{ source('raw_marketing_plan', 'accounts') }}

),

renamed as (

    select
        lower(trim(medium)) as medium,
        trim(account_id) as account_id,
        trim(account_name) as account_name,
        upper(trim(currency)) as currency,
        trim(time_zone) as time_zone,
        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
