-- One row is a doctor at one hospital.

with doctors as (

    select * from {{ ref('stg_app_db__doctors') }}
    where not is_deleted

),

departments as (

    select * from {{ ref('departments') }}

),

spellings as (

    select * from {{ ref('department_spellings') }}

),

licences as (

    select
        licence_token,
        count(distinct hospital_id) as hospital_count
    from doctors
    group by licence_token

),

coded as (

    select
        doctors.doctor_id,
        doctors.hospital_id,
        doctors.licence_token,
        coalesce(spellings.department_code, doctors.specialty_spelling) as department_code,
        doctors.is_active,
        coalesce(licences.hospital_count, 1) as licence_hospital_count
    from doctors
    left join spellings
        on spellings.department_spelling = doctors.specialty_spelling
    left join licences
        on licences.licence_token = doctors.licence_token

),

final as (

    select
        coded.doctor_id,
        coded.hospital_id,
        coded.licence_token,
        departments.department_code,
        departments.department_name_ko,
        coded.is_active,
        cast(coded.licence_hospital_count as {{ dbt.type_bigint() }}) as licence_hospital_count
    from coded
    left join departments
        on departments.department_code = coded.department_code

)

select * from final
