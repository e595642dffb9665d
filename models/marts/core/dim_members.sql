-- One row is a member account; merged ones stay and point to the account that survives.

with members as (

    select * from {{ ref('stg_app_db__members') }}
    where not is_deleted

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

regions as (

    select * from {{ ref('dim_regions') }}
    where is_newest

),

final as (

    select
        members.member_key,
        coalesce(member_merges.surviving_member_key, members.member_key) as surviving_member_key,

        members.birth_year,
        cast(
            members.birth_year - mod(members.birth_year, 10) as {{ dbt.type_string() }}
        ) || '-' || cast(
            members.birth_year - mod(members.birth_year, 10) + 9 as {{ dbt.type_string() }}
        ) as birth_year_band,
        members.sex,
        members.sggu_code,
        members.join_channel,
        members.created_date as joined_date,
        {{ kst_date('members.withdrawn_at') }} as withdrawn_date,
        -- who left and didn't agree anew has no consent
        coalesce(
            members.marketing_consent_at > members.withdrawn_at,
            members.marketing_consent_at is not null
        ) as has_marketing_consent,
        coalesce(
            members.health_consent_at > members.withdrawn_at,
            members.health_consent_at is not null
        ) as has_health_consent,
        members.guardian_member_key is not null as has_guardian,
        members.withdrawn_at is not null as is_withdrawn,

        member_merges.surviving_member_key is not null as is_merged,

        regions.sggu_name_ko,
        regions.sido_code,
        regions.sido_name_ko
    from members
    left join member_merges
        on member_merges.from_member_key = members.member_key
    left join regions
        on regions.sggu_code = members.sggu_code

)

select * from final
