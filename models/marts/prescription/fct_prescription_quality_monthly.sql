{{ replaces_days(
    'month_start_date', changes='int_prescription__quality_changes',
    looked_up_by=['measure', 'hospital_id'],
) }}
-- One row is a quality measure of a hospital, a province or the nation in a month, for an audience.
--
-- A count of fewer people than the audience's smallest cell isn't told, nor one that can be had
-- from what is told: where a total stands beside its parts, the hidden parts have one among them
-- that is safe by itself, or all are hidden; and below what is hidden all is. Denominators are
-- judged first and by themselves, since measures have them in common: were another one hidden for
-- each measure, two measures would tell the difference.
with cells as (

    select * from {{ ref('int_prescription__quality_cells') }}
    where {{ in_days_to_replace('month_start_date') }}

),

audiences as (

    {% for audience, people in var('smallest_cell').items() %}
        select
            '{{ audience }}' as audience,
            {{ people }} as smallest_cell
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

judged as (

    select
        cells.*,
        audiences.audience,
        -- cells that add up to one total
        case when cells.area_level = 'hospital' then cells.sido_code else cells.area_level end
            as family,
        case when cells.people < audiences.smallest_cell then 1 else 0 end as is_few,
        case
            when right(cells.measure, 5) <> '_rate' then 0
            when cells.people_with between 1 and audiences.smallest_cell - 1 then 1
            when cells.people_without between 1 and audiences.smallest_cell - 1 then 1
            else 0
        end as has_few,
        case
            when right(cells.measure, 5) <> '_rate' then 1
            when cells.people_with < audiences.smallest_cell then 0
            when cells.people_without < audiences.smallest_cell then 0
            else 1
        end as is_mixed
    from cells
    cross join audiences

),

{% set judge = [
    {
        'what': 'denominator', 'rows': 'judged', 'bad': 'is_few', 'safe': '1 - is_few',
        'safe_hidden': '0',
    },
    {
        'what': 'numerator', 'rows': 'denominators',
        'bad': 'greatest(hides_denominator, has_few)',
        'safe': '(1 - hides_denominator) * is_mixed',
        'safe_hidden': 'hides_denominator * (1 - is_few) * is_mixed',
    },
] %}
{% for each in judge %}
    {{ each.what }}_families as (

        select
            *,
            max({{ each.bad }}) over of_family as {{ each.what }}_family_has_bad,
            max({{ each.safe }}) over of_family as {{ each.what }}_family_has_safe,
            max({{ each.safe_hidden }}) over of_family as {{ each.what }}_family_hides_safe,
            case
                when {{ each.safe }} = 1
                    then row_number() over (
                            partition by
                                audience,
                                measure,
                                month_start_date,
                                area_level,
                                family,
                                {{ each.safe }}
                            order by people nulls last, sido_code nulls last, hospital_id nulls last
                        )
            end as {{ each.what }}_safe_no
        from {{ each.rows }}
        window of_family as (partition by audience, measure, month_start_date, area_level, family)

    ),

    {{ each.what }}_hidden as (

        select
            *,
            case
                when {{ each.bad }} = 1 then 1
                when
                    {{ each.what }}_family_has_bad = 0 or {{ each.what }}_family_hides_safe = 1
                    then 0
                when {{ each.what }}_safe_no = 1 or {{ each.what }}_family_has_safe = 0 then 1
                else 0
            end as is_{{ each.what }}_hidden
        from {{ each.what }}_families

    ),

    {{ each.what }}s as (

        select
            *,
            greatest(
                is_{{ each.what }}_hidden,
                max(case when area_level = 'nation' then is_{{ each.what }}_hidden else 0 end)
                    over (
                        partition by audience, measure, month_start_date
                    ),
                max(case when area_level = 'sido' then is_{{ each.what }}_hidden else 0 end) over (
                    partition by audience, measure, month_start_date, sido_code
                )
            ) as hides_{{ each.what }}
        from {{ each.what }}_hidden

    ),

{% endfor %}
final as (

    select
        month_start_date,
        audience,
        area_level,
        coalesce(cast(hospital_id as {{ dbt.type_string() }}), sido_code, 'all') as area_code,
        sido_code,
        hospital_id,
        measure,
        cast(
            case when hides_numerator = 0 then numerator end as {{ dbt.type_numeric() }}
        ) as numerator,
        cast(
            case when hides_denominator = 0 then denominator end as {{ dbt.type_numeric() }}
        ) as denominator,
        -- Postgres forgets the decimals of a case's branches
        cast(
            case
                when hides_numerator = 0 then {{ ratio('numerator', 'denominator') }}
            end as {{ dbt.type_numeric() }}
        ) as measure_value,
        hides_numerator = 1 as is_suppressed,
        cast(hospital_count as {{ dbt.type_bigint() }}) as hospital_count,
        load_id
    from numerators

)

select * from final
