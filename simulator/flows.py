"""What is true of the ways that bookings and receptions took: the status changes delivered.

They are kept by their place in the journey, as the company lived it, so that neither clocks nor the
order of delivery matter to the truth.
"""

import duckdb

from simulator.world import literal, run

# The steps of each journey in their order, and which may follow which; "" is its beginning.
_RECEPTION_ENDS = "cancelled_patient cancelled_hospital auto_cancelled_absent expired_day_end"
_BOOKING_ENDS = "no_show cancelled_patient cancelled_hospital"
_FOLLOWS = {
    "booking": {
        "": "requested",
        "requested": "confirmed rejected expired",
        "confirmed": f"rescheduled arrived {_BOOKING_ENDS}",
        "rescheduled": f"arrived {_BOOKING_ENDS}",
        "arrived": "completed",
    },
    "reception": {
        "": "requested",
        "requested": f"accepted rejected sync_failed {_RECEPTION_ENDS}",
        "accepted": f"waiting {_RECEPTION_ENDS}",
        "waiting": f"called {_RECEPTION_ENDS}",
        "called": f"in_treatment {_RECEPTION_ENDS}",
        "in_treatment": f"completed {_RECEPTION_ENDS}",
    },
}
_ENDS = 99  # the place of whatever ends a journey

_STEPS = """
    create table if not exists flow_step (entity varchar, id bigint, step varchar,
        place integer, nth integer, occurred_at timestamp)
"""

_FIGURES = {
    "flow_transitions_count": "(select count(*) from moved where before <> '')",
    "flow_transitions_disallowed_count": "(select count(*) from moved where not is_allowed)",
    "flow_steps_seconds_total": "(select coalesce(sum(seconds), 0) from moved)",
    "flow_rework_count": "(select count(*) from moved where nth > 1)",
    "flow_cases_count": "(select count(*) from journey)",
    "flow_cases_conforming_count": "(select count(*) from journey where is_conforming)",
    "flow_cases_rework_count": "(select count(*) from journey where has_rework)",
    "flow_variants_count": "(select count(*) from way)",
    "flow_variants_most_frequent_count": "(select coalesce(max(cases), 0) from way)",
}


def keep(con: duckdb.DuckDBPyConnection) -> None:
    """Keep the steps of the delivered status changes in the temporary table `flow`."""
    run(con, _STEPS)
    places = ", ".join(
        f"('{entity}', '{step}', {n})"
        for entity, follows in _FOLLOWS.items()
        for n, step in enumerate(follows)
        if step
    )
    run(
        con,
        f"""
        insert into flow_step
        select f.entity, f.id, f.event_type, coalesce(p.place, {_ENDS}), f.nth, f.occurred_at
        from flow as f
        left join (values {places}) as p (entity, step, place)
            on f.entity = p.entity and f.event_type = p.step
        where not f.is_repeat and f.event_type <> 'hold_started'
        """,
    )


def figures(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The figures of all journeys so far. Seconds are those between the clock's whole seconds."""
    allowed = [
        f"{entity} {before} {step}"
        for entity, follows in _FOLLOWS.items()
        for before, steps in follows.items()
        for step in steps.split()
    ]
    (values,) = run(
        con,
        f"""
        with placed as (
            select *, coalesce(lag(step) over journey, '') as before,
                date_diff('second', lag(occurred_at) over journey, occurred_at) as seconds
            from flow_step
            window journey as (partition by entity, id order by place, nth)
        ), moved as (
            select *, list_contains({literal(allowed)}, concat_ws(' ', entity, before, step))
                as is_allowed
            from placed
        ), journey as (
            select entity, string_agg(step, ' ' order by place, nth) as way,
                bool_and(is_allowed) as is_conforming, bool_or(nth > 1) as has_rework
            from moved group by entity, id
        ), way as (
            select count(*) as cases from journey group by entity, way
        )
        select {", ".join(_FIGURES.values())}
        """,
    )
    return {name: int(value) for name, value in zip(_FIGURES, values, strict=True)}
