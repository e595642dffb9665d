with source as (

    select * from {{ source('raw_ads_naver_sa', 'keyword_list') }}

),

renamed as (

    select
        trim(account_id) as account_id,
        trim(keyword_id) as keyword_id,
        trim(keyword_text) as keyword_text,
        trim(ad_group_id) as ad_group_id,
        case
            when nullif(trim(removed_at), '') is not null then 'deleted'
            when trim(on_off) = '0' then 'on'
            else 'off'
        end as status,
        coalesce(
            nullif(trim(landing_url_mobile), ''), nullif(trim(landing_url_pc), '')
        ) as landing_url,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
