"""Every pandas type that holds a column."""

from collections.abc import Callable

import pandas as pd

from representations.dtypes import arrays
from representations.logical import Kind, Values


def series_ways(kind: Kind, values: Values, style: str) -> dict[str, Callable[[], pd.Series]]:
    gaps = any(value is None for value in values)
    present = [value for value in values if value is not None]
    first = present[0] if present else None
    as_object = {"object": lambda: pd.Series(values, dtype=object)}
    if kind.role in ("ids", "weighted") or first is None:
        return as_object
    if style == "object":
        return as_object
    ways: dict[str, Callable[[], pd.Series]] = {}
    if style == "categorical" and isinstance(first, str | int | float):
        return {"categorical": lambda: pd.Series(pd.Categorical(values))}
    number = isinstance(first, int | float) and not isinstance(first, bool)
    if number and style == "numpy":
        for name, make in arrays(kind, values).items():
            if name == "float64 nan" or (not gaps and name in ("int64", "int8", "uint64")):
                ways[name] = lambda make=make: pd.Series(make().to_numpy(zero_copy_only=False))
    elif number:
        for name, make in arrays(kind, values).items():
            if name in ("int64", "uint64", "int16", "float64"):
                mine = name.capitalize().replace("Ui", "UI")
                ways[mine] = lambda make=make, mine=mine: make().to_pandas(
                    types_mapper={make().type: getattr(pd, mine + "Dtype")()}.get
                )
    elif isinstance(first, bool):
        if style == "nullable":
            ways["boolean"] = lambda: pd.Series(values, dtype="boolean")
        elif not gaps:
            ways["bool"] = lambda: pd.Series(values, dtype=bool)
    elif isinstance(first, str):
        ways["string"] = lambda: pd.Series(values, dtype="string" if style == "nullable" else "str")
    else:
        for name, make in arrays(kind, values).items():
            if name.startswith("timestamp"):
                ways[name] = lambda make=make: make().to_pandas()
            elif style == "nullable":
                ways[f"{name}[pyarrow]"] = lambda make=make: pd.Series(
                    pd.arrays.ArrowExtensionArray(make())
                )
    return ways or as_object
