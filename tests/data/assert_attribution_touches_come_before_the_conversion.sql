-- No credit for what came after the conversion, more than 30 days before, or to somebody else.
select
    attributed.conversion_id,
    attributed.touch_id
from {{ ref('fct_attribution') }} as attributed
inner join {{ ref('fct_conversions') }} as conversions
    on attributed.conversion_id = conversions.conversion_id
left join {{ ref('int_core__member_merges_followed') }} as member_merges
    on conversions.member_key = member_merges.from_member_key
left join {{ ref('fct_touchpoints') }} as touchpoints
    on attributed.touch_id = touchpoints.touch_id
where attributed.touch_id <> '(none)'
    and (
        touchpoints.touch_id is null
        or touchpoints.member_key
        <> coalesce(member_merges.surviving_member_key, conversions.member_key)
        or attributed.touched_at > conversions.converted_at
        or attributed.hours_before < 0
        or attributed.hours_before > 720
    )
