"""A tile of a matrix product, held in vector registers: LLVM's own code, for no loop of Numba's becomes this.

The tile's size follows from the registers of the processor that it is compiled for.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Suppressed below: numba compares an intrinsic's signature with what it compiles, so that it can have no types; and
# gives it the typing context itself. Its own code generator has none either.
INT, LANE = ir.IntType(64), ir.IntType(32)


def _registers() -> tuple[int, int, int]:
    """The bytes of a vector; how many rows a tile has, and how many vectors are in each."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 64, 8, 2
    if features.get("avx2"):
        return 32, 4, 2
    return 16, 4, 4 if platform.machine() in ("aarch64", "arm64") else 2


VECTOR_BYTES, ROWS, VECTORS = _registers()
LIFTED = 16  # numbers of a row, a line of the cache: of rows that lie a power of two apart few stay there together


def tile(rows: int, vectors: int, *, whole: bool) -> Any:
    """Compiled code for a tile of so many rows and vectors a row: C = A B, or C += A B if not `fresh`.

    Every array is flat, with the place where the tile begins. A's rows lie `a_row` apart and its columns, which are
    `steps` in number, `a_step`; B's rows are `b_step` apart, C's `c_row`; the rows of both are contiguous. Of a tile
    that is not `whole` only so many `columns` are C's: all but some of the last vector.
    """

    @intrinsic
    def compiled(  # type: ignore[no-untyped-def]
        _typing, a, a_start, a_row, a_step, b, b_start, b_step, c, c_start, c_row, columns, steps, fresh
    ):
        place = types.intp
        signature = types.void(a, place, place, place, b, place, place, c, place, place, place, place, types.boolean)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            builder.function.attributes.add("noinline")  # or else every caller's caller has all tiles to compile again
            pointer = _pointers(context, builder, signature, arguments)
            _, a_start, a_row, a_step, _, b_start, b_step, _, c_start, c_row, columns, steps, fresh = arguments
            vector = _vector_of(context, signature.args[0].dtype)
            of_last = builder.sub(columns, INT((vectors - 1) * vector.count))
            mask = None if whole else _first(builder, of_last, vector)

            def masked(column: int) -> Any:
                return mask if column == vectors - 1 else None

            def of_c(row: int, column: int) -> Any:
                start = builder.add(c_start, builder.mul(c_row, INT(row)))
                return builder.gep(pointer[7], [builder.add(start, INT(column * vector.count))])

            places = [(row, column) for row in range(rows) for column in range(vectors)]
            sums = [_zero(builder, vector) for _ in places]
            with builder.if_then(builder.not_(fresh)):
                for total, where in zip(sums, places, strict=True):
                    builder.store(_load(builder, of_c(*where), vector, masked(where[1])), total)
            starts = [builder.add(a_start, builder.mul(a_row, INT(row))) for row in range(rows)]
            with cgutils.for_range(builder, steps) as loop:
                of_b = builder.gep(pointer[4], [builder.add(b_start, builder.mul(loop.index, b_step))])
                across = [
                    _load(builder, builder.gep(of_b, [INT(column * vector.count)]), vector) for column in range(vectors)
                ]
                down = builder.mul(loop.index, a_step)
                factors = [
                    _spread(builder, builder.load(builder.gep(pointer[0], [builder.add(start, down)])), vector)
                    for start in starts
                ]
                for total, (row, column) in zip(sums, places, strict=True):
                    more = _multiply_add(builder, factors[row], across[column], builder.load(total))
                    builder.store(more, total)
            for total, where in zip(sums, places, strict=True):
                _store(builder, builder.load(total), of_c(*where), masked(where[1]))
            return context.get_dummy_value()

        return signature, code

    return compiled


@intrinsic
def lift(_typing, a, start, row, rows, out):  # type: ignore[no-untyped-def]
    """The first LIFTED numbers of `rows` rows that lie `row` apart, of each row ROWS of them together."""
    place = types.intp
    signature = types.void(a, place, place, place, out)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, row, rows, _ = arguments
        pointer = _pointers(context, builder, signature, arguments)
        vector = ir.VectorType(context.get_value_type(signature.args[0].dtype), ROWS)
        with cgutils.for_range(builder, rows) as loop:
            there = builder.add(start, builder.mul(loop.index, row))
            _prefetch(builder, builder.gep(pointer[0], [builder.add(there, INT(LIFTED))]))
            for first in range(0, LIFTED, ROWS):
                numbers = _load(builder, builder.gep(pointer[0], [builder.add(there, INT(first))]), vector)
                here = builder.add(builder.mul(rows, INT(first)), builder.mul(loop.index, INT(ROWS)))
                _store(builder, numbers, builder.gep(pointer[4], [here]))
        return context.get_dummy_value()

    return signature, code


@intrinsic
def turn(_typing, source, start, row, rows, out, out_start, out_row):  # type: ignore[no-untyped-def]
    """As many columns as a vector has numbers become rows of `out`; of `rows` that are fewer, the last comes again.

    Arrays are flat, each with the place where its square begins; their rows are `row` and `out_row` apart.
    """
    place = types.intp
    signature = types.void(source, place, place, place, out, place, place)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, row, rows, _, out_start, out_row = arguments
        pointer = _pointers(context, builder, signature, arguments)

        def begin(number: Any) -> Any:
            there = builder.add(start, builder.mul(row, _at_most(builder, number, rows)))
            return builder.gep(pointer[0], [there])

        _turn(builder, begin, _vector_of(context, signature.args[0].dtype), pointer[4], out_start, out_row)
        return context.get_dummy_value()

    return signature, code


