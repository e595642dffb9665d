{{ replaces_days(
    'created_date', changes='int_marketing__attribution_path_changes',
    looked_up_by=['conversion_id', 'channel'],
) }}
-- Grain: one row is a touch on the path to a conversion, or a conversion without any touch.

with conversions as (

    select *
    from {{ ref('fct_conversions') }}
    where {{ in_days_to_replace('created_date') }}

),

member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

touchpoints as (

    select *
    from {{ ref('fct_touchpoints') }}
    where {{ in_days_to_replace('touch_date', days_before=37, days_after=7) }}
        and member_key is not null

),

-- touches are given to the surviving account
people as (

    select
        conversions.*,
        coalesce(member_merges.surviving_member_key, conversions.member_key) as person_member_key
    from conversions
    left join member_merges on conversions.member_key = member_merges.from_member_key

),

-- 30 days before the instant; the days beside bound which conversions a late touch can alter
touched as (

    select
        people.conversion_id,
        people.conversion_type,
        people.created_date,
        people.person_member_key as member_key,
        people.value_krw,
        coalesce(touchpoints.touch_id, '(none)') as touch_id,
        touchpoints.touched_at,
        {{ seconds_between('touchpoints.touched_at', 'people.converted_at') }}
            as seconds_before,
        coalesce(touchpoints.channel, '(none)') as channel,
        touchpoints.medium,
        touchpoints.campaign,
        case when touchpoints.touch_id is null then 0 else 1 end as touch_flag,
        greatest(people.load_id, coalesce(touchpoints.load_id, 0)) as load_id
    from people
    left join touchpoints
        on people.person_member_key = touchpoints.member_key
        and people.converted_at >= touchpoints.touched_at
        and {{ seconds_between('touchpoints.touched_at', 'people.converted_at') }} <= 2592000
        and touchpoints.touch_date >= {{ add_days('people.created_date', -37) }}
        and touchpoints.touch_date <= {{ add_days('people.created_date', 7) }}

),

final as (

    select
        conversion_id,
        touch_id,
        conversion_type,
        created_date,
        member_key,

        touched_at,
        seconds_before,
        cast(
            row_number() over (
                partition by conversion_id order by touched_at nulls last, touch_id
            ) * touch_flag as {{ dbt.type_bigint() }}
        ) as touch_number,
        cast(sum(touch_flag) over (partition by conversion_id) as {{ dbt.type_bigint() }})
            as touch_count,
        cast(sum(touch_flag) over (partition by conversion_id, channel) as {{ dbt.type_bigint() }})
            as channel_touch_count,

        channel,
        medium,
        campaign,
        value_krw,
        load_id
    from touched

)

select * from final
