-- Nobody without consent to marketing, no minor, and nobody who left or was merged away has a list.
with members as (

    select
        *,
        has_marketing_consent and not is_merged and not has_guardian as is_asked
    from {{ ref('dim_members') }}

)

select distinct recommendations.member_key
from {{ ref('fct_recommendations') }} as recommendations
left join members on recommendations.member_key = members.member_key
where members.member_key is null
    or not members.is_asked
    or members.birth_year is null
    or extract(year from recommendations.as_of_date) - members.birth_year < 20
