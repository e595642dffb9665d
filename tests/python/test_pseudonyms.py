"""Pseudonyms are keyed hashes; resident numbers are found, and order numbers are not."""

import hashlib
import hmac
import re
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import KEY
from extract_load.declaration import Column
from extract_load.loader.pseudonyms import (
    MissingKeyError,
    PseudonymKey,
    has_resident_number,
    masked,
    token,
    without_contacts,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        KEY.install(connection)
        yield connection


def evaluate(connection: duckdb.DuckDBPyConnection, expression: str, value: object) -> object:
    ((result,),) = connection.execute(
        f"select {expression} from (select $1 as v)", [value]
    ).fetchall()
    return result


def expected(text: str) -> str:
    return hmac.new(KEY.secret, text.encode(), "sha256").hexdigest()


def column(normalise: str = "text") -> Column:
    return Column(name="v", type="string", privacy="pseudonym", normalise=normalise)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_token_is_the_standard_hmac(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    if text.strip() == text:
        assert evaluate(connection, token(column(), "v"), f" {text} ") == expected(text)


def test_a_long_key_is_hashed_first_as_the_standard_says() -> None:
    key = PseudonymKey(b"k" * 100)
    with duckdb.connect(":memory:") as connection:
        key.install(connection)
        token_of_a = evaluate(connection, token(column(), "v"), "a")
    assert token_of_a == hmac.new(key.secret, b"a", "sha256").hexdigest()


@pytest.mark.parametrize(
    "phone",
    ["010-1234-5678", "+82 10 1234 5678", "01012345678", "82-10-1234-5678", "010 1234 5678"],
)
def test_one_phone_in_any_shape_is_one_token(
    connection: duckdb.DuckDBPyConnection, phone: str
) -> None:
    assert evaluate(connection, token(column("phone"), "v"), phone) == expected("01012345678")


def test_an_address_in_any_case_is_one_token(connection: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(connection, token(column("email"), "v"), " A@B.example ") == expected("a@b.example")


@given(
    number=st.from_regex("1[016789]-?[0-9]{3,4}-?[0-9]{4}", fullmatch=True),
    start=st.sampled_from(["0", "+82", "82", "+82 ", "82-0", "+82-0", "(82) 0"]),
    between=st.sampled_from(["-", " ", ".", "", " - "]),
    blank=st.sampled_from(["", " "]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_all_ways_to_write_a_phone_are_one_token(
    connection: duckdb.DuckDBPyConnection, number: str, start: str, between: str, blank: str
) -> None:
    written = blank + start + number.replace("-", between) + blank
    plain = "0" + re.sub("[^0-9]", "", number)
    assert evaluate(connection, token(column("phone"), "v"), written) == expected(plain)


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_nothing_has_no_token(connection: duckdb.DuckDBPyConnection, nothing: object) -> None:
    assert evaluate(connection, token(column(), "cast(v as varchar)"), nothing) is None


def test_a_token_is_no_plain_hash_and_depends_on_the_key(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    mine = evaluate(connection, token(column(), "v"), "42")
    assert mine != hashlib.sha256(b"42").hexdigest()
    other = PseudonymKey(b"another key for tests, 32 bytes.")
    assert other.version != KEY.version
    with duckdb.connect(":memory:") as elsewhere:
        other.install(elsewhere)
        assert evaluate(elsewhere, token(column(), "v"), "42") != mine


def test_a_short_key_is_refused_and_a_key_never_shows() -> None:
    with pytest.raises(MissingKeyError):
        PseudonymKey(b"short")
    assert "a key for tests" not in repr(KEY)


# Invented numbers: valid in form only. The last digit of the bare ones is the check digit.
@pytest.mark.parametrize(
    "text",
    [
        "900101-1234567",
        "memo 900101 - 1234567 end",
        "９００１０１－１２３４５６７",
        '{"a": {"b": "900101-5234567"}}',
        "a 900101-1234567 b 910101-1234567",
        "9001011234568",
        "id=9001011234568&x=1",
        "2105053123456",  # issued after October 2020: no check digit
    ],
)
def test_a_resident_number_is_found(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert evaluate(connection, has_resident_number(["v"]), text) is True


@pytest.mark.parametrize(
    "text",
    [
        "1756425600000",  # an epoch in milliseconds
        "20260829123456789",  # an order number, longer
        "9001011234567",  # wrong check digit
        "901301-1234567",  # no such month
        "900101-9234567",  # no such kind
        "010-1234-5678",
        "",
    ],
)
def test_other_numbers_pass(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert evaluate(connection, has_resident_number(["v"]), text) is False


WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


@st.composite
def resident_numbers(draw: st.DrawFn) -> str:
    """Numbers that are valid in form, as they may be written; bare ones with their check digit."""
    day = draw(st.dates()).strftime("%m%d")
    digits = f"{draw(st.integers(0, 99)):02}{day}{draw(st.integers(1, 8))}"
    digits += f"{draw(st.integers(0, 99999)):05}"
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True))
    digits += str(((13 if digits[6] in "5678" else 11) - weighted % 11) % 10)
    between = draw(st.sampled_from(["", "-", " ", " - ", "–", "－"]))
    written = digits[:6] + between + digits[6:]
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    return written.translate(wide) if draw(st.booleans()) else written


# anything but a digit next to the number, which would make it another one
DIGITS = "0123456789０１２３４５６７８９"
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(before=AROUND, number=resident_numbers(), after=AROUND)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None
)
def test_a_resident_number_is_found_wherever_it_stands(
    connection: duckdb.DuckDBPyConnection, before: str, number: str, after: str
) -> None:
    text = before.rstrip(DIGITS) + number + after.lstrip(DIGITS)
    assert evaluate(connection, has_resident_number(["'x'", "v", "'y'"]), text) is True


# how many of a million numbers are taken for resident numbers; they stay in quarantine until seen
@pytest.mark.parametrize(
    ("number", "instants", "most"),
    [
        # epochs in milliseconds from 2020 to 2030: all of them, and beside their own instant
        ("1577836800000 + hash(i) % 315619200000", [], 3_500),
        ("1577836800000 + hash(i) % 315619200000", ["to_timestamp(cast(v as bigint) / 1e3)"], 0),
        # order numbers of thirteen digits, running or random
        ("2026082900000 + i", [], 0),
        ("1000000000000 + hash(i) % 9000000000000", [], 4_500),
        # longer and shorter ones
        ("20260829000000000 + i", [], 0),
        ("100000000000 + hash(i) % 900000000000", [], 0),
    ],
)
def test_few_other_numbers_are_taken_for_resident_numbers(
    connection: duckdb.DuckDBPyConnection, number: str, instants: list[str], most: int
) -> None:
    ((taken,),) = connection.execute(
        f"select count(*) from (select cast({number} as varchar) as v"
        f" from range(1000000) as r (i)) where {has_resident_number(['v'], instants)}"
    ).fetchall()
    assert taken <= most


def test_contacts_are_blotted_out_and_long_numbers_are_not(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    text = "call 010-1234-5678 010.1111.2222 or a.b@c.example, order 8210123456789012, at 1756425600000"
    assert evaluate(connection, without_contacts("v"), text) == (
        "call [phone] [phone] or [e-mail], order 8210123456789012, at 1756425600000"
    )


def test_a_rejected_row_shows_no_resident_number(connection: duckdb.DuckDBPyConnection) -> None:
    shown = evaluate(connection, masked("v"), "900101-1234567 and 9001011234568")
    assert shown == "[resident number] and [resident number]"
