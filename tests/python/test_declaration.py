"""A source declaration is refused with file and line, or it is right."""

import pytest

from conftest import PROJECT, Lab
from extract_load import DeclarationError, read_sources

GOOD = """\
    source: shop
    description: A shop.
    reader: database
    connection: ${SHOP}
    tables:
      orders:
        description: One row is an order.
        key: [id]
        cursor: updated_at
        lag: 10m
        columns:
          id: bigint none
          phone: string pseudonym(phone)
          updated_at: timestamp none
"""


def mistake(lab: Lab, text: str) -> str:
    lab.declare(text)
    with pytest.raises(DeclarationError) as caught:
        read_sources(lab.sources)
    return str(caught.value)


def test_every_shipped_source_is_well_declared() -> None:
    sources = read_sources(PROJECT / "extract_load" / "sources")
    assert len(sources) >= 11
    assert all(
        column.privacy for s in sources.values() for t in s.tables.values() for column in t.columns
    )


def test_defaults_and_normalisation_are_read(lab: Lab) -> None:
    lab.declare(GOOD)
    table = read_sources(lab.sources)["shop"].tables["orders"]
    assert table.lag.total_seconds() == 600
    assert [column.normalise for column in table.columns] == ["text", "phone", "text"]


@pytest.mark.parametrize(
    ("line", "instead", "at", "says"),
    [
        ("lag: 10m", "lag: soon", 10, "no duration"),
        ("lag: 10m", "colour: red", 10, "unknown setting"),
        ("id: bigint none", "id: bigint", 12, "privacy class"),
        ("id: bigint none", "id: integer none", 12, "type"),
        ("id: bigint none", "id: bigint secret", 12, "privacy"),
        ("id: bigint none", "Id; drop table x: bigint none", 12, "name"),
        ("key: [id]", "key: [nix]", 8, "nix is not among"),
        ("cursor: updated_at", "cursor: updated", 9, "updated is not among"),
        ("description: One row is an order.", "key: [id]", 8, "twice"),
        ("reader: database", "reader: telepathy", 3, "reader"),
        ("connection: ${SHOP}", "root: ${SHOP}", 4, "needs connection"),
        ("id: bigint none", "id: !!python/object:os.system x", 12, "YAML tag"),
        ("lag: 10m", "optional: [nix]", 6, "nix is not among"),
        ("lag: 10m", "optional: [id]", 6, "optional belongs to reader files"),
    ],
)
def test_a_mistake_names_file_and_line(
    lab: Lab, line: str, instead: str, at: int, says: str
) -> None:
    text = mistake(lab, GOOD.replace(line, instead))
    assert "shop.yml:" in text
    assert says in text
    # a whole-table rule points at the table, anything else at its own line
    lines = {int(part.split(":")[1]) for part in text.splitlines()}
    assert (
        at in lines or (says.endswith("is not among") and 6 in lines) or says == "needs connection"
    )


def test_every_mistake_is_told_at_once(lab: Lab) -> None:
    text = mistake(
        lab, GOOD.replace("lag: 10m", "lag: soon").replace("reader: database", "reader: x")
    )
    assert len(text.splitlines()) >= 2


def test_a_missing_environment_variable_names_file_line_and_variable(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lab.declare(GOOD)
    monkeypatch.delenv("SHOP")
    with pytest.raises(DeclarationError) as caught:
        read_sources(lab.sources)["shop"].place()
    assert str(caught.value).startswith(f"{file}:4: environment variable SHOP is not set")


def test_a_path_must_stay_inside_the_root(lab: Lab) -> None:
    for path in ("../x.csv", "/etc/*.csv"):
        text = mistake(
            lab,
            f"""
            source: shop
            description: Files.
            reader: files
            root: ${{FILES}}
            tables:
              orders:
                description: One row is an order.
                path: "{path}"
                columns: {{id: bigint none}}
            """,
        )
        assert "leaves the source's root" in text
