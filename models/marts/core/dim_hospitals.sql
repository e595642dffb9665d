-- One row is a version of a hospital or clinic; a new one starts when an attribute changes.

with hospitals as (

    select * from {{ ref('int_core__hospitals_cleaned') }}

),

versions as (

    select * from {{ ref('int_core__hospital_versions') }}

),

institution_types as (

    select * from {{ ref('institution_types') }}

),

regions as (

    select * from {{ ref('dim_regions') }}
    where is_newest

),

registry as (

    select * from {{ ref('stg_hira_registry__hospitals') }}
    where is_latest

),

final as (

    select
        versions.hospital_id,
        versions.valid_from,
        versions.valid_to,
        versions.valid_to is null as is_current,

        hospitals.hospital_name,
        hospitals.ykiho,
        hospitals.business_no,
        hospitals.institution_type_code,
        institution_types.institution_type_name_ko,
        institution_types.institution_group,
        hospitals.sido_code,
        regions.sido_name_ko,
        hospitals.sggu_code,
        regions.sggu_name_ko,
        hospitals.address,
        hospitals.longitude,
        hospitals.latitude,
        hospitals.is_coordinate_swapped,
        hospitals.emr_vendor,
        hospitals.contract_status,
        hospitals.opened_date,
        hospitals.closed_date,
        hospitals.closed_date is not null as is_closed,

        registry.release_month as registry_release_month,
        registry.doctor_count as registry_doctor_count,
        registry.opened_date as registry_opened_date,
        registry.ykiho is not null as is_in_registry
    from versions
    inner join hospitals
        on hospitals.hospital_id = versions.hospital_id
        and hospitals.load_id = versions.load_id
    left join institution_types
        on institution_types.institution_type_code = hospitals.institution_type_code
    left join regions
        on regions.sggu_code = hospitals.sggu_code
    left join registry
        on registry.ykiho = hospitals.ykiho

)

select * from final
