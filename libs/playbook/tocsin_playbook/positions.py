"""Where the values of a document stand in its text, to the character where that can be told."""

from __future__ import annotations

from tocsin_playbook.document import Mapping, Node, Scalar, Sequence
from tocsin_playbook.problems import Path, Position


class Positions:
    """Where the values of a document stand in its text."""

    def __init__(self, root: Node, text: str) -> None:
        self._root = root
        self._lines = text.split("\n")

    def find(self, path: Path) -> tuple[Node, Position, Path]:
        """The deepest value on the way, the position of its key (or itself), and the way to it.

        Parts of the way that are not in the document (pydantic names the members of unions) are skipped.
        """
        node, key = self._root, self._root.start
        walked: list[str | int] = []
        for part in path:
            if isinstance(node, Mapping) and part in node.entries:
                key, node = node.entries[str(part)]
            elif isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
                node = node.items[part]
                key = node.start
            else:
                continue
            walked.append(part)
        return node, key, tuple(walked)

    def value(self, path: Path) -> Position:
        """Where the value stands."""
        return self.find(path)[0].start

    def key(self, path: Path) -> Position:
        """Where the value's key stands; in a list, the value itself."""
        return self.find(path)[1]

    def inside(self, path: Path, offset: int) -> Position:
        """Where the character at `offset` of a text stands; the text's beginning where that cannot be told."""
        node = self.find(path)[0]
        if not isinstance(node, Scalar):
            return node.start
        ordinal = sum(not character.isspace() for character in node.text[:offset])
        characters = self._written(node)
        if characters is None or ordinal >= len(characters):
            return characters[-1] if characters and ordinal == len(characters) else node.start
        return characters[ordinal]

    def _written(self, node: Scalar) -> list[Position] | None:
        """The positions of a scalar's visible characters, in order. None where escapes hide them."""
        lines, first, column = self._lines, node.start.line, node.start.column
        if node.style in ("|", ">"):
            first, column = first + 1, 1
        elif node.style is not None:
            column += 1
        positions: list[Position] = []
        wanted = [character for character in node.text if not character.isspace()]
        for number in range(first, min(node.end.line, len(lines)) + 1):
            line = lines[number - 1]
            begin = column - 1 if number == first else 0
            skip = False
            for index in range(begin, len(line)):
                if len(positions) == len(wanted):
                    return positions
                if skip or line[index].isspace():
                    skip = False
                    continue
                if line[index] != wanted[len(positions)]:
                    return None
                skip = node.style == "'" and line[index] == "'"
                positions.append(Position(number, index + 1))
        return positions if len(positions) == len(wanted) else None
