"""Numbers that a column writes in several ways, by which names may have become one."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

KEPT = 4096  # different numbers of a column that are remembered


@dataclass
class NumberSpellings:
    """How often each number is written in which way; adds up over chunks in any order.

    >>> spellings = NumberSpellings()
    >>> spellings.add(["10.1", "10.10"], ["10.1", "10.1"], [2, 3])
    >>> spellings.rows, spellings.examples
    (3, ('10.10',))
    """

    written: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, texts: Iterable[str], numbers: Iterable[str], rows: Iterable[int]) -> None:
        """Take in texts, the numbers that they write, and how many rows have each text."""
        for text, number, count in zip(texts, numbers, rows, strict=True):
            self.written.setdefault(number, Counter())[text] += count
        self._cut()

    def merge(self, other: "NumberSpellings") -> None:
        """Take in other rows of the same column."""
        for number, texts in other.written.items():
            self.written.setdefault(number, Counter()).update(texts)
        self._cut()

    def _cut(self) -> None:
        """Those numbers stay whose hashes are smallest: the same ones in every chunk."""
        if len(self.written) > KEPT:
            numbers = pl.Series(list(self.written))
            kept = numbers.gather(numbers.hash(seed=0).arg_sort().head(KEPT))
            self.written = {number: self.written[number] for number in kept.to_list()}

    def _others(self) -> Counter[str]:
        """Rows of each text beside the one way that is the number, or else the most frequent."""
        others: Counter[str] = Counter()
        for number, texts in self.written.items():
            if len(texts) > 1:
                usual = number if number in texts else max(sorted(texts), key=texts.__getitem__)
                others.update({text: rows for text, rows in texts.items() if text != usual})
        return others

    @property
    def rows(self) -> int:
        """Rows that write a number in another way than other rows."""
        return self._others().total()

    @property
    def examples(self) -> tuple[str, ...]:
        """Up to three of these texts, the most frequent first."""
        others = self._others()
        return tuple(sorted(others, key=lambda text: (-others[text], text))[:3])
