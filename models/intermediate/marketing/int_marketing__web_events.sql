-- What an event tells about where its visitor came from: a click id's name outranks utm, which a
-- medium may copy from another, and utm outranks the page before.
{% set told = {
    'clicks': 'click_id', 'shared_clicks': 'shared_click_id', 'utm': 'utm',
    'utm_words': 'utm_medium', 'hosts': 'referrer',
} %}

with events as (

    select
        *,
        nullif(utm_source, '') as known_utm_source,
        nullif(utm_medium, '') as known_utm_medium,
        nullif(utm_campaign, '') as known_utm_campaign,
        referrer_host as host_0
    from {{ ref('stg_app_events__events') }}
    where not is_deleted and not is_repeat
        and visitor_key is not null and occurred_at is not null

),

{% for name, told_by in told.items() %}
    {{ name }} as (

        select
            code,
            coalesce(utm_medium, '') as utm_medium,
            nullif(medium, '') as medium,
            channel
        from {{ ref('touch_sources') }}
        where told_by = '{{ told_by }}'

    ),

{% endfor %}

-- a host that the seed doesn't know may stand below one that it knows
{% for n in [1, 2, 3] %}
    hosts_cut_{{ n }} as (

        select
            *,
            case
                when strpos(host_{{ n - 1 }}, '.') > 0
                    then substr(host_{{ n - 1 }}, strpos(host_{{ n - 1 }}, '.') + 1)
            end as host_{{ n }}
        from {{ 'events' if n == 1 else 'hosts_cut_' ~ (n - 1) }}

    ),

{% endfor %}

by_utm as (

    select
        hosts_cut_3.*,
        coalesce(
            hosts_cut_3.known_utm_source,
            hosts_cut_3.known_utm_medium,
            hosts_cut_3.known_utm_campaign
        ) is not null as has_utm,
        -- a word for what nobody pays leaves no paid medium to a known source
        case
            when pairs.code is not null then pairs.medium
            else coalesce(utm_words.medium, sources.medium)
        end as medium_by_utm,
        case
            when pairs.code is not null then pairs.channel
            when utm_words.medium is not null or utm_words.channel = 'message'
                then utm_words.channel
            else coalesce(sources.channel, utm_words.channel, 'referral')
        end as channel_by_utm
    from hosts_cut_3
    left join utm as pairs
        on hosts_cut_3.known_utm_source = pairs.code
        and hosts_cut_3.known_utm_medium = pairs.utm_medium
    left join utm as sources
        on hosts_cut_3.known_utm_source = sources.code
        and sources.utm_medium = ''
    left join utm_words
        on hosts_cut_3.known_utm_medium = utm_words.code

),

told as (

    select
        by_utm.*,
        coalesce(shared_clicks.medium, clicks.medium) as medium_by_click,
        case
            -- utm may tell more of the same medium: search or video
            when by_utm.has_utm
                and by_utm.medium_by_utm = coalesce(shared_clicks.medium, clicks.medium)
                then by_utm.channel_by_utm
            else coalesce(shared_clicks.channel, clicks.channel)
        end as channel_by_click,
        coalesce(
            hosts_0.channel,
            hosts_1.channel,
            hosts_2.channel,
            hosts_3.channel,
            'referral'
        ) as channel_by_host
    from by_utm
    left join clicks
        on by_utm.click_id_name = clicks.code
    left join shared_clicks
        on by_utm.click_id_name = shared_clicks.code
        and by_utm.medium_by_utm = shared_clicks.medium
    {% for n in [0, 1, 2, 3] %}
        left join hosts as hosts_{{ n }}
            on by_utm.host_{{ n }} = hosts_{{ n }}.code
    {% endfor %}

),

matched as (

    select
        *,
        case
            when channel_by_click is not null then 'click_id'
            when has_utm then 'utm'
            when referrer_host is not null and channel_by_host <> 'own' then 'referrer'
            else 'none'
        end as match_type
    from told

),

final as (

    select
        event_id,
        visitor_key,
        member_key,
        event_name,
        screen,
        platform,
        app_version,
        match_type,
        case match_type
            when 'click_id' then channel_by_click
            when 'utm' then channel_by_utm
            when 'referrer' then channel_by_host
            else 'direct'
        end as channel,
        case match_type
            when 'click_id' then medium_by_click
            when 'utm' then medium_by_utm
            when 'referrer' then 'organic'
        end as medium,
        case when match_type in ('click_id', 'utm') then known_utm_campaign end as campaign,
        occurred_at,
        occurred_date,
        load_id
    from matched

)

select * from final
