with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        {{ kst_date('started_at') }} as started_date
    from {{ source('raw_emr_links', 'bit_logs') }}

),

renamed as (

    select
        id as log_id,
        hospital_id,
        entity_id,

        trim(vendor) as source_vendor,
        trim(vendor_version) as vendor_version,
        lower(trim(direction)) as direction,
        lower(trim(entity)) as entity,
        attempt,
        lower(trim(result)) as result,
        nullif(trim(error_code), '') as error_code,

        started_at,
        started_date,
        finished_at,

        is_deleted,
        -- the date stands in the partition so that a filter on it reaches the raw rows
        not is_deleted and row_number() over (
            partition by id, started_date, is_deleted
            order by _load_id nulls last, _file nulls last, _line nulls last
        ) > 1 as is_repeat,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
