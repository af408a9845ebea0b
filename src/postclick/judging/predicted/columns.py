"""Which columns of a table hold what: labels, models' predictions, and what describes a row."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from postclick.data.schema import Label, LogSchema
from postclick.data.schema.messages import first_message
from postclick.errors import InputError
from postclick.spelling import option
from postclick.suggest import meant

KINDS = ("pctr", "pcvr", "pctcvr")
# A table with one model has these names alone; with several each has the model's beside it.
ONE = "model"
_BEHIND = re.compile(r"(pctr|pcvr|pctcvr)[_.\-:](.+)", re.IGNORECASE)
_BEFORE = re.compile(r"(.+)[_.\-:](pctr|pcvr|pctcvr)", re.IGNORECASE)


@dataclass(frozen=True)
class ModelColumns:
    """The columns with the probabilities that one model predicts; what it has none for is None.

    Where pCTR and one of the others are there, the third follows: pCTCVR = pCTR x pCVR.

    >>> ModelColumns("ours", pctr="a", pcvr="b").columns
    ('a', 'b')
    """

    name: str
    pctr: str | None = None
    pcvr: str | None = None
    pctcvr: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(name for name in (self.pctr, self.pcvr, self.pctcvr) if name is not None)


def find_models(columns: Iterable[str]) -> list[ModelColumns]:
    """The models of a table by its column names, in the order in which they first appear.

    `pcvr` alone is the prediction of one model, called "model"; `pcvr_<name>` and `<name>_pcvr`
    (also with a point, a dash or a colon) are those of several. The same for pctr and pctcvr. A
    `pctr` beside several `pcvr_<name>` is that of each.

    Raises:
        InputError: no column is named so, or two hold the same prediction of one model.

    >>> [one.name for one in find_models(["click", "pctr_a", "pcvr_a", "b.pcvr"])]
    ['a', 'b']
    """
    found: dict[str, dict[str, str]] = {}
    for column in columns:
        if column.lower() in KINDS:
            name, kind = ONE, column.lower()
        elif match := _BEHIND.fullmatch(column):
            kind, name = match[1].lower(), match[2]
        elif match := _BEFORE.fullmatch(column):
            name, kind = match[1], match[2].lower()
        else:
            continue
        held = found.setdefault(name, {})
        if kind in held:
            raise InputError(
                f"columns {held[kind]!r} and {column!r} are both {kind} of the model {name!r}: "
                f"say which with {option('model')} {name}={kind}:{column}"
            )
        held[kind] = column
    if not found:
        raise InputError(
            "no column holds predictions: name them pctr, pcvr or pctcvr (of several models "
            f"pcvr_<name>), or say {option('model')} NAME=pctr:COLUMN,pcvr:COLUMN"
        )
    shared = found.get(ONE, {}).get("pctr")
    if shared is not None and len(found[ONE]) == 1 and len(found) > 1:
        # One pctr beside several pcvr_<name>: each of them has it.
        del found[ONE]
        for kinds in found.values():
            kinds.setdefault("pctr", shared)
    return [ModelColumns(name, **kinds) for name, kinds in found.items()]


def parse_model(text: str) -> ModelColumns:
    """`NAME=pctr:COLUMN,pcvr:COLUMN,pctcvr:COLUMN`, of which some may be left out.

    Raises:
        InputError: it is written otherwise.

    >>> parse_model("ours=pcvr:score")
    ModelColumns(name='ours', pctr=None, pcvr='score', pctcvr=None)
    """
    name, _, rest = text.partition("=")
    given: dict[str, str] = {}
    for part in rest.split(","):
        kind, colon, column = (one.strip() for one in part.partition(":"))
        if not (name.strip() and colon and column) or kind not in KINDS or kind in given:
            raise InputError(
                f"{option('model')} {text!r} is not NAME=pctr:COLUMN,pcvr:COLUMN (or pctcvr): "
                "name the columns of one model, or a run or bundle as NAME=FOLDER"
            )
        given[kind] = column
    return ModelColumns(name.strip(), **given)


@dataclass(frozen=True)
class Roles:
    """What the columns of a log mean to the judge; all but the labels may be left out.

    Attributes:
        group: rows with the same value belong together; intervals respect them.
        weight: how many impressions a row stands for.
        time: when an impression was shown; figures by day, or by hour of one day.
        exposure: what moves clicks but not conversions, such as a position.
        propensity: the probability of a click that was logged, for the entire space.
        true_cvr, potential_conversion: known truth, of simulated or randomised data.
        randomised: 1 where the impression was shown at random: judged by itself as well.
        by: features by whose values everything is judged as well.
        features: what a propensity is fitted on, and what the placebo compares, beside `by`.
    """

    click: Label = field(default_factory=lambda: Label(column="click"))
    conversion: Label = field(default_factory=lambda: Label(column="conversion"))
    group: str | None = None
    weight: str | None = None
    time: str | None = None
    exposure: str | None = None
    propensity: str | None = None
    true_cvr: str | None = None
    potential_conversion: str | None = None
    randomised: str | None = None
    by: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """Role and column of all that are named."""
        named = {"click": self.click.column, "conversion": self.conversion.column}
        for role in _OPTIONAL:
            column = getattr(self, role)
            if column is not None:
                named[role] = column
        named |= {f"by {column}": column for column in self.by}
        return named | {f"features {column}": column for column in self.features}

    def require(self, columns: Sequence[str], log: str) -> None:
        """Refuse roles whose columns the log lacks.

        Raises:
            InputError: naming the role, the column and the option that sets it.
        """
        for role, column in self.columns.items():
            if column not in columns:
                name = role.partition(" ")[0]
                raise InputError(
                    f"{log}: no column {column!r} for {name}{meant(column, columns)}; it has "
                    f"{', '.join(columns)}: name the right one with {option(name)}"
                )


_OPTIONAL = (
    *("group", "weight", "time", "exposure", "propensity"),
    *("true_cvr", "potential_conversion", "randomised"),
)


def roles_of(schema: LogSchema, columns: Sequence[str], **given: object) -> Roles:
    """The roles that a schema names, and what is given in their place.

    The exposure and truth columns of the schema are used where the log has them.
    """
    known: dict[str, object] = {
        "click": schema.click,
        "conversion": schema.conversion,
        "group": schema.group,
        "weight": schema.weight,
        "time": schema.time,
    }
    if_there = {
        "exposure": None if schema.exposure is None else schema.exposure.column,
        "true_cvr": schema.truth.cvr,
        "potential_conversion": schema.truth.conversion,
    }
    known |= {role: name for role, name in if_there.items() if name in columns}
    return Roles(**{**known, **given_roles(given)})  # type: ignore[arg-type]


def given_roles(given: Mapping[str, object]) -> dict[str, object]:
    """Those that are given, labels from names or rules.

    >>> given_roles({"click": "c", "group": None, "by": ()})
    {'click': Label(column='c', positive=None)}
    """
    found = {role: value for role, value in given.items() if value}
    for role in ("click", "conversion"):
        if role in found:
            found[role] = _label(found[role], role)
    return found


def _label(given: object, role: str) -> Label:
    """A column, a column and a rule as one text (`price > 0`), or a mapping."""
    if isinstance(given, str) and " " in given.strip():
        column, _, rule = given.strip().partition(" ")
        given = {"column": column, "positive": rule.strip()}
    try:
        return Label.model_validate(given)
    except ValidationError as error:
        raise InputError(f"{option(role)}: {first_message(error)}") from None
