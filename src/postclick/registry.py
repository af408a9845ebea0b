"""Names of what others can bring, and where it lives: methods, backbones, metrics, data sets.

A name is one of ours, or an entry point of an installed package in the group of its kind, e.g.
`postclick.methods`. Everything else is named by its place, `package.module:Class`, and that is
imported only where the user of this process asked for the package: on the command line
(`--method package.module:Class`, `--import package`), in POSTCLICK_IMPORT, by `allow`, or by having
imported the module. A place that a run folder or a settings file names imports nothing by itself; a
name that an installed package has registered is that package's, and is loaded.
"""

import inspect
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from postclick.errors import InputError
from postclick.spelling import option
from postclick.suggest import meant

T = TypeVar("T")
VARIABLE = "POSTCLICK_IMPORT"
_ALLOWED: set[str] = set()


def allow(*places: str) -> None:
    """Let these packages be imported where a run folder or a settings file names them.

    >>> allow("my_package", "other.module:Class")
    >>> {"my_package", "other"} <= set(allowed())
    True
    """
    _ALLOWED.update(_package(place) for place in places if place)


def allowed() -> tuple[str, ...]:
    """Packages that may be imported, those in the variable POSTCLICK_IMPORT too."""
    named = os.environ.get(VARIABLE, "").split(",")
    return tuple(sorted(_ALLOWED | {_package(n.strip()) for n in named if n.strip()}))


def asked_for(name: str) -> str:
    """`name` as the user of this process gave it: the package of a place may be imported."""
    if is_place(name):
        allow(name)
    return name


def is_place(name: str) -> bool:
    """Whether a name is a place, `package.module:Class`.

    >>> is_place("esmm"), is_place("my_package.losses:Mine/no_ctr")
    (False, True)
    """
    return ":" in name


def place_of(thing: Any) -> str:
    """Where a class, or an instance of one, is defined.

    >>> place_of(InputError)
    'postclick.errors:InputError'
    """
    found = thing if isinstance(thing, type) else type(thing)
    return f"{found.__module__}:{found.__qualname__}"


def command_for(*names: str) -> str:
    """`postclick`, with what lets it import these names if they are places.

    >>> command_for("esmm"), command_for("mine.losses:Mine", "mmoe")
    ('postclick', 'postclick --import mine')
    """
    packages = sorted({_package(name) for name in names if is_place(name)})
    return " ".join(["postclick", *(f"--import {package}" for package in packages)])


def require_importable(name: str) -> None:
    """Raise `InputError` if another process could not import what lies at a place."""
    module, _, rest = name.partition(":")
    if is_place(name) and (module == "__main__" or "<locals>" in rest):
        raise InputError(
            f"{name} is defined in a notebook, a script or a function, from where worker processes "
            f"cannot import it: put it into a module, or give {option('workers', 1)}"
        )


def package_of(place: str) -> str | None:
    """The installed package that a place belongs to, with its version; `None` if there is none.

    >>> package_of("numpy.linalg:LinAlgError").startswith("numpy ")
    True
    """
    from importlib.metadata import packages_distributions, version

    found = packages_distributions().get(_package(place))
    return f"{found[0]} {version(found[0])}" if found else None


def _package(place: str) -> str:
    return place.partition(":")[0].partition(".")[0]


