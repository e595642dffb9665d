-- A survivor that was merged away itself means a chain longer than the model follows, or a circle.
with member_merges as (

    select * from {{ ref('int_core__member_merges_followed') }}

)

select
    member_merges.from_member_key,
    member_merges.surviving_member_key
from member_merges
inner join member_merges as later_merges
    on later_merges.from_member_key = member_merges.surviving_member_key
