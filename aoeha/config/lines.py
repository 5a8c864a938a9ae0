"""The line of each key in a TOML text. tomllib reports lines for syntax errors only.

The text must be one that tomllib has accepted, so the scanner need not refuse anything. Keys within inline tables
and arrays are reported at the line where their top-level key begins.
"""

import bisect
import re
import tomllib

from aoeha.config.findings import KeyPath

__all__ = ["LineIndex"]

_KEY = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL)


class LineIndex:
    """Maps a path of keys to its line, or to the line of the nearest table around it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        self._scan()

    def line(self, path: KeyPath) -> int:
        """Return the line of this key, counted from 1, or that of the nearest table around it, or 0 without one."""
        for length in range(len(path), 0, -1):
            found = self._lines.get(path[:length])
            if found is not None:
                return found
        return 0

    def _scan(self) -> None:
        text, position, table = self._text, 0, ()
        current: KeyPath = table
        while position < len(text):
            character = text[position]
            if character in " \t\r\n":
                position += 1
            elif character == "#":
                position = self._line_end(position)
            elif character == "[":
                position, current = self._header(position)
            else:
                line = self._line_of(position)
                keys, position = self._keys(position)
                path = current
                for key in keys:
                    path = (*path, key)
                    self._lines.setdefault(path, line)
                position = self._skip_value(position)

    def _header(self, position: int) -> tuple[int, KeyPath]:
        is_array = self._text.startswith("[[", position)
        line = self._line_of(position)
        keys, after = self._keys(position + (2 if is_array else 1))
        path: KeyPath = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            is_last = number == len(keys) - 1
            if is_last and is_array:
                self._lines.setdefault(path, line)
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
            self._lines.setdefault(path, line)
        return self._line_end(after), path

    def _keys(self, position: int) -> tuple[list[str], int]:
        keys: list[str] = []
        while True:
            while self._text[position] in " \t.":
                position += 1
            match = _KEY.match(self._text, position)
            if match is None:
                return keys, position
            word = match[0]
            keys.append(str(tomllib.loads(f"v = {word}")["v"]) if word[0] in "\"'" else word)
            position = match.end()

    def _skip_value(self, position: int) -> int:
        depth = 0
        while position < len(self._text):
            character = self._text[position]
            if character in "\"'":
                match = _STRING.match(self._text, position)
                position = match.end() if match else position + 1
                continue
            if character == "#":
                position = self._line_end(position)
                continue
            if character in "[{":
                depth += 1
            elif character in "]}":
                depth -= 1
            elif character == "\n" and depth == 0:
                return position
            position += 1
        return position

    def _line_end(self, position: int) -> int:
        end = self._text.find("\n", position)
        return len(self._text) if end < 0 else end

    def _line_of(self, position: int) -> int:
        return bisect.bisect_left(self._newlines, position) + 1
