-- One row is a version of a city, county or district (시군구).

with sggus as (

    select * from {{ ref('sggus') }}

),

sidos as (

    select * from {{ ref('sidos') }}

),

final as (

    select
        sggus.sggu_code,
        sggus.valid_from,
        sggus.valid_to,
        sggus.valid_to is null as is_current,
        lead(sggus.valid_from) over (
            partition by sggus.sggu_code order by sggus.valid_from nulls last
        ) is null as is_newest,
        sggus.sggu_name_ko,
        nullif(sggus.ministry_code, '') as ministry_sggu_code,
        sggus.sido_code,
        sidos.sido_name_ko,
        sidos.official_name_ko as sido_official_name_ko,
        sidos.sido_name_en,
        sidos.ministry_code as ministry_sido_code
    from sggus
    left join sidos
        on sidos.sido_code = sggus.sido_code
        and sidos.valid_from <= sggus.valid_from
        and (sidos.valid_to > sggus.valid_from or sidos.valid_to is null)

)

select * from final
