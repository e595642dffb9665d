"""How a landed slice comes into raw: one transaction, as a list of statements.

Nothing is asked on the way: what must be known is asked before, and the counts are computed in SQL
and stand in the ledger afterwards. So an engine may run the list one by one or as a single script.
Texts that stand in the statements are names and hashes of ours; all else comes in staged tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from extract_load.declaration import Source, Table
from extract_load.loader.conform import Landing
from extract_load.loader.dialect import Dialect, instant
from extract_load.loader.erasure import (
    belongs_to_erased,
    keep_out_rejected,
    mentions,
    note_erased_rows,
    unname_rejected,
)
from extract_load.loader.expiry import past
from extract_load.loader.relations import Relation
from extract_load.readers.files.file import File


@dataclass(frozen=True)
class Load:
    """What is to be moved into a raw table in one transaction.

    `complete` says that the slice holds all rows of the table. `keys` are all keys
    at the source, for tables that compare them. `state` is what the source wants to be told at the
    next load.
    """

    run_id: str
    source: Source
    table: Table
    landing: Landing
    extracted_at: datetime
    cursor_at: datetime | None = None
    complete: bool = False
    keys: Landing | None = None
    files: tuple[File, ...] = ()
    failed_files: tuple[tuple[str, str], ...] = ()
    state: str | None = None


# of the rows that come in, those that go on into raw
_LANDS = "_decision in ('new', 'changed')"


class Move:
    """One load's transaction. `question` is asked first and answers what is declared here;
    after the transaction `counts` are read, loaded, quarantined, suppressed and vanished rows.
    """

    load_id: int
    overlapping: bool  # whether any landed row can meet one that is already in raw
    any_erased: bool  # whether anybody was ever erased
    expired_before: datetime | None  # rows from before then were dropped, and stay so
    repeats: bool = False  # whether a key is in the slice more than once, where that decides

    def __init__(self, dialect: Dialect, load: Load, raw: Relation, staged: Mapping[str, str]):
        self.dialect, self.load = dialect, load
        self.source, self.table = load.source, load.table
        self.from_files = load.source.identity(load.table) == "file"
        self.types = raw.columns
        self.key = raw.key
        self.raw = dialect.name(raw.schema, raw.name)
        self.staged = staged
        bookkeeping = ("_load_id", "_extracted_at", "_deleted_at")
        self.landed = [name for name in raw.columns if name not in bookkeeping]
        self.content = [name for name in self.landed if name not in ("_file", "_line")]
        self.mine = f"source = '{self.source.source}' and table_name = '{self.table.name}'"

    @property
    def question(self) -> str:
        if self.from_files:
            # asked of the ledger, so that a day's new files cost the same however long the history
            met = f"select 1 from raw_ledger.files where {self.mine} and {self._of_these_files()}"
        else:
            met = f"select 1 from {self.raw}"
        erased = "exists (select 1 from raw_ledger.erased_people)"
        expired = f"(select max(cutoff_at) from raw_ledger.expiries where {self.mine})"
        return f"select {self._last_load_id} + 1, exists ({met}), {erased}, {expired}"

    @property
    def repetition(self) -> str | None:
        """A second question, where its answer saves copying all rows: does a key come twice?"""
        if self.overlapping or self.source.identity(self.table) != "key":
            return None
        key = self._column(self.key[0]) if len(self.key) == 1 else "_key"
        landed = self.staged["landed"]
        return f"select count(*) > count(distinct {key}) from {landed} where _reason is null"

    @property
    def counts(self) -> str:
        counts = "read_count, loaded_count, quarantined_count, suppressed_count, vanished_count"
        return f"select {counts} from raw_ledger.loads where load_id = {self.load_id}"

    def statements(self) -> list[str]:
        return [
            *self.dialect.assertion(
                f"{self._last_load_id} = {self.load_id} - 1", "another load ran at the same time"
            ),
            *self._decide(),
            *self._replace(),
            self._insert(),
            *self._mark_vanished(),
            *self._quarantine(),
            *self._keep_out_erased(),
            *self._remember(),
            *self._write_ledger(),
            *self.dialect.dropped([*["incoming"] * self._decides, "rejected", *self._gone]),
        ]

    # -- words -----------------------------------------------------------------------------------

    _last_load_id = "(select coalesce(max(load_id), 0) from raw_ledger.loads)"

    def _column(self, name: str, of: str = "") -> str:
        return f"{of}.{self.dialect.quote(name)}" if of else self.dialect.quote(name)

    def _columns(self, names: Iterable[str], of: str = "") -> str:
        return ", ".join(self._column(name, of) for name in names)

    def _typed(self, name: str) -> str:
        """A staged column in raw's type: not each engine reads that from the file."""
        column = self._column(name)
        return f"cast({column} as {self.dialect.types[self.types[name]]}) as {column}"

    def _matches(self, left: str, right: str) -> str:
        return " and ".join(
            f"{self._column(name, left)} = {self._column(name, right)}" for name in self.key
        )

    def _of_these_files(self, column: str = "file") -> str:
        return f"{column} in (select name from {self.staged['landed_files']})"

    def _whole(self, of: str = "") -> str:
        """Condition for rows of files that did not break while they were read."""
        if not self.from_files:
            return "true"
        broken = f"select name from {self.staged['landed_files']} where error is not null"
        return f"{self._column('_file', of)} not in ({broken})"

    def _present(self) -> str:
        """The row of each key as raw knows it now (with history: its newest version)."""
        scope = f"where {self._of_these_files('_file')}" if self.from_files else ""
        if self.table.history:
            return (
                f"select * from (select *, row_number() over (partition by"
                f" {self._columns(self.key)} order by _load_id desc) as _age"
                f" from {self.raw} {scope}) as v where _age = 1"
            )
        # an earlier content of a file may have left rows marked as gone under the same key
        live = "and _deleted_at is null" if self.from_files else ""
        return f"select * from {self.raw} {scope} {live}"

    # -- steps -----------------------------------------------------------------------------------

    @property
    def _decides(self) -> bool:
        """Whether there is anything to decide: else each accepted row is new."""
        erases = self.any_erased and bool(self.table.owners)
        return self.overlapping or self.repeats or erases or self._expires

    @property
    def _expires(self) -> bool:
        return self.table.keep is not None and self.expired_before is not None

    @property
    def _incoming(self) -> str:
        """The accepted rows and what becomes of them."""
        return "incoming" if self._decides else f"({self._accepted()}) as incoming"

    def _accepted(self, more: str = "'new' as _decision") -> str:
        typed = ", ".join(map(self._typed, self.landed))
        if self.any_erased:
            for name in mentions(self.table):
                column, erased = self._column(name), "select token from raw_ledger.erased_people"
                named = f"case when {column} not in ({erased}) then {column} end as {column}"
                typed = typed.replace(self._typed(name), named)
        where = f"_reason is null and {self._whole()}"
        return f"select {typed}, _key, {more} from {self.staged['landed']} where {where}"

    def _decide(self) -> list[str]:
        """What becomes of each accepted row: new, changed, suppressed, erased or expired."""
        if not self._decides:
            return []
        cursor = self.table.cursor
        copy = "1"
        if self.source.identity(self.table) == "key":
            # a database doesn't always enforce a key; of a tap's versions the last one counts
            order = [f"{self._column(cursor)} desc nulls last"] * bool(cursor)
            order += ["_line desc"] * (self.source.reader == "singer")
            ordered = f" order by {', '.join(order)}" if order else ""
            copy = f"row_number() over (partition by {self._columns(self.key)}{ordered})"
        found, decision, met = "", "'new'", ""
        if self.overlapping:
            same = " and ".join(
                f"{self._column(name, 'b')} is not distinct from {self._column(name, 'r')}"
                for name in self.content
            )
            older = f"{self._column(cursor, 'r')} > {self._column(cursor, 'b')}" if cursor else ""
            found = ", r._load_id as _replaced_id"
            if self.table.partition:
                found += f", {self._column(self.table.partition, 'r')} as _replaced_at"
            decision = f"""
                case
                    when r._load_id is null then 'new'
                    when r._deleted_at is null and {same} then 'suppressed'
                    when {older or "false"} then 'suppressed'
                    else 'changed'
                end"""
            met = f"left join ({self._present()}) as r on {self._matches('b', 'r')}"
        first = "when b._copy > 1 then 'suppressed'"
        if self._expires:
            is_past = past(self.dialect, self.table, self.expired_before, "b")
            first += f" when {is_past} then 'expired'"
        if self.any_erased and self.table.owners:
            owned = belongs_to_erased(self.dialect, self.source, self.table, "b", self.types)
            first += f" when {owned} then 'erased'"
        return [
            f"""
            create temp table incoming as
            select
                {self._columns(self.landed, "b")}, b._key{found},
                case {first} else {decision} end as _decision
            from ({self._accepted(f"{copy} as _copy")}) as b {met}"""
        ]

    def _replace(self) -> list[str]:
        """Takes out the rows that changed ones replace (with history they stay)."""
        if not self.overlapping or self.table.history:
            return []
        return [
            self._note_moves("replaced", "_replaced_id", "incoming where _decision = 'changed'"),
            f"merge into {self.raw} as r"
            " using (select * from incoming where _decision = 'changed') as b"
            f" on {self._matches('b', 'r')}{' and r._deleted_at is null' * self.from_files}"
            " when matched then delete",
        ]

    def _insert(self) -> str:
        names = self._columns(self.landed)
        return (
            f"insert into {self.raw} ({names}, _load_id, _extracted_at)"
            f" select {names}, {self.load_id}, {instant(self.load.extracted_at)}"
            f" from {self._incoming} where {_LANDS}"
        )

    @property
    def _gone(self) -> list[str]:
        """The table of rows that vanished, where this load can find any."""
        compared = self.load.complete or self.load.keys is not None
        return ["gone"] if (self.overlapping if self.from_files else compared) else []

    def _mark_vanished(self) -> list[str]:
        """Marks live rows that the source no longer has."""
        if not self._gone:
            return []
        there = self.staged["landed_keys" if self.load.keys is not None else "landed"]
        # rejected rows carry their key too: a rejected row has not vanished; in a file they stand
        # where another row stood
        there_now = "_reason is null and " * self.from_files
        typed = ", ".join(map(self._typed, self.key))
        names = [*self.key, "_load_id", *([self.table.partition] if self.table.partition else [])]
        return [
            f"create temp table gone as select {self._columns(dict.fromkeys(names), 'r')}"
            f" from ({self._present()}) as r left join (select {typed} from {there}"
            f" where {there_now}{self._whole()}) as b on {self._matches('b', 'r')}"
            f" where b.{self.dialect.quote(self.key[0])} is null"
            # a file that came broken says nothing of the rows that it had
            f" and r._deleted_at is null and r._load_id <> {self.load_id} and {self._whole('r')}",
            self._note_moves("deleted", "_load_id", "gone"),
            f"merge into {self.raw} as r using gone as g"
            f" on {self._matches('g', 'r')} and g._load_id = r._load_id and r._deleted_at is null"
            f" when matched then update set _deleted_at = {instant(self.load.extracted_at)},"
            f" _load_id = {self.load_id}",
        ]

    def _note_moves(self, kind: str, load_id: str, rows: str) -> str:
        return (
            "insert into raw_ledger.moves"
            " (load_id, from_load_id, source, table_name, kind, row_count)"
            f" select {self.load_id}, {load_id}, '{self.source.source}', '{self.table.name}',"
            f" '{kind}', count(*) from {rows} group by {load_id}"
        )

    def _quarantine(self) -> list[str]:
        """Moves rejected rows into quarantine, except those that are there already."""
        text = self.dialect.types["string"]
        line, broken = "cast(null as {})".format(self.dialect.types["bigint"]), ""
        if self.from_files:
            # the files are read whole again, so what they still reject comes back below
            settled = self._of_these_files()
            broken = (
                f" union all select name, {line}, cast(null as {text}), error,"
                f" cast(null as {text}) from {self.staged['landed_files']} where error is not null"
            )
        else:
            settled = f"row_key in (select _key from {self._incoming})"
        file = "_file" if self.from_files else f"cast(null as {text})"
        if self.from_files or self.source.reader == "singer":
            line = "_line"
        # two rows alike are two rows, hence the number
        identity = self.dialect.digest(
            f"'{self.source.source}|{self.table.name}|' || coalesce(file, '')"
            f" || '|' || cast(coalesce(line, 0) as {text}) || coalesce('|' || row_key, '')"
            f" || '|' || reason || coalesce('|' || masked_row, '') || '|' || cast(row_number()"
            f" over (partition by file, line, row_key, reason, masked_row) as {text})"
        )
        names = "file, line, row_key, reason, masked_row"
        return [
            f"delete from raw_ledger.quarantine where {self.mine} and {settled}",
            f"create temp table rejected as select {identity} as quarantine_id, {names} from ("
            f" select {file} as file, {line} as line, _key as row_key, _reason as reason,"
            f" _row as masked_row from {self.staged['landed']}"
            f" where _reason is not null and {self._whole()}{broken}) as r",
            "insert into raw_ledger.quarantine"
            f" (quarantine_id, source, table_name, load_id, {names}, quarantined_at)"
            f" select n.quarantine_id, '{self.source.source}', '{self.table.name}', {self.load_id},"
            f" {self._columns(names.split(', '), 'n')}, {instant(self.load.extracted_at)}"
            " from rejected as n"
            " left join raw_ledger.quarantine as q on q.quarantine_id = n.quarantine_id"
            " where q.quarantine_id is null",
        ]

    def _keep_out_erased(self) -> list[str]:
        """Whoever was erased stays so: their rows' keys are noted, their rejected rows go."""
        if not (self.any_erased and (self.table.owners or self.table.has_pseudonyms)):
            return []
        if not self.table.owners:
            return unname_rejected()
        at = self.load.extracted_at
        statements = keep_out_rejected(self.source, self.table, "rejected", at) + unname_rejected()
        if self.source.identity(self.table) == "key":
            rows = "(select distinct _key as row_key from incoming where _decision = 'erased')"
            statements.append(note_erased_rows(self.source, self.table, rows, at))
        return statements

    def _remember(self) -> list[str]:
        """The cursor, the files and the days, for the next run and the models."""
        mine = f"'{self.source.source}', '{self.table.name}'"
        statements = []
        if self.load.cursor_at is not None:
            statements += [
                f"delete from raw_ledger.cursors where {self.mine}",
                "insert into raw_ledger.cursors (source, table_name, cursor_at)"
                f" values ({mine}, {instant(self.load.cursor_at)})",
            ]
        if self.load.state is not None:
            statements += [
                f"delete from raw_ledger.states where {self.mine}",
                "insert into raw_ledger.states (source, table_name, state)"
                f" select {mine}, state from {self.staged['landed_state']}",
            ]
        if self.from_files:
            # a broken file too: it is read again once its content changes, or by a replay
            names = "digest, size, modified"
            statements += [
                f"delete from raw_ledger.files where {self.mine} and {self._of_these_files()}",
                f"insert into raw_ledger.files (source, table_name, file, {names}, load_id)"
                f" select {mine}, name, {names}, {self.load_id} from {self.staged['landed_files']}",
            ]
        if self.table.partition:
            at = self._column(self.table.partition)
            touched = [f"select {at} as touched_at from {self._incoming} where {_LANDS}"]
            if self.overlapping:
                touched.append("select _replaced_at from incoming where _decision = 'changed'")
            touched += [f"select {at} from {name}" for name in self._gone]
            days = f"select {self.dialect.korean_day('touched_at')} as day"
            rows = f"({' union all '.join(touched)}) as t where touched_at is not null"
            statements.append(
                "insert into raw_ledger.days (load_id, source, table_name, day, row_count)"
                f" select {self.load_id}, {mine}, day, count(*) from ({days} from {rows}) as d"
                " group by day"
            )
        return statements

    def _write_ledger(self) -> list[str]:
        """Rows read are counted in the landing, so that the sum proves something."""
        broken = ""
        if self.from_files:
            broken = f" + (select count(error) from {self.staged['landed_files']})"
        vanished = "(select count(*) from gone)" if self._gone else "0"
        names = "read_count, loaded_count, quarantined_count, suppressed_count, vanished_count"
        return [
            "insert into raw_ledger.loads"
            f" (load_id, run_id, source, table_name, extracted_at, {names}, checksum)"
            f" select {self.load_id}, '{self.load.run_id}', '{self.source.source}',"
            f" '{self.table.name}', {instant(self.load.extracted_at)}, read_count, loaded_count,"
            " quarantined_count, suppressed_count + rejected_count - quarantined_count,"
            f" vanished_count, '{self.load.landing.checksum}' from (select"
            f" (select count(*) from {self.staged['landed']} where {self._whole()}){broken}"
            " as read_count,"
            f" (select count(*) from {self._incoming} where {_LANDS}) as loaded_count,"
            f" (select count(*) from {self._incoming} where not ({_LANDS}))"
            " as suppressed_count,"
            " (select count(*) from rejected) as rejected_count,"
            f" (select count(*) from raw_ledger.quarantine where load_id = {self.load_id})"
            f" as quarantined_count, {vanished} as vanished_count) as c",
            *self.dialect.assertion(
                "(select read_count = loaded_count + quarantined_count + suppressed_count"
                f" from raw_ledger.loads where load_id = {self.load_id})",
                "the rows of a load don't add up",
            ),
        ]
