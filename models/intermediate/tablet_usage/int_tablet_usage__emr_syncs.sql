with ubcare_logs as (

    select * from {{ ref('stg_emr_links__ubcare_logs') }}

),

bit_logs as (

    select * from {{ ref('stg_emr_links__bit_logs') }}

),

eghis_logs as (

    select * from {{ ref('stg_emr_links__eghis_logs') }}

),

vendors as (

    select * from {{ ref('emr_vendor_spellings') }}

),

unified as (

    select
        'ubcare' as log_source,
        ubcare_logs.*
    from ubcare_logs

    union all

    select
        'bit' as log_source,
        bit_logs.*
    from bit_logs

    union all

    select
        'eghis' as log_source,
        eghis_logs.*
    from eghis_logs

),

final as (

    select
        unified.log_source,
        unified.log_id,
        coalesce(vendors.vendor, 'unmapped') as emr_vendor,
        unified.source_vendor,
        unified.vendor_version,
        unified.hospital_id,
        unified.direction,
        unified.entity,
        unified.entity_id,
        unified.attempt,
        unified.started_at,
        unified.started_date as sync_date,
        unified.finished_at,
        unified.result,
        coalesce(unified.result = 'ok', false) as is_success,
        unified.error_code,
        unified.is_deleted,
        unified.is_repeat,
        unified.load_id
    from unified
    left join vendors
        on lower(unified.source_vendor) = vendors.spelling

)

select * from final
