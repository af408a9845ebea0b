"""What a schema says on single values: which stand for a missing one, what separates decimals."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import polars as pl

from postclick.data.schema import LogSchema, MultiCategorical, Vector

# Nobody means anything else by them: what Hive, pandas, SQL, Excel, Python and MySQL write.
DEFAULT_MISSING = (
    *("null", "NULL", "Null", "<null>", "(null)", "\\N", "nil", "None"),
    *("nan", "NaN", "NAN", "-nan", "NaT", "<NA>", "N/A", "n/a", "#N/A"),
    *("0000-00-00", "0000-00-00 00:00:00"),
)
# May mean a missing value, or something: Namibia, no brand. As a number they can mean nothing else.
LIKE_MISSING = (
    *("NA", "na", "N.A.", "#NA", "Nil", "NIL", "none", "NONE", "undefined", "UNDEFINED"),
    *("missing", "MISSING", "-", "--", "---", "?", "??", ".", "#NULL!", "#VALUE!"),
)


@dataclass(frozen=True)
class ValueRules:
    """How values are read, whatever file or request they come in.

    Attributes:
        missing: texts that stand for a missing value; None for `DEFAULT_MISSING`, and in numbers
            for `LIKE_MISSING` too. Empty text always does.
        decimal: what separates decimals in text.
        earlier: categories are text as it was before values had one form, see `earlier_text`.

    >>> rules = ValueRules(missing=("-1", "?"))
    >>> rules.texts, rules.numbers, sorted(ValueRules().texts)[:3]
    (('-1', '?'), (-1.0,), ['#N/A', '(null)', '-nan'])
    """

    missing: tuple[str, ...] | None = None
    decimal: Literal[".", ","] = "."
    earlier: bool = False

    @classmethod
    def of(cls, schema: LogSchema) -> "ValueRules":
        """The rules of a schema."""
        return cls(schema.missing, schema.read.decimal or ".")

    def of_elements(self, role: MultiCategorical | Vector) -> "ValueRules":
        """The rules of the elements of a column: within brackets where commas part elements, as in
        JSON and Python, decimals are separated by a point whatever the rest of the file does.

        >>> rules = ValueRules(decimal=",")
        >>> rules.of_elements(Vector(name="e", size=2, brackets=True)).decimal
        '.'
        """
        commas = role.brackets and "," in (role.separator or ",")
        return replace(self, decimal=".") if commas else self

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Texts that stand for a missing category, empty text left out."""
        tokens = DEFAULT_MISSING if self.missing is None else self.missing
        return tuple(dict.fromkeys(t for token in tokens if (t := token.strip())))

    def is_no_number(self, texts: pl.Series) -> pl.Series:
        """Boolean: which texts stand for a missing number, in any letter case; null for null.

        >>> ValueRules().is_no_number(pl.Series(["NA ", "7", None])).to_list()
        [True, False, None]
        """
        return texts.str.strip_chars().str.to_lowercase().is_in(list(self.number_texts))

    @cached_property
    def number_texts(self) -> frozenset[str]:
        """Texts in lower case that stand for a missing number."""
        more = LIKE_MISSING if self.missing is None else ()
        return frozenset(token.lower() for token in ("", *self.texts, *more))

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """Numbers that stand for a missing one."""
        found = []
        for token in self.texts:
            try:
                found.append(float(token.replace(self.decimal, ".")))
            except ValueError:
                continue
        return tuple(number for number in found if number - number == 0)  # no NaN, no infinity

    @cached_property
    def suspicious(self) -> tuple[str, ...]:
        """Texts that look like a missing category and are taken for one of its own."""
        return tuple(token for token in LIKE_MISSING if token not in self.texts)


DEFAULT_RULES = ValueRules()
