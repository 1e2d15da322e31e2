#!/bin/bash
# The runtime on AArch64: made by the cross compiler, its tests run by qemu's user mode. With a reserve of 8 GiB, since qemu walks over
# all that a program reserves.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
prefix=aarch64-linux-gnu
command -v $prefix-gcc >/dev/null || { echo "skip: no $prefix-gcc"; exit 77; }
command -v qemu-aarch64 >/dev/null || { echo "skip: no qemu-aarch64"; exit 77; }
build=$(realpath -m "${BUILD:-build}")/runtime-aarch64
tests=(chan fiber sync scope litmus pin epoch arena)
programs=("${tests[@]/%/_test}")
programs=("${programs[@]/#/$build/tests/}")
make -s -j2 OPT=-O1 -C runtime BUILD="$build" WERROR=1 CC=$prefix-gcc LD=$prefix-ld AR=$prefix-ar OBJCOPY=$prefix-objcopy "${programs[@]}" || exit 1
bad=0
for program in "${programs[@]}"; do
	RT_LIGHTER=30 timeout 60 qemu-aarch64 -R 8G -L /usr/$prefix "$program" || { echo "failed: $(basename "$program"), $?"; bad=1; }
done
PREFIX=$prefix- tests/runtime/notes.sh || bad=1
exit $bad
