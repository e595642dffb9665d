{{ replaces_days(
    'issued_date', changes='int_prescription__dur_changes', looked_up_by=['prescription_id'],
) }}
with items as (

    select
        *,
        -- without a member it meets only itself
        coalesce(person_key, cast(prescription_id as {{ dbt.type_string() }})) as taker_key,
        coalesce(days_supply, 1) as taken_days,
        extract(year from issued_date) as issued_year
    from {{ ref('fct_prescription_items') }}
    where {{ since_days_to_replace('issued_date', days_before=365) }}

),

ingredients as (

    select * from {{ ref('int_prescription__dur_ingredients') }}

),

members as (

    select * from {{ ref('dim_members') }}

),

rules as (

    select
        dur_category,
        ingredient_name,
        age_from,
        age_below,
        -- a form of the product may have a limit of its own, which isn't known here
        max(max_days) as max_days,
        max(max_daily_dose_mg) as max_daily_dose_mg,
        max(load_id) as load_id
    from {{ ref('stg_mfds_dur__rules') }}
    where not is_deleted and not is_repeat and counterpart_name is null
    group by dur_category, ingredient_name, age_from, age_below

),

rule_pairs as (

    select * from {{ ref('int_prescription__dur_rule_pairs') }}

),

line_ingredients as (

    select
        items.*,
        ingredients.ingredient_name,
        ingredients.strength_mg
    from items
    inner join ingredients
        on items.ingredient_code = ingredients.ingredient_code

),

-- on that day a member of whom the year of birth is known has these years, or one less
alone as (

    select
        line_ingredients.*,
        line_ingredients.issued_year - members.birth_year as most_years
    from line_ingredients
    left join members
        on line_ingredients.member_key = members.member_key
    where {{ in_days_to_replace('line_ingredients.issued_date') }}

),

limits as (

    select
        alone.prescription_id,
        alone.issued_date,
        alone.line_no,
        rules.dur_category,
        alone.drug_code,
        case
            when rules.dur_category = 'elderly' then alone.most_years > 65
            when rules.dur_category = 'age'
                then alone.most_years < rules.age_below
                    and greatest(alone.most_years - 1, 0) >= rules.age_from
            else true
        end as is_certain,
        greatest(alone.load_id, rules.load_id) as load_id
    from alone
    inner join rules
        on alone.ingredient_name = rules.ingredient_name
    where (rules.dur_category = 'elderly' and alone.most_years >= 65)
        or (
            rules.dur_category = 'age'
            and alone.most_years - 1 < rules.age_below
            and alone.most_years >= rules.age_from
        )
        or (rules.dur_category = 'max_days' and alone.days_supply > rules.max_days)
        or (
            rules.dur_category = 'max_dose'
            and alone.is_dose_valid
            and alone.dose_per_time * alone.times_per_day * alone.strength_mg
            > rules.max_daily_dose_mg
        )

),

-- what is still taken on the day of issue: earlier prescriptions, and lines above in the same one
meetings as (

    select
        line.prescription_id,
        line.issued_date,
        line.line_no,
        line.drug_code,
        line.ingredient4,
        line.load_id,
        other.prescription_id as counterpart_prescription_id,
        other.line_no as counterpart_line_no,
        other.drug_code as counterpart_drug_code,
        other.ingredient4 as counterpart_ingredient4,
        other.load_id as counterpart_load_id
    from items as line
    inner join items as other
        on line.taker_key = other.taker_key
    where
        {{ in_days_to_replace('line.issued_date') }}
        and other.issued_date <= line.issued_date
        and {{ dbt.datediff('other.issued_date', 'line.issued_date', 'day') }} < other.taken_days
        and (
            (other.prescription_id = line.prescription_id and other.line_no < line.line_no)
            or other.issued_date < line.issued_date
            or other.prescription_id < line.prescription_id
        )

),

pairs as (

    select
        meetings.*,
        rule_pairs.dur_category,
        rule_pairs.load_id as rule_load_id
    from meetings
    inner join line_ingredients as mine
        on meetings.prescription_id = mine.prescription_id and meetings.line_no = mine.line_no
    inner join line_ingredients as theirs
        on
        meetings.counterpart_prescription_id = theirs.prescription_id
        and meetings.counterpart_line_no = theirs.line_no
    inner join rule_pairs
        on rule_pairs.ingredient_name = least(mine.ingredient_name, theirs.ingredient_name)
        and rule_pairs.counterpart_name = greatest(mine.ingredient_name, theirs.ingredient_name)

    union all

    select
        meetings.*,
        'same_ingredient' as dur_category,
        0 as rule_load_id
    from meetings
    where ingredient4 = counterpart_ingredient4

),

final as (

    select
        prescription_id,
        issued_date,
        line_no,
        dur_category,
        drug_code,
        cast(null as {{ dbt.type_string() }}) as counterpart_drug_code,
        false as is_across_prescriptions,
        is_certain,
        load_id
    from limits

    union all

    select
        prescription_id,
        issued_date,
        line_no,
        dur_category,
        drug_code,
        counterpart_drug_code,
        counterpart_prescription_id <> prescription_id as is_across_prescriptions,
        true as is_certain,
        greatest(load_id, counterpart_load_id, rule_load_id) as load_id
    from pairs

)

select * from final
