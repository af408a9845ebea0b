"""What carries clicks and conversions in a run whose method can say it."""

from postclick.methods.explanation import AnyExplanation, Explanation
from postclick.methods.member_weights import HEADS, MemberWeights
from postclick.reporting.tables import Column, Table, Value, words
from postclick.reporting.weights_table import weights_table


def explanation_table(method: str, found: AnyExplanation) -> Table:
    """What a method says of itself, as a table."""
    if isinstance(found, MemberWeights):
        return weights_table(method, found)
    return fields_table(method, found)


def fields_table(method: str, found: Explanation) -> Table:
    """A row for each field, with its spread and prior variance of each head."""
    columns = [Column("field", numeric=False)]
    for head, name in HEADS.items():
        whose = "all impressions" if head == "ctr" else "clicked ones"
        hint = f"standard deviation over {whose} of what the field adds to the logit of {name}"
        columns.append(Column(f"spread, {name}", hint))
        columns.append(Column(f"variance, {name}", "prior variance of the field's coefficients"))
    by_field: dict[str, dict[str, tuple[float, float]]] = {}
    for one in sorted(found.fields, key=lambda one: (one.head != "cvr", -one.spread)):
        by_field.setdefault(one.field, {})[one.head] = one.spread, one.variance
    rows = tuple(
        (words(field), *(_number(heads.get(head), k) for head in HEADS for k in (0, 1)))
        for field, heads in by_field.items()
    )
    return Table(f"{method}: what carries it", tuple(columns), rows)


def _number(pair: tuple[float, float] | None, which: int) -> Value:
    if pair is None:
        return Value("-", None)
    return Value(f"{pair[which]:.4f}", pair[which])
