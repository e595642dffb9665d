-- One row is a version of an account, campaign, ad group, ad or keyword: its name and where it
-- belonged, from one day of extraction to the next change.
{% set told = ['entity_name', 'campaign_id', 'ad_group_id', 'landing_url', 'channel'] %}

with names as (

    select *
    from {{ ref('int_marketing__ad_names') }}
    where named_on is not null
        and entity_id <> ''

),

-- what one day says of an entity: a report and a list may each know a part
daily as (

    select
        medium,
        level,
        account_id,
        entity_id,
        named_on,
        {% for column in told %}
            max({{ column }}) as {{ column }},
        {% endfor %}
        max(case when is_listed then 1 else 0 end) as listed,
        min(case when is_gone then 1 else 0 end) as gone,
        max(load_id) as load_id
    from names
    group by medium, level, account_id, entity_id, named_on

),

-- a day that doesn't tell something leaves it as it was; what is told late was so before
filled as (

    select
        *,
        {% for column in told %}
            count({{ column }}) over (
                partition by medium, level, account_id, entity_id order by named_on
                rows between unbounded preceding and current row
            ) as {{ column }}_no,
        {% endfor %}
        max(listed) over (partition by medium, level, account_id, entity_id) as is_ever_listed
    from daily

),

carried as (

    select
        medium,
        level,
        account_id,
        entity_id,
        named_on,
        {% for column in told %}
            coalesce(
                max({{ column }}) over (
                    partition by medium, level, account_id, entity_id, {{ column }}_no
                ),
                max(case when {{ column }}_no = 1 then {{ column }} end) over (
                    partition by medium, level, account_id, entity_id
                )
            ) as {{ column }},
        {% endfor %}
        is_ever_listed,
        gone,
        load_id
    from filled

),

compared as (

    select
        *,
        {{ surrogate_key(told) }} as told_key,
        lag({{ surrogate_key(told) }}) over (
            partition by medium, level, account_id, entity_id order by named_on
        ) as prior_told_key
    from carried

),

numbered as (

    select
        *,
        sum(case when prior_told_key is null or told_key <> prior_told_key then 1 else 0 end) over (
            partition by medium, level, account_id, entity_id order by named_on
            rows between unbounded preceding and current row
        ) as version_no
    from compared

),

versions as (

    select
        medium,
        level,
        account_id,
        entity_id,
        version_no,
        {% for column in told %}
            max({{ column }}) as {{ column }},
        {% endfor %}
        min(named_on) as valid_from_date,
        max(named_on) as last_seen_date,
        max(is_ever_listed) as is_ever_listed,
        min(gone) as gone,
        max(load_id) as load_id
    from numbered
    group by medium, level, account_id, entity_id, version_no

),

final as (

    select
        {{ surrogate_key(['medium', 'level', 'account_id', 'entity_id', 'version_no']) }}
            as ad_entity_version_key,
        medium,
        level,
        account_id,
        campaign_id,
        ad_group_id,
        entity_id,
        cast(version_no as {{ dbt.type_bigint() }}) as version_no,
        entity_name,
        channel,
        landing_url,
        valid_from_date,
        lead(valid_from_date) over (
            partition by medium, level, account_id, entity_id order by version_no
        ) as valid_to_date,
        last_seen_date,
        lead(valid_from_date) over (
            partition by medium, level, account_id, entity_id order by version_no
        ) is null as is_current,
        is_ever_listed = 0 as is_inferred,
        gone = 1 as is_deleted,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id
    from versions

)

select * from final
