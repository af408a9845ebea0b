"""Methods by name. Which there are is filled in by the package, so that a method may ask too."""

from typing import Any

from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.registry import Registry, is_place
from postclick.suggest import meant

# Ours by name.
METHODS: dict[str, type[Method[Any]]] = {}

# Ours, and those that installed packages register as entry points `postclick.methods`.
REGISTRY: Registry[type[Method[Any]]] = Registry("method", "postclick.methods", METHODS, Method)


def find_method(method: "str | type[Method[Any]]") -> tuple[type[Method[Any]], dict[str, Any]]:
    """The method called `name` or `name/variant`, and the variant's options.

    Args:
        method: a name, a place (`package.module:Class`), either perhaps with `/variant`, or a
            class.

    Raises:
        InputError: there is no such method or variant; the message lists what there is.

    >>> find_method("choruscvr/no_sam")
    (<class 'postclick.methods.choruscvr.ChorusCvr'>, {'align_weight': 0.0})
    """
    if not isinstance(method, str):
        return REGISTRY.find(method), {}
    base, slash, variant = method.partition("/")
    found = REGISTRY.find(base)
    if not slash:
        return found, {}
    if variant not in found.variants:
        known = ", ".join(f"{base}/{v}" for v in found.variants)
        there = f"there is {known}" if known else "there is none"
        raise InputError(
            f"method {base} has no variant {variant!r}{meant(variant, found.variants)}; {there}"
        )
    return found, dict(found.variants[variant])


def title_of(method: str) -> str:
    """How a method is called in tables and folders: a class at a place by its own name.

    >>> title_of("evi/no_vie"), title_of("postclick.methods.evi:Evi/no_vie")
    ('evi/no_vie', 'evi/no_vie')
    """
    if not is_place(method):
        return method
    base, slash, variant = method.partition("/")
    found = REGISTRY.find(base)
    # A name that is inherited is another method's.
    own = vars(found).get("name", found.__name__)
    return f"{own}{slash}{variant}"
