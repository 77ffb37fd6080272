"""A hint to the processor that a value will soon be read, so that it need not be waited for then."""

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray


@intrinsic
def _compiled(_typing: Any, array: Any, at: Any) -> Any:
    del at  # whatever integer it is, it becomes one for addresses

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index = signature.args
        whole = arrayobj.make_array(kind)(context, builder, arguments[0])
        at = context.cast(builder, arguments[1], index, types.intp)
        places = [at] + [context.get_constant(types.intp, 0)] * (kind.ndim - 1)
        place = cgutils.get_item_pointer(context, builder, kind, whole, places, wraparound=False)
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        hint = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0",
        )
        # For reading, to be kept in all caches, data.
        builder.call(hint, [builder.bitcast(place, byte), *(number(flag) for flag in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _interpreted(array: NDArray[Any], at: int) -> None:
    """Do nothing: where no code is compiled, nothing is that fast."""


#: soon(array, at): the first axis of array will be read at `at`; one that is not there does no harm.
soon = _interpreted if config.DISABLE_JIT else _compiled
