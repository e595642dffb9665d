with reports as (

    {% for medium in ['naver_sa', 'kakao_moment', 'google_ads'] %}
        select
            '{{ medium }}' as medium,
            'ad' as level,
            stat_date,
            account_id,
            campaign_id,
            cast(null as {{ dbt.type_string() }}) as campaign_name,
            ad_group_id,
            ad_id,
            impressions,
            clicks,
            spend_native,
            conversions,
            conversion_value,
            extracted_on,
            window_from,
            window_to,
            is_deleted,
            load_id
        from {{ ref('stg_ads_' ~ medium ~ '__ads') }}
        union all
        select
            '{{ medium }}' as medium,
            'campaign' as level,
            stat_date,
            account_id,
            campaign_id,
            campaign_name,
            cast(null as {{ dbt.type_string() }}) as ad_group_id,
            cast(null as {{ dbt.type_string() }}) as ad_id,
            impressions,
            clicks,
            spend_native,
            conversions,
            conversion_value,
            extracted_on,
            window_from,
            window_to,
            is_deleted,
            load_id
        from {{ ref('stg_ads_' ~ medium ~ '__campaigns') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

media as (

    select * from {{ ref('media') }}

),

-- An extraction tells by its window what it read of the accounts in it: a day without rows has
-- none. An account that is missing altogether was not read; without any account, none had rows.
extractions as (

    select
        medium,
        level,
        account_id,
        extracted_on,
        window_from,
        window_to,
        max(load_id) as load_id
    from reports
    where not is_deleted
    group by medium, level, account_id, extracted_on, window_from, window_to

),

reported_days as (

    select
        medium,
        level,
        account_id,
        stat_date
    from reports
    where not is_deleted
    group by medium, level, account_id, stat_date

),

ranked_extractions as (

    select
        reported_days.stat_date,
        reported_days.account_id,
        extractions.medium,
        extractions.level,
        extractions.extracted_on,
        extractions.window_from,
        extractions.window_to,
        row_number() over (
            partition by
                extractions.medium,
                extractions.level,
                reported_days.account_id,
                reported_days.stat_date
            order by
                extractions.extracted_on desc nulls last,
                extractions.load_id desc nulls last,
                extractions.window_from desc nulls last,
                extractions.window_to desc nulls last
        ) as newness
    from reported_days
    inner join extractions
        on reported_days.medium = extractions.medium
        and reported_days.level = extractions.level
        and (
            reported_days.account_id = extractions.account_id
            or extractions.account_id is null
        )
        and reported_days.stat_date between extractions.window_from and extractions.window_to

),

newest_extractions as (

    select *
    from ranked_extractions
    where newness = 1

),

-- A blank cell in a report is nothing delivered. Six decimals from here on, since what is rounded
-- only at the end doesn't add up.
filled as (

    select
        reports.*,
        media.day_basis,
        media.currency as currency_native,
        media.vat_basis,
        cast(coalesce(reports.spend_native, 0) as {{ dbt.type_numeric() }}) as filled_spend_native,
        not reports.is_deleted and newest_extractions.medium is not null as is_latest
    from reports
    left join media on reports.medium = media.medium
    left join newest_extractions
        on reports.medium = newest_extractions.medium
        and reports.level = newest_extractions.level
        and coalesce(reports.account_id, '') = coalesce(newest_extractions.account_id, '')
        and reports.stat_date = newest_extractions.stat_date
        and reports.extracted_on = newest_extractions.extracted_on
        and reports.window_from = newest_extractions.window_from
        and reports.window_to = newest_extractions.window_to

),

final as (

    select
        medium,
        level,
        stat_date,
        day_basis,
        account_id,
        campaign_id,
        campaign_name,
        ad_group_id,
        ad_id,

        coalesce(impressions, 0) as impressions,
        coalesce(clicks, 0) as clicks,
        currency_native,
        filled_spend_native as spend_native,
        vat_basis,
        -- Korean VAT is 10 %; a tenth is added or an eleventh taken out, exact in decimals
        cast(
            case vat_basis
                when 'incl' then {{ ratio('filled_spend_native * 10', 11) }}
                when 'excl' then filled_spend_native
            end as {{ dbt.type_numeric() }}
        ) as spend_supply_krw,
        cast(
            case vat_basis
                when 'incl' then filled_spend_native
                when 'excl' then filled_spend_native * cast(1.1 as {{ dbt.type_numeric() }})
            end as {{ dbt.type_numeric() }}
        ) as spend_gross_krw,
        cast(coalesce(conversions, 0) as {{ dbt.type_numeric() }}) as conversions,
        cast(coalesce(conversion_value, 0) as {{ dbt.type_numeric() }}) as conversion_value_krw,

        extracted_on,
        window_from,
        window_to,
        is_deleted,
        is_latest,
        load_id
    from filled

)

select * from final
