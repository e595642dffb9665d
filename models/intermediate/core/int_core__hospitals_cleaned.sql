with hospitals as (

    select * from {{ ref('stg_app_db__hospitals') }}

),

vendors as (

    select * from {{ ref('emr_vendor_spellings') }}

),

cleaned as (

    select
        hospitals.hospital_id,
        hospitals.hospital_name,
        hospitals.ykiho,
        hospitals.business_no,
        hospitals.institution_type_code,
        hospitals.sido_code,
        hospitals.sggu_code,
        hospitals.address,
        -- Korea lies 124 to 132 degrees east and 33 to 39 north, so the two can't be mistaken
        case
            when hospitals.x between 124 and 132 then hospitals.x
            when hospitals.y between 124 and 132 then hospitals.y
        end as longitude,
        case
            when hospitals.y between 33 and 39 then hospitals.y
            when hospitals.x between 33 and 39 then hospitals.x
        end as latitude,
        coalesce(hospitals.x between 33 and 39, false) as is_coordinate_swapped,
        case
            when hospitals.emr_vendor_spelling is not null then coalesce(vendors.vendor, 'unmapped')
        end as emr_vendor,
        hospitals.contract_status,
        hospitals.opened_date,
        hospitals.closed_date,
        hospitals.created_date,
        hospitals.updated_at,
        hospitals.updated_date,
        hospitals.deleted_date,
        hospitals.extracted_at,
        hospitals.extracted_date,
        hospitals.load_id
    from hospitals
    left join vendors
        on vendors.spelling = hospitals.emr_vendor_spelling

),

final as (

    select
        hospital_id,
        load_id,
        hospital_name,
        ykiho,
        business_no,
        institution_type_code,
        sido_code,
        sggu_code,
        address,
        longitude,
        latitude,
        is_coordinate_swapped,
        emr_vendor,
        contract_status,
        opened_date,
        closed_date,
        {{ surrogate_key([
            'hospital_name', 'ykiho', 'business_no', 'institution_type_code', 'sido_code',
            'sggu_code', 'address', 'longitude', 'latitude', 'emr_vendor', 'contract_status',
            'opened_date', 'closed_date',
        ]) }} as attributes_key,
        -- bulk scripts leave updated_at alone: then the day of the extraction is all we know
        case
            when lag(load_id) over hospital_loads is null then created_date
            when updated_at > lag(updated_at) over hospital_loads then updated_date
            else extracted_date
        end as changed_date,
        deleted_date,
        extracted_at
    from cleaned
    window hospital_loads as (
        partition by hospital_id order by extracted_at nulls last, load_id nulls last
    )

)

select * from final
