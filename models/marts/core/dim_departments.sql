-- One row is a specialty (진료과목) of HIRA.

with departments as (

    select * from {{ ref('departments') }}

),

spellings as (

    select * from {{ ref('department_spellings') }}

),

other_spellings as (

    select
        department_code,
        max(
            case when spelling_kind = 'emergency_centre_code' then upper(department_spelling) end
        ) as emergency_centre_code,
        {{ dbt.listagg(
            "case when spelling_kind = 'other_name' then department_spelling end",
            "', '",
            "order by department_spelling",
        ) }} as other_names_ko
    from spellings
    group by department_code

),

final as (

    select
        departments.department_code,
        departments.department_name_ko,
        nullif(departments.department_name_en, '') as department_name_en,
        departments.department_group,
        departments.is_in_hospital_api,
        length(departments.department_code) = 1 as is_claim_form_code,
        other_spellings.emergency_centre_code,
        nullif(other_spellings.other_names_ko, '') as other_names_ko
    from departments
    left join other_spellings
        on other_spellings.department_code = departments.department_code

)

select * from final
