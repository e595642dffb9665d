with source as (

    select * from {{ source('raw_app_db', 'members') }}

),

renamed as (

    select
        id as member_key,
        guardian_member_id as guardian_member_key,
        phone as phone_token,
        email as email_token,
        ci as ci_token,

        -- 1900 is what the sign-up form writes where it knows no birth date
        cast(nullif(extract(year from birth_date), 1900) as {{ dbt.type_bigint() }}) as birth_year,
        upper(trim(sex)) as sex,
        trim(sggu_cd) as sggu_code,
        lower(trim(join_channel)) as join_channel,

        marketing_consent_at,
        health_consent_at,
        withdrawn_at,
        deleted_at as account_deleted_at,
        created_at,
        {{ kst_date('created_at') }} as created_date,
        updated_at,

        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
