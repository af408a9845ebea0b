"""`Bundle`: a model in a folder, opened to score raw rows; needs no torch."""

import os
from collections.abc import Collection
from copy import copy
from functools import cached_property
from pathlib import Path

import polars as pl

from postclick.calibration.probabilities import Probabilities, ServingCorrections
from postclick.data.lookup.encoded_rows import EncodedRows
from postclick.data.lookup.encoder import ServingEncoder
from postclick.data.lookup.raw_rows import RawRows
from postclick.data.manifest import VOCABULARIES
from postclick.data.read.tables.in_memory import FrameLike, frame_with
from postclick.data.read.values.exposure_value import exposure_text
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.serving.bundle.bundle_files import BUNDLE, MODEL, read_info, verify_files
from postclick.serving.bundle.column_owners import owners_of
from postclick.serving.bundle.graph_inputs import graph_inputs
from postclick.serving.bundle.onnx_model import OnnxModel
from postclick.spelling import option


class Bundle:
    """A model to score with. Its methods may be called from several threads at a time.

    Attributes:
        folder: where it lies.
        info: the content of its bundle.json.
        version: a checksum of all of it.
    """

    def __init__(self, folder: str | Path, threads: int | None = None) -> None:
        """As `open`."""
        self.folder = Path(folder)
        if threads is not None and threads < 1:
            raise InputError(f"{option('threads')} is {threads}: give 1 or more")
        self.info, self.version = read_info(self.folder)
        verify_files(self.folder, self.info.files)
        if MODEL not in self.info.files:
            raise InputError(f"{self.folder / BUNDLE} lists no {MODEL}: export the run again")
        info = self.info
        self._encoder = self._encoder_for(info.log_schema)
        users = info.user_features
        met = [bag.name for bag in info.bags if bag.target is not None and bag.target not in users]
        self._model = OnnxModel(self.folder / MODEL, threads or os.cpu_count() or 1, users, met)
        inputs = graph_inputs(owners_of(self._encoder.layout, self._model.user_features))
        if self._model.outputs != info.outputs or self._model.inputs != inputs:
            raise InputError(f"{self.folder / MODEL} is another model: export the run again")
        self._corrections = ServingCorrections(info.ctr_shift, info.calibration)

    @classmethod
    def open(cls, folder: str | Path, threads: int | None = None) -> "Bundle":
        """Open a bundle; every file is checked against its sha256.

        Args:
            threads: that share the rows of one call, by default one for each core.

        Raises:
            InputError: it is no bundle, of a newer format, or not as it was written.
        """
        return cls(folder, threads)

    def reading(self, decimal: str | None) -> "Bundle":
        """This bundle for text whose decimals are separated so; itself where it reads it already.

        Args:
            decimal: "." or ",", None where the text does not say.
        """
        schema = self.info.log_schema
        if decimal is None or decimal == (schema.read.decimal or "."):
            return self
        read = schema.read.model_copy(update={"decimal": decimal})
        other = copy(self)
        other._encoder = self._encoder_for(schema.model_copy(update={"read": read}))
        return other

    def predicting_at(self, exposure_at: str | int) -> "Bundle":
        """This bundle, if it serves pCTR at that value of the exposure, or at "average".

        Raises:
            InputError: it serves pCTR elsewhere, as was settled when it was exported, or its run
                was trained without an exposure.
        """
        given, served = f"{option('exposure_at')} is {exposure_at}", self.info.exposure
        if served is None:
            raise InputError(
                f"{given}: {self.folder} is a bundle of a run without an exposure: leave it out"
            )
        if exposure_text(self.info.log_schema, str(exposure_at)) != served.at:
            raise InputError(
                f"{given}: {self.folder} is a bundle with pCTR at {served.column} = {served.at}: "
                f"give that, or the run, or a bundle that was exported at {exposure_at}"
            )
        return self

    def _encoder_for(self, schema: LogSchema) -> ServingEncoder:
        """An encoder of rows that are written as `schema` says."""
        info = self.info
        return ServingEncoder(
            schema,
            info.ids,
            info.numerics,
            info.bags,
            self.folder / VOCABULARIES,
            info.vectors,
            canonical=info.canonical,
        )

    @property
    def name(self) -> str:
        """What tables call it: the name of its folder."""
        return self.folder.resolve().name

    @property
    def method(self) -> str:
        """The method that trained it."""
        return self.info.method

    @property
    def log_schema(self) -> LogSchema:
        """The schema of the log that it was trained on."""
        return self.info.log_schema

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The raw columns that it needs."""
        return tuple(dict.fromkeys(c for names in self._encoder.columns.values() for c in names))

    @cached_property
    def vector_sizes(self) -> dict[str, int]:
        """How many numbers each vector has, by its raw column."""
        return {vector.name: vector.size for vector in self.info.vectors}

    def score(self, frame: FrameLike) -> pl.DataFrame:
        """Score raw rows: float32 `pctr`, `pcvr` and `pctcvr` for each, in order.

        Args:
            frame: the features of the log's schema, in any type that training accepts, as a
                polars, pandas or Arrow table or what has `__arrow_c_stream__`; labels and other
                columns are not read.

        Raises:
            InputError: a column is missing or of the wrong type.
        """
        return self.predict(self._raw(frame)).frame()

    def score_candidates(self, user: FrameLike, candidates: FrameLike) -> pl.DataFrame:
        """Score candidates that share the columns of the one row of `user`, encoded once.

        Raises:
            InputError: a column is in neither frame, or `user` has another number of rows.
        """
        return self.predict(self._raw(candidates), self._raw(user)).frame()

    def _raw(self, frame: FrameLike) -> RawRows:
        return RawRows(frame_with(frame, self.features))

    def predict(self, rows: RawRows, user: RawRows | None = None) -> Probabilities:
        """`score`, or `score_candidates` where there is a user, without frames.

        Raises:
            InputError: as they do.
        """
        if user is None:
            return self.run(self._encoder.encode(rows))
        if user.height != 1:
            raise InputError(f"the user's part has {user.height:,} rows: give one")
        theirs = self.features_of(user.names)
        of_user = self._encoder.encode(user, theirs)
        own = self._encoder.encode(
            rows, [name for name in self._encoder.columns if name not in of_user.features]
        )
        read_apart = self._model.user_features
        if not read_apart or not of_user.features >= read_apart:
            return self.run(of_user.beside(own))
        # What else the user's part has is read with each candidate.
        more = of_user.features > read_apart
        return self.run(of_user.beside(own) if more else own, of_user)

    def warm(self) -> None:
        """Build the tables that the first request would build, for values of any type."""
        self._encoder.warm()

    def features_of(self, columns: Collection[str]) -> tuple[str, ...]:
        """The features whose raw columns are all among `columns`."""
        have = set(columns)
        return tuple(
            name for name, needs in self._encoder.columns.items() if have.issuperset(needs)
        )

    def encode(self, frame: FrameLike, features: Collection[str] | None = None) -> EncodedRows:
        """Raw rows as arrays, of all features or of some.

        Parts are put together with `EncodedRows.beside`.

        Raises:
            InputError: a column is missing or of the wrong type.
        """
        return self._encoder.encode(self._raw(frame), features)

    def run(self, rows: EncodedRows, user: EncodedRows | None = None) -> Probabilities:
        """The probabilities of encoded rows.

        Args:
            user: one row with the `user_features` of the bundle, where `rows` share it; they are
                read from it, and the others from `rows`.

        Raises:
            InputError: a feature is missing, or there is more than one user.
        """
        for part in (rows, user):
            if part is not None and part.layout != self._encoder.layout:
                raise InputError("these rows are of another bundle: encode them with this one")
        read_apart = self._model.user_features
        if user is not None and (len(user) != 1 or not read_apart):
            raise InputError(
                f"{len(user):,} users and {len(read_apart)} features that are the user's "
                "in this bundle: put the parts together with `beside`"
            )
        read_of_user = frozenset() if user is None else read_apart
        lacking = [name for name in rows.missing if name not in read_of_user]
        if user is not None:
            lacking += [name for name in user.missing if name in read_of_user]
        if lacking:
            raise InputError(f"feature {lacking[0]!r} has not been encoded: give it as well")
        return self._corrections.probabilities(*self._model.run(rows, user))
