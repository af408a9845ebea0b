"""What a page of HTML holds, as a parser that is no browser reads it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class TableOfPage:
    """A table's caption (its label) and the texts of its rows, those of headers first."""

    label: str
    rows: list[list[str]] = field(default_factory=list)


class HtmlPage(HTMLParser):
    """Elements with their attributes in order, tables, and the words between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []  # innermost element, text
        self.tables: list[TableOfPage] = []
        self.open: list[str] = []
        self.unclosed: list[str] = []
        self._label = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "div":
            self._label = dict(attrs).get("aria-label") or ""
        elif tag == "table":
            self.tables.append(TableOfPage(self._label))
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("th", "td"):
            self.tables[-1].rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unclosed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append((self.open[-1], data))
        if "td" in self.open or "th" in self.open:
            row = self.tables[-1].rows[-1]
            row[-1] = f"{row[-1]} {data.strip()}".strip()

    def inside(self, tag: str) -> list[str]:
        """The texts directly in elements of a name."""
        return [text for place, text in self.words if place == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(text for _, text in self.words).split())

    def table(self, label: str) -> TableOfPage:
        """The one table with this label."""
        (found,) = (one for one in self.tables if one.label == label)
        return found
