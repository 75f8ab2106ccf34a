"""Cutting option texts at commas and colons that stand outside brackets and quotes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

_CLOSING = {"(": ")", "[": "]", "{": "}"}


class StudyError(ValueError):
    """A study that can't be run as asked: ``problem`` says why, ``hint`` what to write instead."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(f"{problem}; {hint}" if hint else problem)
        self.problem = problem
        self.hint = hint

    def __reduce__(self) -> tuple[type[StudyError], tuple[str, str]]:
        return StudyError, (self.problem, self.hint)


def split_outside(text: str, separator: str) -> list[str]:
    """The parts of ``text`` between separators outside ``()``, ``[]``, ``{}`` and quotes, stripped.

    Raises StudyError where a bracket or quote is left open or closes nothing.

    >>> split_outside("exponential(20 d), lognormal(45 min, 1.2)", ",")
    ['exponential(20 d)', 'lognormal(45 min, 1.2)']
    """
    parts, begin = [], 0
    for at in _outside(text):
        if text[at] == separator:
            parts.append(text[begin:at].strip())
            begin = at + 1
    return [*parts, text[begin:].strip()]


def _outside(text: str) -> Iterator[int]:
    """Indexes of the characters that are outside every bracket and quote."""
    open_: list[str] = []
    quote = ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSING:
            open_.append(_CLOSING[letter])
        elif letter in _CLOSING.values():
            if not open_ or open_.pop() != letter:
                raise StudyError(f"'{text}': '{letter}' at character {at + 1} closes nothing")
        elif not open_:
            yield at
    if quote or open_:
        raise StudyError(
            f"'{text}': '{quote or open_[-1]}' is missing", "quote the whole option for the shell"
        )


def near(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or some of them."""
    words = sorted(set(known))
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known: " + ", ".join(words[:12]) + (", ..." if len(words) > 12 else "") if words else ""
