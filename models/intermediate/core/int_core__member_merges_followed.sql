with member_merges as (

    select * from {{ ref('stg_app_db__member_merges') }}
    where not is_deleted and from_member_key <> to_member_key

),

newest_merges as (

    select
        from_member_key,
        max(member_merge_id) as member_merge_id
    from member_merges
    group by from_member_key

),

links as (

    select
        member_merges.from_member_key,
        member_merges.to_member_key
    from member_merges
    inner join newest_merges
        on newest_merges.member_merge_id = member_merges.member_merge_id

),

-- Recursion reads differently on each engine, so the chain is unrolled; a test finds longer ones.
final as (

    select
        hop_1.from_member_key,
        coalesce(
            hop_5.to_member_key,
            hop_4.to_member_key,
            hop_3.to_member_key,
            hop_2.to_member_key,
            hop_1.to_member_key
        ) as surviving_member_key
    from links as hop_1
    left join links as hop_2
        on hop_2.from_member_key = hop_1.to_member_key
    left join links as hop_3
        on hop_3.from_member_key = hop_2.to_member_key
    left join links as hop_4
        on hop_4.from_member_key = hop_3.to_member_key
    left join links as hop_5
        on hop_5.from_member_key = hop_4.to_member_key

)

select * from final