class Registry(Generic[T]):
    """The things of one kind, by name, by place, or as they are.

    Args:
        what: the kind in words, for messages, e.g. `method`.
        group: entry points of installed packages, e.g. `postclick.methods`.
        own: ours by name.
        base: what each has to be: a subclass of it, or for `instances` an instance.
    """

    def __init__(
        self, what: str, group: str, own: Mapping[str, T], base: type, *, instances: bool = False
    ) -> None:
        self.what, self.group, self.own = what, group, own
        self.base, self.instances = base, instances
        self._given: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Our names, then those of installed packages."""
        return (*self.own, *(n for n in _points(self.group) if n not in self.own))

    def items(self) -> Iterator[tuple[str, T]]:
        """Everything by name, ours and of installed packages; what cannot be loaded is told."""
        for name in self.names():
            try:
                yield name, self.find(name)
            except InputError as error:
                warnings.warn(f"left out: {error}", stacklevel=2)

    def find(self, given: "str | T") -> T:
        """What is called, lies at, or is `given`.

        Raises:
            InputError: there is no such thing, it cannot be imported, nobody asked for its
                package, or it is of another kind.
        """
        if not isinstance(given, str):
            return self._remembered(given)
        if given in self.own:
            return self.own[given]
        if is_place(given):
            return self._placed(given)
        point = _points(self.group).get(given)
        if point is None:
            raise InputError(
                f"there is no {self.what} {given!r}{meant(given, self.names())}"
                f"; there are {', '.join(self.names())}, or "
                "package.module:Class"
            )
        try:
            found = point.load()
        except Exception as error:  # of somebody else's package, which may do anything
            raise InputError(
                f"the {self.what} {given!r} of an installed package ({point.value}) cannot be "
                f"loaded: {type(error).__name__}: {_first_line(error)}"
            ) from error
        return self._checked(found, given)

    def _placed(self, place: str) -> T:
        """What lies at a place now, or what a caller once gave that nothing can import."""
        held = self._given.get(place)
        if held is None:
            return self._checked(self._at(place), place)
        module, _, name = place.partition(":")
        now = vars(sys.modules[module]).get(name) if module in sys.modules else None
        return held if now is None else self._checked(now, place)

    def name_of(self, given: "str | T") -> str:
        """The name to write down: its own if it is registered, else its place."""
        if isinstance(given, str):
            return asked_for(given)
        thing = self._remembered(given)
        for name, found in self.own.items():
            if found is thing:
                return name
        place = place_of(thing)
        for name, point in _points(self.group).items():
            if _package(point.value) == _package(place):
                with suppress(InputError):  # one that cannot be loaded is not this one
                    if self.find(name) is thing:
                        return name
        return place

    def _remembered(self, thing: T) -> T:
        """A thing that the caller has in hand, to be found again by its place."""
        self._checked(thing, repr(thing))
        if all(found is not thing for found in self.own.values()):
            place = place_of(thing)
            self._given[place] = thing
            allow(place)
        return thing

    def _at(self, place: str) -> Any:
        module, _, name = place.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            raise InputError(f"{place!r} is no place of a {self.what}: give package.module:Class")
        if module not in sys.modules and _package(module) not in allowed():
            package = _package(module)
            raise InputError(
                f"the {self.what} {place} lies in the package {package!r}, which is not imported "
                f"on a file's word: if you trust it, give 'postclick --import {package} ...' "
                f"(in Python: import {module})"
            )
        try:
            found: Any = sys.modules.get(module) or import_module(module)
        except ImportError as error:
            raise InputError(
                f"the {self.what} {place} cannot be imported ({_first_line(error)}): install its "
                "package, or put its folder on PYTHONPATH"
            ) from None
        except Exception as error:  # of somebody else's module, which may do anything
            raise InputError(
                f"the {self.what} {place} cannot be imported: {type(error).__name__}: "
                f"{_first_line(error)}"
            ) from error
        first, *rest = name.split(".")
        # No attribute is made for a name: what a file says runs nothing, not even `__getattr__`.
        found = vars(found).get(first)
        for part in rest:
            found = getattr(found, part, None)
        if found is None and module == "__main__":
            raise InputError(
                f"the {self.what} {place} was defined in a script or a notebook: put it into a "
                "module, and train again"
            )
        if found is None:
            raise InputError(f"the module {module} has no {name!r}: name a {self.what} in it")
        return found

    def _checked(self, found: Any, given: str) -> T:
        wanted = self.base.__name__
        if self.instances:
            fits, needed = isinstance(found, self.base), f"an instance of {wanted}"
        else:
            fits = isinstance(found, type) and issubclass(found, self.base)
            fits = fits and not inspect.isabstract(found)
            needed = f"a subclass of {wanted}"
        if not fits:
            raise InputError(f"{given} is no {self.what}: it has to be {needed}")
        return found  # type: ignore[no-any-return]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


@cache
def _points(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if not point.name.isidentifier():
            warnings.warn(f"left out: {point.name!r} of {point.value} is no name", stacklevel=2)
        elif point.name in found and found[point.name].value != point.value:
            warnings.warn(
                f"{point.name!r} is registered twice, by {found[point.name].value} and "
                f"{point.value}: the first is taken; name the other by its place",
                stacklevel=2,
            )
        else:
            found.setdefault(point.name, point)
    return found
