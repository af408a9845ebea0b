"""What encodes raw rows for a run: the vocabularies and scales in its folder."""

from pathlib import Path

from postclick.data import manifest as m
from postclick.data.lookup.encoder import ServingEncoder
from postclick.data.schema import LogSchema


def encoder_of(folder: Path, manifest: m.Manifest, schema: LogSchema) -> ServingEncoder:
    """What encodes raw rows, written as `schema` says, with the vocabularies in a run's folder.

    Raises:
        InputError: a vocabulary is missing or damaged.
    """
    manifest.check_vocabularies(folder)
    return ServingEncoder(
        schema,
        manifest.ids,
        manifest.numerics,
        manifest.bags,
        folder / m.VOCABULARIES,
        manifest.vectors,
        canonical=manifest.canonical,
    )


def written_with(schema: LogSchema, decimal: str | None) -> LogSchema:
    """The schema for text whose decimals are separated so; itself where it says so already."""
    if decimal is None or decimal == (schema.read.decimal or "."):
        return schema
    read = schema.read.model_copy(update={"decimal": decimal})
    return schema.model_copy(update={"read": read})
