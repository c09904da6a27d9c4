"""What is read from a compiled program, on programs short enough to count by hand."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks.kernels import Kernel, donated, kernels

GPU = """\
HloModule jit_f, input_output_alias={ {0}: (0, {}, may-alias), {2}: (1, {}, \
may-alias) }, entry_computation_layout={(f32[8,4]{1,0})->(f32[8,4]{1,0})}

%inside (a: f32[8,4]) -> f32[8,4] {
  %a = f32[8,4]{1,0} parameter(0)
  ROOT %b = f32[8,4]{1,0} add(%a, %a)
}

ENTRY %main (p: f32[8,4], q: bf16[8,4], s: f32[]) -> (f32[8,4], u8[8,4], s32[]) {
  %p = f32[8,4]{1,0} parameter(0), metadata={op_name="p(0) = x"}
  %q = bf16[8,4]{1,0} parameter(1)
  %s = f32[] parameter(2)
  %fusion = (f32[8,4]{1,0}, u8[8,4]{1,0}, /*index=2*/f32[8]{0}) \
fusion(%p, %q, /*index=2*/%s, %p), kind=kLoop, calls=%inside
  %get-tuple-element = f32[8]{0} get-tuple-element(%fusion), index=2
  ROOT %tuple = (f32[8,4]{1,0}) tuple(%get-tuple-element)
}
"""
TPU = """\
HloModule jit_f

ENTRY %main (p: f32[8,4]) -> f32[8,4] {
  %p = f32[8,4]{1,0:T(8,128)} parameter(0)
  %copy-start = (f32[8,4]{1,0:T(8,128)S(1)}, f32[8,4]{1,0:T(8,128)}, u32[]{:S(2)}) \
copy-start(%p)
  %copy-done = f32[8,4]{1,0:T(8,128)S(1)} copy-done(%copy-start)
  %slice-start = ((f32[8,4]{1,0:T(8,128)}), f32[2,4]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) \
slice-start(%p), slice={[0:2], [0:4]}
  %slice-done = f32[2,4]{1,0:T(8,128)S(1)} slice-done(%slice-start)
  ROOT %fusion = pred[8,4]{1,0:T(8,128)(4,1)} fusion(%copy-done, %slice-done)
}
"""


def test_a_kernel_reads_each_operand_once_and_writes_its_outputs():
    # 128 of f32, 64 of bf16, 4 of the scalar; 128, 32 and 32 written.
    assert kernels(GPU) == [Kernel("fusion", 128 + 64 + 4 + 128 + 32 + 32, 32)]


def test_the_memory_of_a_tpu_costs_nothing():
    assert kernels(TPU) == [
        Kernel("copy-start", 128, 32),
        Kernel("slice-start", 32, 8),
        Kernel("fusion", 32, 32),
    ]
    assert [x.is_copy for x in kernels(TPU)] == [True, True, False]


def test_outputs_in_place_are_paired_with_inputs():
    assert donated(GPU) == {(0, 0), (2, 1)}
    assert donated(TPU) == set()


def test_a_loop_cannot_be_counted():
    def loop(x):
        return jax.lax.fori_loop(0, 3, lambda _, y: jnp.sin(y), x)

    program = jax.jit(loop).lower(jnp.ones(8)).compile().as_text()
    with pytest.raises(ValueError, match="while: expected a program without"):
        kernels(program)


def test_a_collective_is_one():
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("x",))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    rows = jax.ShapeDtypeStruct((8, 4), jnp.float32, sharding=split)
    program = jax.jit(lambda x: x.max(axis=0)).lower(rows).compile().as_text()
    assert [x.opcode for x in kernels(program) if x.is_collective] == ["all-reduce"]
