with source as (

    select * from {{ source('raw_app_db', 'hospitals') }}

),

renamed as (

    select
        id as hospital_id,

        nullif(trim(ykiho), '') as ykiho,
        nullif(trim(business_no), '') as business_no,
        trim(name) as hospital_name,
        lpad(nullif(trim(cl_cd), ''), 2, '0') as institution_type_code,
        trim(sido_cd) as sido_code,
        trim(sggu_cd) as sggu_code,
        trim(addr) as address,
        cast(x as {{ dbt.type_numeric() }}) as x,
        cast(y as {{ dbt.type_numeric() }}) as y,
        nullif(lower(trim(emr_vendor)), '') as emr_vendor_spelling,
        lower(trim(contract_status)) as contract_status,

        opened_at as opened_date,
        closed_at as closed_date,
        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,
        {{ kst_date('updated_at') }} as updated_date,
        _deleted_at as deleted_at,
        {{ kst_date('_deleted_at') }} as deleted_date,
        {{ kst_date('_extracted_at') }} as extracted_date,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
