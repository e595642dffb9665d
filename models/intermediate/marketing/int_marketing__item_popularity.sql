-- A cell is a region of offers, a category and the age band of people; (all) stands for any.
with training as (

    select *
    from {{ ref('int_marketing__item_training') }}
    where is_recent

),

members as (

    select * from {{ ref('int_marketing__recommendation_members') }}

),

products as (

    select * from {{ ref('dim_event_products') }}

),

rules as (

    select * from {{ ref('int_marketing__recommendation_rules') }}

),

interests as (

    select
        training.training_set,
        training.member_key,
        training.event_product_id,
        coalesce(products.sido_code, '(none)') as sido_code,
        coalesce(products.category, '(none)') as category,
        coalesce(members.birth_year_band, '(none)') as birth_year_band
    from training
    inner join members on training.member_key = members.member_key
    inner join products on training.event_product_id = products.event_product_id

),

{% set cells = [] %}
{% for sido in ['sido_code', "'(all)'"] %}
    {% for category in ['category', "'(all)'"] %}
        {% for band in ['birth_year_band', "'(all)'"] %}
            {% do cells.append([sido, category, band]) %}
        {% endfor %}
    {% endfor %}
{% endfor %}
in_cells as (

    {% for sido, category, band in cells %}
        select
            training_set,
            member_key,
            event_product_id,
            {{ sido }} as sido_code,
            {{ category }} as category,
            {{ band }} as birth_year_band
        from interests
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

cell_people as (

    select
        training_set,
        sido_code,
        category,
        birth_year_band,
        count(distinct member_key) as cell_people
    from in_cells
    group by training_set, sido_code, category, birth_year_band

),

item_people as (

    select
        training_set,
        sido_code,
        category,
        birth_year_band,
        event_product_id,
        count(*) as people
    from in_cells
    group by training_set, sido_code, category, birth_year_band, event_product_id

),

final as (

    select
        item_people.training_set,
        item_people.sido_code,
        item_people.category,
        item_people.birth_year_band,
        item_people.event_product_id,
        item_people.people,
        row_number() over (
            partition by
                item_people.training_set, item_people.sido_code, item_people.category,
                item_people.birth_year_band
            order by
                item_people.people desc nulls last,
                item_people.event_product_id asc nulls last
        ) as popularity_rank
    from item_people
    inner join cell_people
        on item_people.training_set = cell_people.training_set
        and item_people.sido_code = cell_people.sido_code
        and item_people.category = cell_people.category
        and item_people.birth_year_band = cell_people.birth_year_band
    cross join rules
    -- a cell of few people would tell what they did
    where cell_people.cell_people >= rules.least_people_of_a_pair

)

select * from final
