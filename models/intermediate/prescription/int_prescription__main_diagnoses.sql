with diagnoses as (

    select * from {{ ref('stg_app_db__prescription_diagnoses') }}
    where not is_deleted

),

chapters as (

    select * from {{ ref('kcd_chapters') }}

),

counted as (

    select
        prescription_id,
        min(case when is_main then diagnosis_seq end) as flagged_seq,
        min(case when kcd_code is not null then diagnosis_seq end) as first_coded_seq,
        count(*) as diagnosis_count,
        max(load_id) as load_id
    from diagnoses
    group by prescription_id

),

mains as (

    select
        counted.prescription_id,
        substring(diagnoses.kcd_code, 1, 3) as main_kcd_code,
        counted.flagged_seq is not null as is_main_flagged,
        counted.diagnosis_count,
        counted.load_id
    from counted
    -- without a flag the first coded diagnosis is the main one, as on the form
    left join diagnoses
        on diagnoses.prescription_id = counted.prescription_id
        and diagnoses.diagnosis_seq = coalesce(counted.flagged_seq, counted.first_coded_seq)

),

main_codes as (

    select main_kcd_code
    from mains
    group by main_kcd_code

),

-- apart from the left join below, since BigQuery looks up ranges in inner joins only
coded_chapters as (

    select
        main_codes.main_kcd_code,
        chapters.chapter_no
    from main_codes
    inner join chapters
        on main_codes.main_kcd_code between chapters.code_from and chapters.code_to

),

final as (

    select
        mains.prescription_id,
        mains.main_kcd_code,
        coded_chapters.chapter_no as kcd_chapter_no,
        mains.is_main_flagged,
        mains.diagnosis_count,
        mains.load_id
    from mains
    left join coded_chapters
        on coded_chapters.main_kcd_code = mains.main_kcd_code

)

select * from final
