-- A view down to raw, so that consent is what it was when it was last loaded, not last built.
with members as (

    select *
    from {{ ref('stg_app_db__members') }}
    where not is_deleted

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

regions as (

    select *
    from {{ ref('dim_regions') }}
    where is_newest

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

final as (

    select
        members.member_key,
        regions.sido_code,
        cast(
            members.birth_year - mod(members.birth_year, 10) as {{ dbt.type_string() }}
        ) || '-' || cast(
            members.birth_year - mod(members.birth_year, 10) + 9 as {{ dbt.type_string() }}
        ) as birth_year_band,
        coalesce(
            members.health_consent_at > members.withdrawn_at,
            members.health_consent_at is not null
        ) as has_health_consent
    from members
    -- one row
    cross join rules
    left join member_merges on members.member_key = member_merges.from_member_key
    left join regions on members.sggu_code = regions.sggu_code
    where member_merges.from_member_key is null
        and members.account_deleted_at is null
        and members.guardian_member_key is null
        -- of a birth date the year is known: who turns 19 this year may still be 18
        and extract(year from rules.as_of_date) - members.birth_year >= rules.adult_years
        -- who left and didn't agree anew has no consent
        and coalesce(
            members.marketing_consent_at > members.withdrawn_at,
            members.marketing_consent_at is not null
        )

)

select * from final
