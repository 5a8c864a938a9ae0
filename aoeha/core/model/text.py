r"""The one door through which words from outside reach people.

What a device, an agent's program, a peer or a file says may hold escape codes that rewrite a terminal, line ends that
forge a line of a log, or marks that turn the reading direction. None of them passes: a character that is not printable
is shown as its escape, `\x1b` or `\u202e`.
"""


def shown(text: str) -> str:
    """Return the text with an escape in the place of each character that is not printable."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def one_line(text: str) -> str:
    """Return the text as one line, with single blanks in the place of line ends and tabs."""
    return shown(" ".join(text.split()))
