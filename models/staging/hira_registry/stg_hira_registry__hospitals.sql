with source as (

    select
        *,
        _deleted_at is not null as is_deleted,
        -- numbers that passed through a spreadsheet end in '.0'
        {{ dbt.split_part("replace(trim(opened_on), '-', '')", "'.'", 1) }} as opened_text,
        {{ dbt.split_part('trim(post_no)', "'.'", 1) }} as post_text,
        {{ dbt.split_part('trim(doctor_count)', "'.'", 1) }} as doctor_count_text
    from {{ source('raw_hira_registry', 'hospitals') }}

),

renamed as (

    select
        trim(ykiho) as ykiho,
        cast(replace(release_month, '.', '-') || '-01' as date) as release_month,

        trim(name) as hospital_name,
        lpad(nullif(trim(cl_cd), ''), 2, '0') as institution_type_code,
        trim(cl_name) as institution_type_name,
        trim(sido_cd) as sido_code,
        trim(sido_name) as sido_name,
        trim(sggu_cd) as sggu_code,
        trim(sggu_name) as sggu_name,
        nullif(trim(emdong_name), '') as emdong_name,
        lpad(nullif(post_text, ''), 5, '0') as post_code,
        trim(addr) as address,
        nullif(trim(url), '') as url,
        case
            when
                length(opened_text) = 8
                and translate(opened_text, '0123456789', '') = ''
                and substring(opened_text, 5, 2) between '01' and '12'
                and substring(opened_text, 7, 2) between '01' and '31'
                -- counted on from the first, so that a 31 June can't fail the build
                then {{ add_days(
                    "cast(substring(opened_text, 1, 4) || '-' || substring(opened_text, 5, 2) || '-01' as date)",
                    "(cast(substring(opened_text, 7, 2) as " ~ dbt.type_int() ~ ") - 1)",
                ) }}
        end as opened_date,
        case
            when translate(trim(x), '0123456789.', '') = ''
                then cast(nullif(trim(x), '') as {{ dbt.type_numeric() }})
        end as x,
        case
            when translate(trim(y), '0123456789.', '') = ''
                then cast(nullif(trim(y), '') as {{ dbt.type_numeric() }})
        end as y,
        case
            when translate(doctor_count_text, '0123456789', '') = ''
                then cast(nullif(doctor_count_text, '') as {{ dbt.type_bigint() }})
        end as doctor_count,

        is_deleted,
        not is_deleted and row_number() over (
            partition by trim(ykiho), is_deleted
            order by
                replace(release_month, '.', '-') desc nulls last,
                _load_id desc nulls last,
                _file asc nulls last,
                _line asc nulls last
        ) = 1 as is_latest,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
