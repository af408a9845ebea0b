"""Backbones, one file each. A new one needs its file, its test and one line here."""

from postclick.nn.backbones.base import BackboneOptions, TaskBackbone
from postclick.nn.backbones.dcn_v2 import DcnV2
from postclick.nn.backbones.mmoe import MMoE
from postclick.nn.backbones.ple import Ple
from postclick.nn.backbones.share_bottom import ShareBottom
from postclick.registry import Registry

__all__ = ["BACKBONES", "Backbone", "BackboneOptions", "TaskBackbone", "find_backbone", "name_of"]

# A name, `package.module:Class`, or the class.
Backbone = str | type[TaskBackbone]

BACKBONES: dict[str, type[TaskBackbone]] = {
    backbone.name: backbone for backbone in (ShareBottom, MMoE, DcnV2, Ple)
}


# Ours, and those that installed packages register as entry points `postclick.backbones`.
REGISTRY: Registry[type[TaskBackbone]] = Registry(
    "backbone", "postclick.backbones", BACKBONES, TaskBackbone
)


def find_backbone(backbone: Backbone) -> type[TaskBackbone]:
    """The backbone of that name, at that place, or the class that is given.

    Raises:
        InputError: there is no such backbone; the message lists what there is.

    >>> find_backbone("mmoe")
    <class 'postclick.nn.backbones.mmoe.MMoE'>
    """
    return REGISTRY.find(backbone)


def name_of(backbone: Backbone) -> str:
    """What `find_backbone` finds it by again: its name if it is registered, or its place.

    >>> name_of(MMoE)
    'mmoe'
    """
    found = find_backbone(backbone)
    # A name may come from a file: it is written down again, and allows nothing.
    return backbone if isinstance(backbone, str) else REGISTRY.name_of(found)
