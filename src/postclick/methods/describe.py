"""Methods described from their classes: `postclick methods` and docs/methods.md."""

import inspect
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from postclick.data.prepared import BaseRates
from postclick.methods import METHODS, FittedMethod
from postclick.methods.base import Method
from postclick.nn.backbones import name_of

HEADER = """# Methods

Written by `postclick methods --markdown`; a test fails when it is out of date.

p = pCTR, q = pCVR, c = click, v = recorded conversion (0 without a click), l(a; y) = positive
binary cross-entropy, sg = stop-gradient, pi = p detached and clipped; D all impressions, C clicked
ones, U the others. `mean_D[c z]` is not `mean_C[z]`: they differ by the click rate. Every method
serves pCTR, pCVR of its main CVR head, and pCTCVR.

Name a method with `--method NAME` or `NAME/VARIANT`, set options with `--set key=value`.
"""

FOOTER = """
## Not implemented, because no formula could be had

None of these is guessed; for each, what was missing.

- **CDR** (Song et al., CIKM 2023) leaves out imputed errors by their mean and variance under
  dropout. The paper's criterion on both could not be had. The authors' code compares the variance
  alone with a constant, drops imputed probabilities at random, and weighs the imputed part of the
  correction by 1 where the observed part has 1/pi: that is another estimator than the doubly
  robust one.
- **AKB-IPS, AKB-DR** (Li et al., ICLR 2024) balance kernel functions that they choose by learnt
  coefficients. In the authors' code a coefficient belongs to a place in the batch, whichever
  impression stands there, and imbalances of several functions are added before they are punished,
  so that they cancel; what the paper says of both could not be had. `ips_v2` and `dr_v2` balance
  pCVR, features or both.
- **EGEAN** (arXiv 2412.06852): an estimator between imputation and weighting, PVDR, and
  embeddings of clicked and other impressions that are aligned by maximum mean discrepancy.
  Neither its equations nor its code could be had. `dros` shrinks weights between the same two
  ends.
- **ESCIM** (arXiv 2510.04816): a variational autoencoder of clicked impressions gives the others
  conversion labels, made 0 or 1 by a maximum or a ratio. Its losses could be had in words only.
  Labels that a model of clicks gives to other impressions say nothing that the model did not
  know; `ukd` and `nise` show in [audit.md](audit.md) what comes of such labels, soft and
  hardened.
"""


def describe(method: type[Method[Any]]) -> dict[str, Any]:
    """A method as plain data: what it is, its heads, options with defaults, variants, presets."""
    config = method.Config()
    return {
        "method": method.name,
        "summary": method.summary,
        "reference": method.reference,
        "backbone": name_of(method.backbone),
        "heads": list(method.all_heads(config, BaseRates(0.1, 0.1))),
        "options": {name: _option(field) for name, field in method.Config.model_fields.items()},
        "variants": {f"{method.name}/{name}": dict(o) for name, o in method.variants.items()},
        "presets": {name: dict(options) for name, options in method.Config.presets.items()},
        "expect": method.expect,
    }


def _option(field: FieldInfo) -> dict[str, Any]:
    return {"default": field.default, "values": _values(field.annotation)}


def _values(annotation: Any) -> str:
    if str(get_origin(annotation)) == "typing.Literal":
        return ", ".join(str(value) for value in get_args(annotation))
    if annotation is bool:
        return "true, false"
    if get_origin(annotation) is tuple:
        return "[low, high]"
    arguments = [a for a in get_args(annotation) if a is not type(None)]
    return " or ".join(getattr(a, "__name__", str(a)) for a in arguments) or annotation.__name__


def to_markdown() -> str:
    """docs/methods.md."""
    return HEADER + "".join(_section(method) for method in METHODS.values()) + FOOTER


def _section(method: type[Method[Any]]) -> str:
    facts = describe(method)
    lines = [
        f"\n## {facts['method']}\n",
        f"{facts['summary'][0].upper()}{facts['summary'][1:]}. {facts['reference']}.\n",
        "```text",
        inspect.cleandoc(method.__doc__ or ""),
        "```\n",
        _network(method, facts),
        f"What to expect: {facts['expect']}\n",
    ]
    lines += ["| option | default | values |", "|---|---|---|"]
    for name, option in facts["options"].items():
        if name == "preset" and not facts["presets"]:
            continue
        values = ", ".join(facts["presets"]) if name == "preset" else option["values"]
        lines.append(f"| `{name}` | {_plain(option['default'])} | {values} |")
    notes = inspect.cleandoc(method.Config.__doc__ or "")
    lines += ["", "```text", notes, "```"]
    for kind in ("variants", "presets"):
        for name, options in facts[kind].items():
            setting = ", ".join(f"{key}={_plain(value)}" for key, value in options.items())
            label = "variant" if kind == "variants" else "preset"
            lines.append(f"\n- {label} `{name}`: {setting}")
    return "\n".join(lines) + "\n"


def _network(method: type[Method[Any]], facts: dict[str, Any]) -> str:
    heads = f"Heads: {', '.join(facts['heads'])}."
    if issubclass(method, FittedMethod):
        read = ", ".join(f"`{name}`" for name in method.reads_training)
        return f"{heads} It fits itself: of `training` it reads {read}, of `network` nothing.\n"
    return f"{heads} The paper's backbone: {facts['backbone']}.\n"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "none"
    return str(list(value)) if isinstance(value, tuple) else str(value)
