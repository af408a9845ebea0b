"""What the members of a mean count, and how good each is alone, where held-out rows have chosen."""

from postclick.methods.member_weights import HEADS, MemberWeight, MemberWeights
from postclick.reporting.tables import Column, Table, Value, words


def weights_table(method: str, found: MemberWeights) -> Table:
    """A row for each member, and one for their mean."""
    columns = [Column("member", numeric=False)]
    for name in HEADS.values():
        columns += [
            Column(f"weight, {name}", "all its starts together"),
            Column(f"loss, {name}", "mean logistic loss of the member alone on held-out rows"),
            Column(f"behind, {name}", "how far that is above the mean's, x 1e4 (95 % interval)"),
        ]
    of_heads = [found.of(head) for head in HEADS]
    rows = []
    for of_member in zip(*of_heads, strict=True):
        cells = [words(of_member[0].member)]
        for one in of_member:
            cells += [
                Value(f"{one.weight:.3f}", one.weight),
                Value(f"{one.loss:.5f}", one.loss),
                Value(behind_text(one), one.behind),
            ]
        rows.append(tuple(cells))
    cells = [words("their mean")]
    for loss in map(found.loss, HEADS):
        cells += [Value("1", 1.0), Value(f"{loss:.5f}", loss), Value("-", None)]
    return Table(f"{method}: what its members count", tuple(columns), (*rows, tuple(cells)))


def behind_text(one: MemberWeight) -> str:
    """How far a member's loss is above the mean's, x 1e4, with its interval."""
    return f"{1e4 * one.behind:+.1f} ({1e4 * one.low:+.1f} to {1e4 * one.high:+.1f})"
