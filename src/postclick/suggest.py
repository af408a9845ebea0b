"""What a name that does not exist was probably meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

CUTOFF = 0.6  # of difflib's likeness, 0 to 1


def nearest(name: object, among: Iterable[str]) -> str | None:
    """The most similar of the names there are, or None where none is similar.

    Letter case, hyphens and spaces do not count, and initials stand for words.

    >>> nearest("user_Id", ["user_id", "user_index"]), nearest("zzz", ["user_id"])
    ('user_id', None)
    >>> nearest("learning_rate", ["lr", "epochs"])
    'lr'
    """
    plain: dict[str, str] = {}
    for known in among:
        plain.setdefault(_plain(known), known)
    asked = _plain(str(name))
    if asked in plain:
        return plain[asked]
    initials = "".join(word[:1] for word in asked.split("_"))
    if len(initials) > 1 and initials in plain:
        return plain[initials]
    near = get_close_matches(asked, plain, 1, CUTOFF)
    return plain[near[0]] if near else None


def meant(name: object, among: Iterable[str]) -> str:
    """Words to stand right behind a wrong name; empty where nothing is similar.

    >>> f"there is no method 'esm'{meant('esm', ['naive', 'esmm'])}"
    "there is no method 'esm' (did you mean 'esmm'?)"
    """
    near = nearest(name, among)
    return "" if near is None or near == name else f" (did you mean {near!r}?)"


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
