with source as (

    select * from {{ source('raw_ads_naver_sa', 'campaigns') }}

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
        trim(campaign_name) as campaign_name,
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

)

select * from renamed
