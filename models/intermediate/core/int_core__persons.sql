with member_merges as (

    select * from {{ ref('stg_app_db__member_merges') }}

),

followed as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

-- a merge that was taken back makes its account a person again
accounts as (

    select
        member_merges.from_member_key as member_key,
        coalesce(followed.surviving_member_key, member_merges.from_member_key) as person_key,
        max(member_merges.load_id) as load_id
    from member_merges
    left join followed
        on member_merges.from_member_key = followed.from_member_key
    group by
        member_merges.from_member_key,
        coalesce(followed.surviving_member_key, member_merges.from_member_key)

),

final as (

    select
        member_key,
        person_key,
        -- any merge of a chain may be what leads to its end
        max(load_id) over (partition by person_key) as load_id
    from accounts

)

select * from final
