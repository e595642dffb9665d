{% set days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] %}
{% set other_lunch = {
    'sat': 'saturday_lunch_text', 'sun': 'cast(null as ' ~ dbt.type_string() ~ ')'
} %}
{% set texts = {
    'opens': 'opens_text',
    'closes': 'closes_text',
    'lunch_from': dbt.split_part("replace(replace(lunch_text, '∼', '~'), '-', '~')", "'~'", 1),
    'lunch_to': dbt.split_part("replace(replace(lunch_text, '∼', '~'), '-', '~')", "'~'", 2),
} %}

with details as (

    select * from {{ ref('stg_hira_registry__details') }}
    where is_latest

),

hospital_versions as (

    select
        hospital_id,
        ykiho,
        is_deleted,
        min(load_id) over (partition by hospital_id, ykiho) as named_load_id,
        row_number() over (
            partition by hospital_id
            order by extracted_at desc nulls last, load_id desc nulls last
        ) as newness
    from {{ ref('stg_app_db__hospitals') }}

),

by_weekday as (

    {% for day in days %}
        select
            ykiho,
            release_month,
            {{ loop.index }} as weekday,
            {{ day }}_opens_text as opens_text,
            {{ day }}_closes_text as closes_text,
            {{ other_lunch.get(day, 'weekday_lunch_text') }} as lunch_text,
            is_open_on_holidays,
            load_id
        from details
        where '{{ day }}' <> 'sun' or not is_closed_on_sundays
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- 9시30분, 오후 1시, 09:30, 930 and 0930 become hours and minutes with a colon
spelled as (

    select
        {% for time, text in texts.items() %}
            replace(replace(
                replace(replace(replace({{ text }}, ' ', ''), '분', ''), '오전', ''),
                '오후', ''
            ), '시', ':') as {{ time }}_text,
        {% endfor %}
        ykiho,
        release_month,
        weekday,
        is_open_on_holidays,
        load_id
    from by_weekday

),

split as (

    select
        {% for time in texts %}
            case
                when {{ time }}_text like '%:%'
                    then {{ dbt.split_part(time ~ '_text', "':'", 1) }}
                when length({{ time }}_text) in (3, 4)
                    then substring(lpad({{ time }}_text, 4, '0'), 1, 2)
            end as {{ time }}_hour,
            case
                when {{ time }}_text like '%:%'
                    then coalesce(nullif({{ dbt.split_part(time ~ '_text', "':'", 2) }}, ''), '00')
                when length({{ time }}_text) in (3, 4)
                    then substring(lpad({{ time }}_text, 4, '0'), 3, 2)
            end as {{ time }}_minute,
        {% endfor %}
        ykiho,
        release_month,
        weekday,
        is_open_on_holidays,
        load_id
    from spelled

),

counted as (

    select
        {% for time in texts %}
            case
                when
                    length({{ time }}_hour) in (1, 2)
                    and length({{ time }}_minute) = 2
                    and translate({{ time }}_hour || {{ time }}_minute, '0123456789', '') = ''
                    and lpad({{ time }}_hour, 2, '0') || {{ time }}_minute <= '2400'
                    and {{ time }}_minute < '60'
                    then
                        60 * cast({{ time }}_hour as {{ dbt.type_bigint() }})
                        + cast({{ time }}_minute as {{ dbt.type_bigint() }})
            end as {{ time }}_minute,
        {% endfor %}
        ykiho,
        release_month,
        weekday,
        is_open_on_holidays,
        load_id
    from split

),

-- nobody breaks for lunch in the small hours: 1시 is one in the afternoon
afternoon as (

    select
        ykiho,
        release_month,
        weekday,
        is_open_on_holidays,
        load_id,
        opens_minute,
        closes_minute,
        lunch_from_minute + case when lunch_from_minute < 480 then 720 else 0 end
            as lunch_from_minute,
        lunch_to_minute + case when lunch_to_minute < 480 then 720 else 0 end as lunch_to_minute
    from counted
    where opens_minute < closes_minute

),

judged as (

    select
        *,
        coalesce(
            lunch_from_minute >= opens_minute
            and lunch_from_minute < lunch_to_minute
            and lunch_to_minute <= closes_minute,
            false
        ) as has_lunch
    from afternoon

),

final as (

    select
        hospital_versions.hospital_id,
        cast(judged.weekday as {{ dbt.type_bigint() }}) as weekday,
        judged.opens_minute,
        judged.closes_minute,
        case when judged.has_lunch then judged.lunch_from_minute end as lunch_from_minute,
        case when judged.has_lunch then judged.lunch_to_minute end as lunch_to_minute,
        judged.is_open_on_holidays,
        judged.release_month,
        case
            when hospital_versions.named_load_id > judged.load_id
                then hospital_versions.named_load_id
            else judged.load_id
        end as load_id
    from judged
    inner join hospital_versions
        on judged.ykiho = hospital_versions.ykiho
    where hospital_versions.newness = 1 and not hospital_versions.is_deleted

)

select * from final
