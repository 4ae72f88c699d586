"""A line as words with their places: blanks separate, double quotes keep blanks, [ and ] stand alone.

Inside quotes a backslash takes the next character as it is (the same rules as data/schema/tokens.py, which
reads files of set lines; here a line may be unfinished, have pipes and end in a comment). The places serve
the caret of a syntax error, completion and the splitting at pipes.
"""

from __future__ import annotations

from dataclasses import dataclass

PIPE = "|"
ALONE = "[]|"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its text without quotes, and where it starts and ends in the line (columns from 0)."""

    text: str
    start: int
    end: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """The words of a line. `open_quote`: the last one lacks its closing quote. `fresh`: the line ends between words."""

    text: str
    words: tuple[Word, ...]
    open_quote: bool
    fresh: bool


def lex(text: str) -> Line:
    """Split a line into words; an unquoted | is a word of its own, a # at the start of a word begins a comment."""
    words: list[Word] = []
    at, size = 0, len(text)
    open_quote = False
    while at < size:
        character = text[at]
        if character in " \t\r\n":
            at += 1
            continue
        if character == "#":
            break
        start = at
        if character in ALONE:
            words.append(Word(character, at, at + 1))
            at += 1
            continue
        parts: list[str] = []
        quoted = False
        while at < size:
            character = text[at]
            if character == '"':
                open_quote = not open_quote
                quoted = True
                at += 1
            elif open_quote and character == "\\" and at + 1 < size:
                parts.append(text[at + 1])
                at += 2
            elif not open_quote and (character in " \t\r\n" or character in ALONE):
                break
            else:
                parts.append(character)
                at += 1
        words.append(Word("".join(parts), start, at, quoted))
    fresh = not open_quote and (not words or words[-1].end < size or (words[-1].text in ALONE and not words[-1].quoted))
    return Line(text, tuple(words), open_quote, fresh)


def split_pipes(words: tuple[Word, ...]) -> list[tuple[Word, ...]]:
    """The command's words, then those of each pipe."""
    parts: list[list[Word]] = [[]]
    for word in words:
        if word.text == PIPE and not word.quoted:
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts]
