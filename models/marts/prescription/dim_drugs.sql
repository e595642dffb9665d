-- One row is a version of a HIRA product: a run of price lists with equal price, name and company.

with prices as (

    select * from {{ ref('stg_hira__drug_prices') }}
    where not is_deleted and not is_repeat

),

routes as (

    select * from {{ ref('drug_routes') }}

),

forms as (

    select * from {{ ref('drug_forms') }}

),

efficacy_classes as (

    select * from {{ ref('drug_efficacy_classes') }}

),

atc_codes as (

    select * from {{ ref('stg_hira__atc_codes') }}
    where is_latest

),

successors as (

    select * from {{ ref('int_prescription__drug_successors') }}

),

lists as (

    select
        price_month,
        row_number() over (order by price_month nulls last) as list_no,
        lead(price_month) over (order by price_month nulls last) as next_price_month
    from prices
    group by price_month

),

compared as (

    select
        prices.drug_code,
        lists.list_no,
        prices.price_month,
        case
            when lag(lists.list_no) over drug_lists = lists.list_no - 1
                and lag(coalesce(prices.price_krw, -1)) over drug_lists
                = coalesce(prices.price_krw, -1)
                and lag(coalesce(prices.drug_name, '')) over drug_lists
                = coalesce(prices.drug_name, '')
                and lag(coalesce(prices.company_name, '')) over drug_lists
                = coalesce(prices.company_name, '') then 0
            else 1
        end as is_start
    from prices
    inner join lists
        on lists.price_month = prices.price_month
    window drug_lists as (partition by prices.drug_code order by lists.list_no nulls last)

),

numbered as (

    select
        drug_code,
        price_month,
        sum(is_start) over (
            partition by drug_code
            order by list_no nulls last
            rows between unbounded preceding and current row
        ) as version_no
    from compared

),

versions as (

    select
        drug_code,
        version_no,
        min(price_month) as valid_from,
        max(price_month) as last_price_month
    from numbered
    group by drug_code, version_no

),

final as (

    select
        versions.drug_code,
        versions.valid_from,
        lists.next_price_month as valid_to,
        lists.next_price_month is null as is_current,

        substring(versions.drug_code, 1, 8) as drug_code8,
        coalesce(successors.current_drug_code, versions.drug_code) as current_drug_code,
        prices.kd_code,
        -- after 880 for Korea; the ninth digit is that of one package
        case when length(prices.kd_code) = 13 then substring(prices.kd_code, 4, 8) end as kd_code8,
        prices.drug_name,
        prices.company_name,
        prices.pack_size,
        prices.unit,
        prices.price_krw,
        case when prices.price_krw is null then 'unpriced' else 'priced' end as price_status,
        prices.ingredient_code,
        prices.ingredient_name,
        substring(prices.ingredient_code, 1, 4) as ingredient4,
        substring(prices.ingredient_code, 5, 2) as strength2,
        nullif(substring(prices.ingredient_code, 7, 1), '') as route_code,
        routes.route_name_ko,
        nullif(substring(prices.ingredient_code, 8, 2), '') as form_code,
        nullif(forms.form_name_ko, '') as form_name_ko,
        prices.efficacy_class_code,
        nullif(efficacy_classes.efficacy_class_name_ko, '') as efficacy_class_name_ko,
        atc_codes.atc_code,
        -- the efficacy class doesn't tell: 629 has fluconazole beside levofloxacin
        coalesce(substring(atc_codes.atc_code, 1, 3) = 'J01', false) as is_antibiotic
    from versions
    inner join lists
        on lists.price_month = versions.last_price_month
    -- what may change within a version is told as its last list has it
    inner join prices
        on prices.drug_code = versions.drug_code
        and prices.price_month = versions.last_price_month
    left join routes
        on routes.route_code = substring(prices.ingredient_code, 7, 1)
    left join forms
        on forms.form_code = substring(prices.ingredient_code, 8, 2)
    left join efficacy_classes
        on efficacy_classes.efficacy_class_code = prices.efficacy_class_code
    left join atc_codes
        on versions.drug_code = atc_codes.drug_code
    left join successors
        on versions.drug_code = successors.drug_code

)

select * from final
