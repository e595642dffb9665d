"""Numbers of JSON as they are written, where DuckDB's JSON would round or rewrite them.

It knows fractions and powers as doubles only, and no -0. So the numbers of a line that has such a
one are made texts between marks before it is taken apart, and the marks are taken off again.
"""

import secrets

import pyarrow as pa
import pyarrow.compute as pc

# Also matches some that would stay as they are, and texts that look alike: these only cost time.
INEXACT = r"[:\[,]\s*(?:-0[,\]}\s]|-?(?:[0-9]+\.[0-9]+0[,\]}\s]|[0-9.]{16,}|[0-9.]+[eE]))"
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_TOKEN = rf'("(?:[^"\\]|\\.)*")|({_NUMBER})'
# no text of a source can hold it by chance
_OPEN, _CLOSE = (f"number-{secrets.token_hex(8)}:" for _ in range(2))
# the marks come after texts too, for a replacement can't choose, and are taken away again
_CLEAN = ((_OPEN + _CLOSE, ""), (_OPEN, f'"{_OPEN}'), (_CLOSE, f'{_CLOSE}"'))


def marked(text: str) -> str:
    """SQL for a JSON text (SQL) whose numbers are marked texts."""
    token = _TOKEN.replace("'", "''")
    text = f"regexp_replace({text}, '{token}', '\\1{_OPEN}\\2{_CLOSE}', 'g')"
    for before, after in _CLEAN:
        text = f"replace({text}, '{before}', '{after}')"
    return text


def unmarked(text: str) -> str:
    """SQL for an extracted text with its numbers as the source wrote them."""
    return f"""regexp_replace({text}, '"?{_OPEN}([^:]*){_CLOSE}"?', '\\1', 'g')"""


def with_marks(lines: pa.Array) -> pa.Array:
    """JSON texts, those at risk with their numbers marked; the same array where none is."""
    risky = pc.match_substring_regex(lines, INEXACT)
    if not pc.any(risky).as_py():
        return lines
    texts = pc.replace_substring_regex(lines.filter(risky), _TOKEN, rf"\1{_OPEN}\2{_CLOSE}")
    for before, after in _CLEAN:
        texts = pc.replace_substring(texts, before, after)
    return pc.replace_with_mask(lines, risky, texts)
