"""`prefetch(array, row)` for compiled code: fetch a row into the cache that is written soon."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Arguments of LLVM's prefetch: for writing, to be kept close, data.
_WRITE, _CLOSE, _DATA = 1, 3, 1


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, array: Any, row: Any) -> Any:
    """Fetch where row number `row` of `array` begins (one cache line). Only a hint."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, row_type = signature.args
        made = context.make_array(array_type)(context, builder, arguments[0])
        first = [context.cast(builder, arguments[1], row_type, types.intp)]
        first += [context.get_constant(types.intp, 0)] * (array_type.ndim - 1)
        place = cgutils.get_item_pointer(
            context, builder, array_type, made, first, wraparound=False
        )
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        hints = [number(hint) for hint in (_WRITE, _CLOSE, _DATA)]
        builder.call(function, [builder.bitcast(place, pointer), *hints])
        return context.get_dummy_value()

    return types.void(array, row), generate
