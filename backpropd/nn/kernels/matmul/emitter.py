"""Vector instructions in LLVM IR: the vocabulary in which the micro-kernel and the transpositions are written."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from backpropd.nn.kernels.matmul.blocking import VECTOR_BYTES

INDEX, INT32, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)


def llvm_function(function: Callable[..., Any]) -> Any:
    """Numba's `intrinsic`: it passes the first argument, and compares the signature, which thus has no annotations."""
    return intrinsic(function)


def code_generator(emit: Callable[..., None]) -> Callable[..., Any]:
    """Numba's code generator from `emit`: it gets an emitter for the first array's dtype, and pointers for arrays."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dtypes: list[Any] = []

        def pointers(kind: Any, value: Any) -> Any:
            if isinstance(kind, types.NamedTuple):
                fields = cgutils.unpack_tuple(builder, value, len(kind))  # type: ignore[no-untyped-call]
                return kind.instance_class(*map(pointers, kind.types, fields))
            if isinstance(kind, types.Array):
                dtypes.append(kind.dtype)
                return context.make_array(kind)(context, builder, value).data
            return None if isinstance(kind, types.NoneType) else value

        values = list(map(pointers, signature.args, arguments))
        emit(Emitter(context, builder, dtypes[0]), *values)
        return context.get_dummy_value()

    return generate


@llvm_function
def vector_width(_typing, array):  # type: ignore[no-untyped-def]
    """How many numbers of the array's dtype fill a register: a constant, so that LLVM can divide by it cheaply."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return INDEX(VECTOR_BYTES * 8 // array.dtype.bitwidth)

    return types.intp(array), generate


class Emitter:
    """Appends instructions to the function under construction; each method returns the LLVM value of its result.

    A vector has `width` numbers and fills one register. `builder` is llvmlite's.
    """

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.builder = builder
        self.width = VECTOR_BYTES * 8 // int(dtype.bitwidth)
        self.number = context.get_value_type(dtype)
        self.vector = ir.VectorType(self.number, self.width)

    def address(self, pointer: Any, offset: Any, *steps: tuple[Any, Any]) -> Any:
        """The pointer to element offset + Σ index · stride, over the `steps` (index, stride)."""
        for index, stride in steps:
            offset = self.builder.add(_index(offset), self.builder.mul(_index(index), _index(stride)))
        return self.builder.gep(pointer, [_index(offset)])

    def load(self, pointer: Any, mask: Any = None, count: int = 0) -> Any:
        """The vector, or `count` numbers, at `pointer`, of any alignment; a false lane of the mask stays undefined."""
        vector = ir.VectorType(self.number, count) if count else self.vector
        if mask is None:
            return self.builder.load(self.builder.bitcast(pointer, vector.as_pointer()), align=4)
        arguments = [pointer, INT32(4), mask, ir.Constant(vector, ir.Undefined)]
        return self._call(f"masked.load.{_name(vector)}.p0", vector, arguments)

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """Write a vector to `pointer`; lanes where the mask is false are not written."""
        if mask is None:
            self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer()), align=4)
        else:
            self._call(f"masked.store.{_name(value.type)}.p0", ir.VoidType(), [value, pointer, INT32(4), mask])

    def accumulator(self) -> Any:
        """A variable that holds a vector of zeros; LLVM's optimizer promotes it to a register."""
        return cgutils.alloca_once_value(self.builder, ir.Constant(self.vector, [0.0] * self.width))  # type: ignore[no-untyped-call]

    def add_product(self, accumulator: Any, factor: Any, vector: Any) -> None:
        """accumulator += factor · vector, rounded once where the processor has a fused multiply-add."""
        arguments = [factor, vector, self.builder.load(accumulator)]
        self.builder.store(self._call(f"fmuladd.{_name(self.vector)}", self.vector, arguments), accumulator)

    def broadcast(self, number: Any) -> Any:
        """A vector with the number in every lane."""
        undefined = ir.Constant(ir.VectorType(number.type, self.width), ir.Undefined)
        first = self.builder.insert_element(undefined, number, INT32(0))
        return self.builder.shuffle_vector(first, undefined, _lanes([0] * self.width))

    def first_lanes(self, count: Any) -> Any:
        """A mask that is true in the first `count` lanes."""
        counts = self.broadcast(self.builder.trunc(count, INT32))
        return self.builder.icmp_signed("<", _lanes(range(self.width)), counts)

    def clipped(self, index: Any, count: Any) -> Any:
        """The index, or `count` - 1 if it is larger."""
        last = self.builder.sub(count, INDEX(1))
        return self.builder.select(self.builder.icmp_signed("<", last, index), last, index)

    def prefetch(self, pointer: Any) -> None:
        """Start to read the cache line at `pointer` into the L2 cache."""
        arguments = [self.builder.bitcast(pointer, BYTE.as_pointer()), INT32(0), INT32(2), INT32(1)]
        self._call("prefetch.p0", ir.VoidType(), arguments)  # to read, with locality 2, data

    def transposed(self, rows: Sequence[Any]) -> list[Any]:
        """The columns of a square, by swapping blocks on both sides of its diagonal, in log₂(width) rounds."""
        columns, distance = list(rows), 1
        while distance < self.width:
            lanes = range(self.width)
            upper = _lanes([k + self.width - distance if k & distance else k for k in lanes])
            lower = _lanes([k + self.width if k & distance else k + distance for k in lanes])
            for i in range(self.width):
                if not i & distance:
                    pair = columns[i], columns[i + distance]
                    columns[i] = self.builder.shuffle_vector(*pair, upper)
                    columns[i + distance] = self.builder.shuffle_vector(*pair, lower)
            distance *= 2
        return columns

    def _call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """LLVM's intrinsic function of this name."""
        kind = ir.FunctionType(result, [each.type for each in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}")  # type: ignore[no-untyped-call]
        return self.builder.call(function, arguments)


def _index(value: Any) -> Any:
    return INDEX(value) if isinstance(value, int) else value


def _name(vector: ir.VectorType) -> str:
    return f"v{vector.count}{vector.element.intrinsic_name}"


def _lanes(numbers: Sequence[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(INT32, len(numbers)), list(numbers))
