-- An account that was taken off the list keeps its row, so that its days are seen to change.
with listed as (

    select * from {{ ref('stg_marketing_plan__accounts') }}

),

ranked as (

    select
        medium,
        account_id,
        account_name,
        currency,
        time_zone,
        is_deleted,
        extracted_at,
        max(load_id) over (partition by medium, account_id) as load_id,
        row_number() over (
            partition by medium, account_id
            order by
                case when is_deleted then 1 else 0 end,
                load_id desc nulls last,
                source_file desc nulls last,
                source_line desc nulls last
        ) as newness
    from listed
    where medium is not null
        and account_id is not null

),

final as (

    select
        medium,
        account_id,
        case when not is_deleted then account_name end as account_name,
        case when not is_deleted then nullif(currency, '') end as currency,
        case when not is_deleted then time_zone end as time_zone,
        is_deleted,
        load_id,
        extracted_at
    from ranked
    where newness = 1

)

select * from final
