with member_merges as (

    select * from {{ ref('stg_app_db__member_merges') }}

),

followed as (

    select * from {{ ref('int_core__member_merges_followed') }}

),

final as (

    select
        from_member_key as named_member_key,
        load_id
    from member_merges
    union distinct
    -- who was merged before into the one that is merged now, or no longer is
    select
        chained.from_member_key as named_member_key,
        member_merges.load_id
    from member_merges
    left join followed
        on member_merges.from_member_key = followed.from_member_key
    inner join followed as chained
        on chained.surviving_member_key
        = coalesce(followed.surviving_member_key, member_merges.from_member_key)

)

select * from final
