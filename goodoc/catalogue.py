"""The privacy catalogue: a page, made from the declarations alone, of every column that comes in or
goes out, its class, where it goes, who may read it, how long it is kept; and who read what."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from extract_load import Source
from extract_load.loader.postgres_warehouse import READER, RESTRICTED_READER
from extract_load.loader.warehouse import WarehouseError
from goodoc.build import parse
from goodoc.privacy import (
    is_restricted,
    is_to_the_hour,
    privacy,
    published_columns,
    published_schema,
    smallest_cells,
)
from goodoc.settings import NoWarehouseError, Settings

# class: what it is called, and what becomes of a value at landing
LANDING = {
    "pseudonym": ("가명 (pseudonym)", "HMAC-SHA-256 가명"),
    "sensitive": ("민감 (sensitive)", "그대로"),
    "birth_year": ("출생연도 (birth_year)", "연도만"),
    "quasi": ("준식별 (quasi)", "그대로"),
    "free_text": ("자유 글 (free_text)", "연락처·주민등록번호를 지우고, 모델로는 안 감"),
    "drop": ("버림 (drop)", "저장하지 않음"),
    "none": ("일반 (none)", "그대로"),
}
_ACCESSES = 200
_STYLE = """
body { font: 14px/1.5 "Noto Sans KR", "Malgun Gothic", sans-serif; margin: 2rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 2px solid #245; }
table { border-collapse: collapse; width: 100%; }
td:last-child { font-size: .85em; white-space: normal; }
nav { margin: 1rem 0; } nav a { margin-right: 1rem; }
th, td { border: 1px solid #ccd; padding: .2rem .5rem; text-align: left; vertical-align: top;
    white-space: nowrap; }
th { background: #eef2f6; position: sticky; top: 0; }
td.drop, td.pseudonym { background: #e8f4e8; } td.sensitive, td.free_text { background: #fbeaea; }
td.quasi, td.birth_year { background: #fdf6e3; }
dl { display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem; }
dt { font-weight: 600; }
@media print { th { position: static; } }
"""


@dataclass(frozen=True)
class Grid:
    """A table of the page; the class of each row's privacy column colours it."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def html(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.header)
        body = "".join(
            "<tr>" + "".join(self._cell(value) for value in row) + "</tr>\n" for row in self.rows
        )
        title = escape(self.title)
        return f'<h2 id="{title}">{title}</h2>\n<table><tr>{head}</tr>\n{body}</table>\n'

    @staticmethod
    def _cell(value: str) -> str:
        name = next((name for name, (text, _) in LANDING.items() if text == value), "")
        return f'<td class="{name}">{escape(value)}</td>' if name else f"<td>{escape(value)}</td>"


def write_catalogue(settings: Settings, sources: dict[str, Source]) -> Path:
    """Writes `<home>/privacy.html` anew and returns where it is."""
    manifest = parse(settings)
    grids = [
        arriving(sources, manifest),
        leaving(manifest),
        kept(sources, manifest),
        *recorded(settings),
    ]
    titles = [escape(grid.title) for grid in grids]
    links = "".join(f'<a href="#{title}">{title}</a>' for title in titles)
    page = (
        '<!doctype html><html lang="ko"><meta charset="utf-8">'
        f"<title>개인정보 목록</title><style>{_STYLE}</style>\n"
        f"<h1>개인정보 목록 (privacy catalogue)</h1>\n{_summary(sources, manifest)}"
        f"<nav>{links}</nav>\n"
        f"{''.join(grid.html() for grid in grids)}</html>\n"
    )
    file = settings.home / "privacy.html"
    part = file.with_suffix(".new")
    part.write_text(page, encoding="utf-8")
    part.replace(file)
    return file


def _marts(manifest: Manifest) -> list[ModelNode]:
    models = (node for node in manifest.nodes.values() if node.resource_type == "model")
    return sorted(
        (node for node in models if "marts" in node.fqn), key=lambda n: (n.schema, n.name)
    )


def _summary(sources: dict[str, Source], manifest: Manifest) -> str:
    classes = Counter(
        column.privacy
        for source in sources.values()
        for table in source.tables.values()
        for column in table.columns
    )
    marts = _marts(manifest)
    facts = {
        "원천 열 (source columns)": ", ".join(
            f"{LANDING[name][0]} {count:,}" for name, count in classes.most_common()
        ),
        "제한 마트 (restricted)": ", ".join(mart.name for mart in marts if is_restricted(mart)),
        "작은 칸 (smallest cell)": ", ".join(
            f"{ {'inside': '사내', 'outside': '사외'}[audience] } {people}명"
            for audience, people in smallest_cells().items()
        ),
    }
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items()
    )
    return f"<dl>{items}</dl>\n"


def arriving(sources: dict[str, Source], manifest: Manifest) -> Grid:
    """Every column of every source, those that tell of people first, and the marts that their table
    reaches."""
    reached = _reached(manifest)
    stays = ("drop", "free_text")
    columns = sorted(
        (
            (column, source, table)
            for source in sources.values()
            for table in source.tables.values()
            for column in table.columns
        ),
        # stable, so that each class stands as it is declared
        key=lambda each: list(LANDING).index(each[0].privacy),
    )
    rows = [
        (
            source.source,
            table.name,
            column.name,
            *LANDING[column.privacy],
            "없음" if column.privacy in stays
            # of columns that tell of nobody the table's row below is enough
            else "" if column.privacy == "none"
            else ", ".join(reached.get((source.schema_name, table.name), [])),
        )
        for column, source, table in columns
    ]  # fmt: skip
    header = ("원천", "표", "열", "등급", "적재할 때", "표가 가는 마트")
    return Grid("들어오는 열", header, rows)


def _reached(manifest: Manifest) -> dict[tuple[str, str], list[str]]:
    """The marts that are made from a raw table, through however many models."""
    marts = {node.unique_id: node.name for node in _marts(manifest)}
    manifest.build_parent_and_child_maps()
    children = manifest.child_map
    found = {}
    for key, source in manifest.sources.items():
        seen, ahead = set(), [key]
        while ahead:
            node = ahead.pop()
            if node not in seen:
                seen.add(node)
                ahead += [child for child in children.get(node, []) if child.startswith("model.")]
        found[source.schema, source.name] = sorted(marts[node] for node in seen & marts.keys())
    return found


def leaving(manifest: Manifest) -> Grid:
    """Every column of every mart, and who may read it on each engine."""
    rows = []
    for mart in _marts(manifest):
        published = {column.name for column in published_columns(mart)}
        schema = published_schema(mart)
        folder = "published/restricted" if is_restricted(mart) else "published"
        role = RESTRICTED_READER if is_restricted(mart) else READER
        for column in mart.columns.values():
            notes = ["시각은 시 단위"] * is_to_the_hour(column)
            if "smallest_cell" in mart.meta and privacy(column) == "sensitive":
                notes.append("작은 칸은 숨김")
            told = column.name in published
            rows.append(
                (
                    mart.schema,
                    mart.name,
                    column.name,
                    LANDING[privacy(column)][0],
                    f"{folder}/marts.duckdb · published_{schema}"
                    if told
                    else "창고 밖으로 안 나감",
                    role if told else "",
                    ", ".join(notes),
                )
            )
    header = (
        "마트",
        "모델",
        "열",
        "등급",
        "어디에 (DuckDB · Postgres, BigQuery)",
        "읽는 역할",
        "비고",
    )
    return Grid("나가는 열", header, rows)


def kept(sources: dict[str, Source], manifest: Manifest) -> Grid:
    """How long the rows of each table are kept, because of what, and the marts that it reaches."""
    reached = _reached(manifest)
    rows = [
        (
            source.source,
            table.name,
            f"{table.keep.days:,}일" if table.keep else "기한 없음",
            table.keep.by if table.keep else "",
            table.keep.because if table.keep else "",
            _erasure(table),
            ", ".join(reached.get((source.schema_name, table.name), [])),
        )
        for source, table in sorted(
            ((source, table) for source in sources.values() for table in source.tables.values()),
            # people's rows first
            key=lambda pair: not pair[1].erase_by,
        )
    ]
    header = ("원천", "표", "보관 기간", "기준 열", "근거", "삭제 요청 때", "표가 가는 마트")
    return Grid("보관과 파기", header, rows)


def _erasure(table: Any) -> str:
    if not table.erase_by:
        return "이름만 지움" if table.has_pseudonyms else "사람의 행이 아님"
    return "행을 지움" if table.owners else "행은 남기고 이름만 지움"


def recorded(settings: Settings) -> Iterable[Grid]:
    """Who read which restricted mart how often, and the newest records of access."""
    read = (
        "select command, actor, count(*), max(happened_at) from raw_ledger.access_log"
        " where command like 'goodoc extract %' and outcome = 'written'"
        " group by command, actor order by command, actor"
    )
    newest = (
        "select happened_at, actor, host, command, scope, outcome from raw_ledger.access_log"
        f" order by happened_at desc limit {_ACCESSES}"
    )
    try:
        with settings.open_warehouse(read_only=True) as warehouse:
            reads, accesses = warehouse.query(read), warehouse.query(newest)
    except (NoWarehouseError, WarehouseError):
        reads, accesses = [], []
    yield Grid(
        "제한 마트를 읽은 사람",
        ("명령", "누가", "횟수", "마지막 (UTC)"),
        [tuple(map(str, row)) for row in reads],
    )
    yield Grid(
        f"접근 기록 (최근 {_ACCESSES}건)",
        ("언제 (UTC)", "누가", "어디서", "무엇을", "대상과 이유", "결과"),
        [tuple(map(str, row)) for row in accesses],
    )
