#!/bin/sh
# Runs the tests of ganlet's CUDA path on this machine's GPU. It needs an NVIDIA driver from 580 on, and CUDA 13's cuBLAS and cuRAND where
# the system finds libraries: those of the toolkit, or those that PyTorch brings in site-packages/nvidia/cu13/lib, through LD_LIBRARY_PATH.
cd "$(dirname "$0")" || exit 2
# Makes the tests fail where they find no GPU, instead of doing without.
export GANLET_REQUIRE_GPU=1
# One at a time: a test that opens the GPU waits for all of it, which ends the recording of another.
export RUST_TEST_THREADS=1
failed=''
for test in tests/*; do
    echo "== $test"
    "$test" || failed="$failed $test"
done
if command -v compute-sanitizer > /dev/null; then
    for tool in @TOOLS@; do
        for name in @SHORT@; do
            echo "== compute-sanitizer $tool tests/$name"
            compute-sanitizer --tool "$tool" --error-exitcode 1 "tests/$name" || failed="$failed $tool:$name"
        done
    done
else
    echo "compute-sanitizer is not on the PATH: what kernels read and write was not looked at."
fi
if [ -n "$failed" ]; then
    echo "FAILED:$failed"
    exit 1
fi
echo "All tests passed on this machine's GPU. For the speed: ./ganlet train --device cuda"
