"""The fields of Ali-CCP, where each stands, and what the presets make of them."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["skeleton", "common"]
Role = Literal["id", "value", "ids", "weights"]

USER_IDS = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
HISTORIES = ("109_14", "110_14", "127_14", "150_14")
ITEM_IDS = ("205", "206", "207", "216")
CROSSES = ("508", "509", "702")
# Several intentions per item, hence several crosses of them with the user's intentions.
INTENTION, INTENTION_CROSS = "210", "853"
POSITION = "301"

FIELDS: dict[Side, tuple[str, ...]] = {
    "common": (*USER_IDS, *HISTORIES),
    "skeleton": (*ITEM_IDS, INTENTION, *CROSSES, INTENTION_CROSS, POSITION),
}
LABELS = ("click", "purchase")
SAMPLE_ID = "sample_id"


@dataclass(frozen=True)
class Column:
    """One column of the joined log: what it takes from which field.

    `id` and `value` are the last token's id and number, `ids` and `weights` those of all tokens.
    """

    name: str
    field: str
    role: Role

    @property
    def side(self) -> Side:
        return "common" if self.field in FIELDS["common"] else "skeleton"


def _ids(*fields: str) -> tuple[Column, ...]:
    return tuple(Column(f, f, "id") for f in fields)


def _lists(*fields: str) -> tuple[Column, ...]:
    return tuple(
        column
        for f in fields
        for column in (Column(f, f, "ids"), Column(f"{f}_weight", f, "weights"))
    )


# The order of AITM's 18 fields, which papers share.
STANDARD = _ids(*USER_IDS, *ITEM_IDS, *CROSSES, INTENTION_CROSS, POSITION)
ALL = (
    *_ids(*USER_IDS, *ITEM_IDS, *CROSSES, POSITION),
    *(Column(f"{f}_value", f, "value") for f in CROSSES),
    Column(INTENTION, INTENTION, "ids"),
    *_lists(INTENTION_CROSS, *HISTORIES),
)
PRESETS: dict[str, tuple[Column, ...]] = {"standard": STANDARD, "all": ALL}
