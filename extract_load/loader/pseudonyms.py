"""Keyed pseudonyms and the search for resident registration numbers, as DuckDB expressions.

A pseudonym is HMAC-SHA-256 (RFC 2104) of the normalised value, as 64 hex digits. A plain hash would
be no protection: all Korean mobile numbers are only 10^8 values.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from extract_load.declaration import Column

_BLOCK = 64

_DIGIT = "[0-9０-９]"
_BETWEEN = r"[-‐‑–—－\s]"
# 6 + 7 digits that stand alone, the date part valid; the separator may be missing
_DATE = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_SUSPECT = f"(?:^|[^0-9]){_DATE}{_BETWEEN}{{0,3}}[1-8][0-9]{{6}}(?:[^0-9]|$)"
# how far the clock of a row may be from the instants that it speaks of, in milliseconds
_SAME_TIME = 2 * 24 * 60 * 60 * 1000
_WIDE = "[０-９]"
# non-digits are doubled before this one, so that two neighbours don't share their boundary
_CANDIDATE = f"(?:^|[^0-9])({_DATE}{_BETWEEN}{{0,6}}[1-8][0-9]{{6}})(?:[^0-9]|$)"
_PHONE = r"(?:\+?82[-. ]?|0)1[016789][-. ]?[0-9]{3,4}[-. ]?[0-9]{4}"
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"


class MissingKeyError(Exception):
    """A source has direct identifiers and no pseudonym key is configured."""


@dataclass(frozen=True)
class PseudonymKey:
    """The secret behind the pseudonyms; at least 16 bytes, kept outside the warehouse."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise MissingKeyError("the pseudonym key is shorter than 16 bytes: use 32 random bytes")

    @property
    def version(self) -> str:
        """Names the key beside each token without revealing it."""
        return hashlib.sha256(b"key version" + self.secret).hexdigest()[:8]

    def _pad(self, byte: int) -> bytes:
        secret = self.secret
        if len(secret) > _BLOCK:
            secret = hashlib.sha256(secret).digest()
        return bytes(b ^ byte for b in secret.ljust(_BLOCK, b"\0"))

    def token(self, value: str) -> str:
        """The pseudonym of one value whose class is `pseudonym`, as `token` makes it in SQL."""
        return hmac.new(self.secret, value.strip(" ").encode(), hashlib.sha256).hexdigest()

    def install(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Puts the two HMAC pads into variables of an in-memory connection, never into SQL text."""
        connection.execute("set variable inner_pad = $1::blob", [self._pad(0x36)])
        connection.execute("set variable outer_pad = $1::blob", [self._pad(0x5C)])


def token(column: Column, value: str) -> str:
    """SQL for the pseudonym of `value` (SQL text); null stays null, and so does a blank value."""
    text = f"trim(cast({value} as varchar))"
    if column.normalise == "phone":
        digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
        text = f"regexp_replace({digits}, '^(82)0?([1-9])', '0\\2')"
    elif column.normalise == "email":
        text = f"lower({text})"
    hashed = (
        "sha256(getvariable('outer_pad')"
        f" || unhex(sha256(getvariable('inner_pad') || encode({text}))))"
    )
    return f"case when {text} <> '' then {hashed} end"


def without_contacts(value: str) -> str:
    """SQL for text whose phone numbers and e-mail addresses are blotted out."""
    blotted = value
    # twice: two numbers a single blank apart share their boundary
    for _ in range(2):
        blotted = f"regexp_replace({blotted}, '(^|[^0-9]){_PHONE}([^0-9]|$)', '\\1[phone]\\2', 'g')"
    # most texts have neither, and looking costs less than replacing
    blotted = f"case when regexp_matches({value}, '{_PHONE}') then {blotted} else {value} end"
    addressless = f"regexp_replace({blotted}, '{_EMAIL}', '[e-mail]', 'g')"
    return f"case when contains({value}, '@') then {addressless} else {blotted} end"


def without_resident_numbers(value: str) -> str:
    """SQL for text without whatever has the shape of a resident number."""
    number = f"{_DIGIT}{{6}}{_BETWEEN}{{0,3}}[1-8１-８]{_DIGIT}{{6}}"
    return f"regexp_replace({value}, '{number}', '[resident number]', 'g')"


def masked(value: str) -> str:
    """SQL for text of a rejected row, which no reader has to know as it was."""
    return without_contacts(without_resident_numbers(value))


def shape(value: str) -> str:
    """SQL for the mere shape of a text that can't be read: 9 a digit, x a letter, 가 a syllable."""
    for pattern, mark in (("[0-9]", "9"), ("[A-Za-z]", "x"), ("[가-힣]", "가")):
        value = f"regexp_replace({value}, '{pattern}', '{mark}', 'g')"
    return f"left({value}, 500)"


def has_resident_number(texts: list[str], instants: Sequence[str] = ()) -> str:
    """SQL that is true where one of `texts` (SQL) holds a resident number (주민등록번호).

    Written with a separator, a valid date part suffices. Thirteen digits in a row must also carry
    the check digit, or be of somebody born since October 2020, whose tail is random: so order
    numbers pass nearly always. Epochs in milliseconds do where they lie within two days of one of
    the row's own `instants` (SQL, UTC); others can look like a number of a child born since 2016.
    """
    # no number reaches over two texts: what stands between them separates no number's parts
    text = f"concat_ws(chr(31), {', '.join(texts)})"
    plain = f"translate({text}, '０１２３４５６７８９', '0123456789')"
    doubled = f"regexp_replace({plain}, '([^0-9])', '\\1\\1', 'g')"
    digits = "regexp_replace(c, '[^0-9]', '', 'g')"
    weighted = (
        f"list_sum(list_transform(range(1, 13), lambda i:"
        f" cast({digits}[i] as integer) * [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5][i])) % 11"
    )
    base = f"case when {digits}[7] between '5' and '8' then 13 else 11 end"
    check_digit = f"({base} - {weighted}) % 10 = cast({digits}[13] as integer)"
    born = f"left({digits}, 4) between '2010' and strftime(current_date, '%y%m')"
    random_tail = f"({digits}[7] in ('3', '4', '7', '8') and {born})"
    bare = f"({check_digit} or {random_tail})"
    for instant in instants:
        away = f"abs(cast({digits} as bigint) - epoch_ms({instant}))"
        bare += f" and coalesce({away} > {_SAME_TIME}, true)"
    # two cheap looks at every row, the costly one at what they leave
    looks = [
        f"(strlen({each}) > 12 and (regexp_matches({each}, '{_SUSPECT}')"
        # only a text with more bytes than characters can have wide digits
        f" or (strlen({each}) > length({each}) and regexp_matches({each}, '{_WIDE}'))))"
        for each in texts
    ]
    return (
        f"case when {' or '.join(looks)}"
        f" then coalesce(list_bool_or(list_transform("
        f"regexp_extract_all({doubled}, '{_CANDIDATE}', 1),"
        f" lambda c: length(c) > 13 or ({bare}))), false)"
        " else false end"
    )
