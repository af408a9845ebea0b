"""The fenced blocks of a Markdown page, and lines of code that are in no fence."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}

FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language ("" without one), its text, the line where the text starts."""

    language: str
    text: str
    line: int


def blocks(page: str, *languages: str) -> list[Block]:
    """All blocks in `languages`, in the order of the page.

    >>> blocks("Run\\n\\n```bash\\npostclick methods\\n```\\n", "bash")
    [Block(language='bash', text='postclick methods\\n', line=4)]
    """
    found = [
        Block(match[1], match[2], page.count("\n", 0, match.start(2)) + 1)
        for match in FENCE.finditer(page)
    ]
    return [block for block in found if not languages or block.language in languages]


def indented(page: str) -> list[int]:
    """Lines that Markdown takes for code although they are in no fence.

    >>> indented("Run\\n\\n    make test\\n\\n```sh\\n\\n    make\\n```\\n\\n- a\\n    b\\n")
    [3]
    """
    lines = FENCE.sub(lambda match: "```" + "\n" * match[0].count("\n"), page).split("\n")
    return [
        number
        for number, (before, line) in enumerate(pairwise(lines), start=2)
        if line.startswith("    ") and line.strip() and not before.strip()
    ]