@intrinsic
def gather(_typing, source, width, listed, first, column, out, out_start, out_row):  # type: ignore[no-untyped-def]
    """As `turn`, of the rows of `source` (n, width) that are `listed`, from the `first` of them on."""
    place = types.intp
    signature = types.void(source, place, listed, place, place, out, place, place)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, width, listed, first, column, _, out_start, out_row = arguments
        pointer = _pointers(context, builder, signature, arguments)
        length = context.make_array(signature.args[2])(context, builder, listed).nitems

        def begin(number: Any) -> Any:
            which = _at_most(builder, builder.add(first, number), length)
            row = builder.load(builder.gep(pointer[2], [which]))
            return builder.gep(pointer[0], [builder.add(builder.mul(row, width), column)])

        _turn(builder, begin, _vector_of(context, signature.args[0].dtype), pointer[5], out_start, out_row)
        return context.get_dummy_value()

    return signature, code


def _turn(builder: Any, begin: Any, vector: ir.VectorType, out: Any, out_start: Any, out_row: Any) -> None:
    """The square whose rows `begin` there, turned."""
    square = [_load(builder, begin(INT(number)), vector) for number in range(vector.count)]
    for number, column in enumerate(_transposed(builder, square)):
        there = builder.add(out_start, builder.mul(out_row, INT(number)))
        _store(builder, column, builder.gep(out, [there]))


def _at_most(builder: Any, number: Any, count: Any) -> Any:
    """The number, or the last below `count`."""
    last = builder.sub(count, INT(1))
    return builder.select(builder.icmp_signed("<", last, number), last, number)


def _pointers(context: Any, builder: Any, signature: Any, arguments: Any) -> dict[int, Any]:
    """Where the numbers of each argument that is an array lie."""
    return {
        index: context.make_array(kind)(context, builder, arguments[index]).data
        for index, kind in enumerate(signature.args)
        if isinstance(kind, types.Array)
    }


def _vector_of(context: Any, dtype: Any) -> ir.VectorType:
    return ir.VectorType(context.get_value_type(dtype), VECTOR_BYTES * 8 // dtype.bitwidth)


def _load(builder: Any, pointer: Any, vector: ir.VectorType, mask: Any = None) -> Any:
    if mask is None:
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)
    empty = ir.Constant(vector, ir.Undefined)
    arguments = [pointer, LANE(4), mask, empty]
    return builder.call(_intrinsic(builder, "masked.load", vector, arguments, suffix=".p0"), arguments)


def _store(builder: Any, value: Any, pointer: Any, mask: Any = None) -> None:
    if mask is None:
        builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)
        return
    arguments = [value, pointer, LANE(4), mask]
    builder.call(_intrinsic(builder, "masked.store", ir.VoidType(), arguments, suffix=".p0"), arguments)


def _prefetch(builder: Any, pointer: Any) -> None:
    """Have the line of the cache come near in which this place lies: of data, to be read, into the second cache."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, LANE, LANE, LANE])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
    builder.call(function, [builder.bitcast(pointer, byte), LANE(0), LANE(2), LANE(1)])


def _first(builder: Any, count: Any, vector: ir.VectorType) -> Any:
    """Which places of a vector are among the first so many."""
    wanted = _spread(builder, builder.trunc(count, LANE), ir.VectorType(LANE, vector.count))
    return builder.icmp_signed("<", _order(list(range(vector.count))), wanted)


def _zero(builder: Any, vector: ir.VectorType) -> Any:
    """A place for a vector of zeros, which becomes a register."""
    return cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * vector.count))  # type: ignore[no-untyped-call]


def _spread(builder: Any, number: Any, vector: ir.VectorType) -> Any:
    """The number in every place of a vector."""
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, number, LANE(0))
    return builder.shuffle_vector(first, empty, _order([0] * vector.count))


def _multiply_add(builder: Any, factor: Any, vector: Any, total: Any) -> Any:
    """factor · vector + total, rounded once where the processor has an instruction for it."""
    arguments = [factor, vector, total]
    return builder.call(_intrinsic(builder, "fmuladd", total.type, arguments), arguments)


def _intrinsic(builder: Any, name: str, result: Any, arguments: list[Any], suffix: str = "") -> Any:
    """LLVM's own function of this name for the vectors that are its first argument or its result."""
    vector = next(kind for kind in (result, arguments[0].type) if isinstance(kind, ir.VectorType))
    name = f"llvm.{name}.v{vector.count}{vector.element.intrinsic_name}{suffix}"
    kind = ir.FunctionType(result, [each.type for each in arguments])
    return cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """A square of vectors, turned by swapping ever larger blocks on both sides of its diagonal."""
    count = len(rows)
    distance = 1
    while distance < count:
        low = _order([k + count - distance if k & distance else k for k in range(count)])
        high = _order([k + count if k & distance else k + distance for k in range(count)])
        turned = list(rows)
        for i in range(count):
            if not i & distance:
                pair = rows[i], rows[i + distance]
                turned[i] = builder.shuffle_vector(*pair, low)
                turned[i + distance] = builder.shuffle_vector(*pair, high)
        rows, distance = turned, 2 * distance
    return rows


def _order(places: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(LANE, len(places)), places)
