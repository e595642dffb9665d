-- One row is a medium: how its reports are to be read, and until when its API is there.

with media as (

    select * from {{ ref('media') }}

),

media_api_versions as (

    select * from {{ ref('media_api_versions') }}

),

-- the first to end is the one to move away from
ranked_versions as (

    select
        medium,
        api,
        version,
        ends_on,
        row_number() over (
            partition by medium
            order by ends_on nulls last, api nulls last, version nulls last
        ) as place
    from media_api_versions

),

final as (

    select
        media.medium,
        media.name_ko as medium_name_ko,
        media.name_en as medium_name_en,
        media.category,
        media.role,
        media.lane,
        cast(media.priority as {{ dbt.type_bigint() }}) as priority,
        media.day_basis,
        media.vat_basis,
        media.currency as currency_native,
        cast(media.refetch_days as {{ dbt.type_bigint() }}) as refetch_days,
        cast(media.retention_days as {{ dbt.type_bigint() }}) as retention_days,
        ranked_versions.api,
        ranked_versions.version as api_version,
        ranked_versions.ends_on as api_ends_on,
        media.confidence,
        media.unverified,
        media.source_note
    from media
    left join ranked_versions
        on media.medium = ranked_versions.medium
        and ranked_versions.place = 1

)

select * from final
