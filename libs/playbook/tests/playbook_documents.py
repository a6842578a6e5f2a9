"""YAML texts of random data in random styles, mostly valid; ways to spoil them; what a reader makes of them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tocsin_playbook import PlaybookError
from tocsin_playbook.document import Node

WORDS = (
    "ada", "a b", "x-y", "-5", "3.5", "007", "true", "null", "~", "no", "on", "1e3", "12:30", "2026-01-05", "a:b",
    "http://127.0.0.1:80/p?q=1&r=2#top", "a#b", "a ? b", "a | b > c", "100%", "$x", "<<", "=", "(ä)", "größer", "日本",
    "🙂 ok", "e\u0301", "a * b & c", "x !y", "it's", "\xa0", "x" * 70,
)  # fmt: skip
FLOW_WORDS = tuple(word for word in WORDS if not set(word) & set("[]{},"))
QUOTED = (*WORDS, "", " ", " a", "- a", "a: b", "[x, y]", "{a", "# no comment", "a  b ", "*a", "---", '"', "'", "\\")
ESCAPES = (r"\n", r"\t", r"\"", r"\\", r"\/", r"\x41", r"\u00e9", r"\U0001F642", r"\0", r"\e", r"\N", r"\_", r"\ ")
TAILS = ("", "", "", " ", "   ", " # wörds: 🙂", " #", "\n", "\n  # a comment\n\n")
FRAGMENTS = (
    *"\"'{}[]:\n\t|>-&*!%@`#\\?~=(),. ", "\r\n", "\r", "\x85", "\u2028", "\ufeff", "\x00", "\ud800", "🙂", "é", ": ",
    "- ", "? ", " #", "\n\n", "\n  ", " \n", "|\n", "|#x\n", ">2-\n", "|+\n  \n", "&a ", "*a", "*a: ", "&a:", "<<: ",
    "!x ", "!!str ", "---\n", "\n---\n", "...\n", "\n...\n", "%YAML 1.1\n", '"a":b', "[a: b]", "{a, b}", ",,", "\\/",
    '"\\ud800"', '"\\\n"', "x" * 1020, "{? a: b}", "[:a]", "{a:}", "a:,",
)  # fmt: skip


def outcome(read: Callable[[str, str], Node], text: str) -> list[str]:
    """The nodes with all that is known of them, in their order, or every problem."""
    try:
        return [repr(read(text, "p.yaml"))]
    except PlaybookError as error:
        return [str(problem) for problem in error.problems]


def document(random: Random) -> str:
    """A text whose root is a mapping or a list."""
    writer = _Writer(random)
    text = random.choice(["", "", "", "---\n", "# first\n", "--- # first\n", "\n\n"])
    collection = random.choice([writer.mapping, writer.mapping, writer.sequence, writer.flow_lines])
    text += collection(random.choice([0, 0, 0, 2]), 0)
    return text if random.random() < 0.8 else text.rstrip("\n")


def spoilt(text: str, random: Random) -> str:
    """The text after one to three small changes."""
    for _ in range(random.randint(1, 3)):
        at, length = random.randint(0, len(text)), random.choice([0, 0, 0, 1, 2, 10])
        change = random.choice(
            ["", *(random.choice(FRAGMENTS) for _ in range(4)), text[at : at + random.randint(1, 30)]]
        )
        text = text[:at] + change + text[at + length :]
    return text


class _Writer:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._names = 0

    def mapping(self, indent: int, depth: int) -> str:
        keys = [f"{self._key()}{number}" for number in range(self._random.randint(1, 4))]
        return "".join(" " * indent + self._as_key(key) + self._value(indent, depth, listed=False) for key in keys)

    def sequence(self, indent: int, depth: int) -> str:
        count = self._random.randint(1, 4)
        return "".join(" " * indent + "-" + self._value(indent, depth, listed=True) for _ in range(count))

    def flow_lines(self, indent: int, depth: int) -> str:
        return " " * indent + self._flow(depth) + self._tail()

    def _value(self, indent: int, depth: int, *, listed: bool) -> str:
        """What follows `key:` or `-`, with the end of its last line."""
        random = self._random
        name = self._name() if random.random() < 0.1 else ""
        kind = random.choice(["word"] * 4 + ["text", "flow", "nothing", "alias"] + ["nested"] * (3 if depth < 4 else 0))
        if kind == "word":
            return name + " " * random.randint(1, 2) + self._word(indent + 1) + self._tail()
        if kind == "text":
            return name + " " + self._block_text(indent)
        if kind == "flow":
            return name + " " + self._flow(depth) + self._tail()
        if kind == "alias" and self._names:
            return f" *n{random.randint(1, self._names)}" + self._tail()
        if kind == "nested":
            return name + self._nested(indent, depth, listed=listed and not name)
        return name + self._tail()

    def _nested(self, indent: int, depth: int, *, listed: bool) -> str:
        random = self._random
        collection = random.choice([self.mapping, self.sequence])
        step = random.randint(1, 4)
        if listed and random.random() < 0.7:  # the first entry beside the hyphen
            inner = collection(indent + 1 + step, depth + 1)
            return inner[indent + 1 :]
        if collection == self.sequence and not listed and random.random() < 0.5:
            step = 0  # a list as deep as the key before it
        return self._tail() + collection(indent + step, depth + 1)

    def _name(self) -> str:
        self._names += 1
        return f" &n{self._names}"

    def _tail(self) -> str:
        return self._random.choice(TAILS) + "\n"

    def _key(self) -> str:
        return self._random.choice(["a", "name", "größe", "🙂", "on", "x y", "k-", "a.b", "it's"])

    def _as_key(self, key: str) -> str:
        quoted = self._random.choice(["{}", "{}", "{}", '"{}"', "'{}'", "{} ", "&k{} "]).format(key.replace("'", ""))
        return (key if "&" in quoted else quoted) + ":"

    def _word(self, indent: int) -> str:
        return self._random.choice([self._plain, self._plain, self._single, self._double])(indent)

    def _broken(self, words: list[str], indent: int) -> str:
        """The words, joined by spaces or by line breaks with and without blank lines."""
        text = words[0]
        for word in words[1:]:
            breaks = ("\n", " \n", "\n\n", "\n  \n\n")
            glue = self._random.choice(breaks) + " " * (indent + self._random.randint(0, 3))
            text += (self._random.choice([" ", "  "]) if self._random.random() < 0.7 else glue) + word
        return text

    def _plain(self, indent: int, words: tuple[str, ...] = WORDS) -> str:
        return self._broken([self._random.choice(words) for _ in range(self._random.choice([1, 1, 1, 2, 4]))], indent)

    def _single(self, indent: int) -> str:
        return "'" + self._plain(indent, QUOTED).replace("'", "''") + "'"

    def _double(self, indent: int) -> str:
        text = self._plain(indent, QUOTED).replace("\\", "\\\\").replace('"', '\\"')
        for _ in range(self._random.choice([0, 0, 1, 3])):
            text += self._random.choice([*ESCAPES, "\\\n" + " " * indent])
        return f'"{text}"'

    def _block_text(self, indent: int) -> str:
        random = self._random
        step = random.randint(1, 4)
        marks = random.sample([str(step), random.choice("+-")], 2)
        head = random.choice("|>") + "".join(mark for mark in marks if random.random() < 0.4)
        lines = [random.choice([*QUOTED, "", "  deeper"]) for _ in range(random.randint(0, 5))]
        if not any(mark.isdigit() for mark in head):
            lines = [line if number else line.strip() or "x" for number, line in enumerate(lines)]
        body = "".join(" " * (indent + step) + line + "\n" if line else "\n" for line in lines)
        return head + random.choice(["", "", " ", " # c"]) + "\n" + body + "\n" * random.choice([0, 0, 1, 2])

    def _flow(self, depth: int) -> str:
        random = self._random
        gap = random.choice(["", " ", "\n "])
        items = [self._flow_value(depth) for _ in range(random.randint(0, 4))]
        comma = random.choice([",", ", ", " , ", ",\n  "])
        if random.random() < 0.5:
            items = [f"{self._as_key(f'{self._key()}{number}')} {item}" for number, item in enumerate(items)]
            return "{" + gap + comma.join(items) + random.choice(["", gap]) + "}"
        return "[" + gap + comma.join(item or "x" for item in items) + random.choice(["", gap]) + "]"

    def _flow_value(self, depth: int) -> str:
        random = self._random
        if depth < 4 and random.random() < 0.3:
            return self._flow(depth + 2)
        name = self._name() + " " if random.random() < 0.05 else ""
        if self._names and random.random() < 0.05:
            return f"*n{random.randint(1, self._names)}"
        return random.choice(["", *(name + word for word in self._flow_words())])

    def _flow_words(self) -> list[str]:
        return [self._plain(1, FLOW_WORDS), self._plain(1, FLOW_WORDS), self._single(1), self._double(1)]
