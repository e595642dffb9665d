with source as (

    select * from {{ source('raw_ads_google_ads', 'ads') }}

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
        {{ ratio('cost_micros', 1000000) }} as spend_native,
        conversions,
        conversion_value,
        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
