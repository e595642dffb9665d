with source as (

    select * from {{ source('raw_ads_naver_sa', 'ads') }}

),

renamed as (

    select
        {% for day in ['extracted_on', 'window_from', 'window_to', 'stat_date'] %}
            cast(
                substring(replace({{ day }}, '-', ''), 1, 4) || '-'
                || substring(replace({{ day }}, '-', ''), 5, 2) || '-'
                || substring(replace({{ day }}, '-', ''), 7, 2) as date
            ) as {{ day }},
        {% endfor %}
        trim(account_id) as account_id,
        trim(campaign_id) as campaign_id,
        trim(ad_group_id) as ad_group_id,
        trim(ad_id) as ad_id,
        impressions,
        clicks,
        sales_amt as spend_native,
        conversions,
        conversion_value,
        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

),

-- An extraction tells by its window what it read: a day without rows in it has none.
live_extractions as (

    select
        extracted_on,
        window_from,
        window_to,
        max(load_id) as load_id
    from renamed
    where not is_deleted
    group by extracted_on, window_from, window_to

),

reported_days as (

    select distinct stat_date
    from renamed
    where not is_deleted

),

ranked_extractions as (

    select
        reported_days.stat_date,
        live_extractions.extracted_on,
        live_extractions.window_from,
        live_extractions.window_to,
        row_number() over (
            partition by reported_days.stat_date
            order by
                live_extractions.extracted_on desc nulls last,
                live_extractions.load_id desc nulls last,
                live_extractions.window_from desc nulls last,
                live_extractions.window_to desc nulls last
        ) as newness
    from reported_days
    inner join live_extractions
        on live_extractions.window_from <= reported_days.stat_date
        and live_extractions.window_to >= reported_days.stat_date

),

final as (

    select
        renamed.extracted_on,
        renamed.window_from,
        renamed.window_to,
        renamed.stat_date,
        renamed.account_id,
        renamed.campaign_id,
        renamed.ad_group_id,
        renamed.ad_id,
        renamed.impressions,
        renamed.clicks,
        renamed.spend_native,
        renamed.conversions,
        renamed.conversion_value,
        renamed.source_file,
        renamed.source_line,
        renamed.is_deleted,
        not renamed.is_deleted and ranked_extractions.stat_date is not null as is_latest,
        renamed.load_id,
        renamed.extracted_at
    from renamed
    left join ranked_extractions
        on renamed.stat_date = ranked_extractions.stat_date
        and renamed.extracted_on = ranked_extractions.extracted_on
        and renamed.window_from = ranked_extractions.window_from
        and renamed.window_to = ranked_extractions.window_to
        and ranked_extractions.newness = 1

)

select * from final
