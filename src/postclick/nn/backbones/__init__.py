"""Backbones, one file each. A new one needs its file, its test and one line here."""

import sys

from postclick.errors import InputError
from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.backbones.dcn_v2 import DcnV2
from postclick.nn.backbones.mmoe import MMoE
from postclick.nn.backbones.ple import Ple
from postclick.nn.backbones.share_bottom import ShareBottom

__all__ = ["BACKBONES", "Backbone", "BackboneOptions", "TaskBackbone", "find_backbone", "name_of"]

# A name, `package.module:Class`, or the class.
Backbone = str | type[TaskBackbone]

BACKBONES: dict[str, type[TaskBackbone]] = {
    backbone.name: backbone for backbone in (ShareBottom, MMoE, DcnV2, Ple)
}


def find_backbone(name: Backbone) -> type[TaskBackbone]:
    """The backbone of that name, of `package.module:Class`, or the class that is given.

    No module is imported here: a class is found by its place once whoever asked for it, or a
    registered package, has imported it.

    Raises:
        InputError: there is no such backbone; the message lists what there is.

    >>> find_backbone("mmoe")
    <class 'postclick.nn.backbones.mmoe.MMoE'>
    """
    if isinstance(name, type) and issubclass(name, TaskBackbone):
        return name
    if isinstance(name, str) and name in BACKBONES:
        return BACKBONES[name]
    known = f"there are {', '.join(BACKBONES)}, or package.module:Class"
    module, colon, path = str(name).partition(":")
    if not isinstance(name, str) or not colon:
        raise InputError(f"there is no backbone {name!r}; {known}")
    if module not in sys.modules:
        raise InputError(f"backbone {name}: {module!r} is not imported: import it first")
    found: object = sys.modules[module]
    for part in path.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, TaskBackbone)):
        raise InputError(f"backbone {name}: that is no class of a TaskBackbone; {known}")
    return found


def name_of(backbone: Backbone) -> str:
    """What `find_backbone` finds it by again: its name if it is registered, or its place.

    >>> name_of(MMoE)
    'mmoe'
    """
    found = find_backbone(backbone)
    if BACKBONES.get(found.name) is found:
        return found.name
    return f"{found.__module__}:{found.__qualname__}"
