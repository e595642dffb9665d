-- Banks publish on business days: a rate holds until the next one, and the first one reaches back.
with rates as (

    select * from {{ ref('stg_fx_ecos__rates') }}

),

current_rates as (

    select
        currency,
        rate_date,
        max(unit) as unit,
        max(krw_per_unit) as krw,
        max(load_id) as load_id
    from rates
    where not is_deleted
        and krw_per_unit is not null
    group by currency, rate_date

),

-- what took a rate's place after it vanished depends on the vanishing too
vanished as (

    select
        currency,
        max(load_id) as load_id
    from rates
    where is_deleted
    group by currency

),

ordered as (

    select
        *,
        lag(rate_date) over (partition by currency order by rate_date nulls last)
            as prior_rate_date,
        lead(rate_date) over (partition by currency order by rate_date nulls last)
            as next_rate_date
    from current_rates

),

final as (

    select
        ordered.currency,
        ordered.rate_date,
        case
            when ordered.prior_rate_date is null then cast('1900-01-01' as date)
            else ordered.rate_date
        end as valid_from,
        coalesce(ordered.next_rate_date, cast('9999-12-31' as date)) as valid_to,
        cast(ordered.unit as {{ dbt.type_numeric() }}) as unit,
        cast(ordered.krw as {{ dbt.type_numeric() }}) as krw,
        greatest(ordered.load_id, coalesce(vanished.load_id, 0)) as load_id
    from ordered
    left join vanished on ordered.currency = vanished.currency

)

select * from final
