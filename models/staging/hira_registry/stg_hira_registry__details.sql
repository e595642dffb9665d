with source as (

    select
        *,
        _deleted_at is not null as is_deleted
    from {{ source('raw_hira_registry', 'details') }}

),

renamed as (

    select
        trim(ykiho) as ykiho,
        cast(release_month || '-01' as date) as release_month,

        trim(name) as hospital_name,
        {% for day in ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] %}
            nullif(trim(trmt_{{ day }}_start), '') as {{ day }}_opens_text,
            nullif(trim(trmt_{{ day }}_end), '') as {{ day }}_closes_text,
        {% endfor %}
        nullif(trim(lunch_week), '') as weekday_lunch_text,
        nullif(trim(lunch_sat), '') as saturday_lunch_text,
        coalesce(trim(no_trmt_sun) in ('휴진', '전부휴진', '모두휴진'), false)
            as is_closed_on_sundays,
        coalesce(trim(no_trmt_holi) in ('정상진료', '정상근무', '진료'), false)
            as is_open_on_holidays,

        is_deleted,
        not is_deleted and row_number() over (
            partition by trim(ykiho), is_deleted
            order by
                release_month desc nulls last,
                _load_id desc nulls last,
                _file asc nulls last,
                _line asc nulls last
        ) = 1 as is_latest,
        _load_id as load_id,
        _extracted_at as extracted_at
    from source

)

select * from renamed
