#!/bin/bash
# The filesystem of the working directory, of TMPDIR and of stdout is full to the last block.
. "$(dirname "$0")/common"
own_mounts

mkdir "$scratch/full"
mount -t tmpfs -o size=64k,mode=777 tmpfs "$scratch/full"
undo+=('umount "$scratch/full"')
: >"$scratch/full/out"
head -c 100k /dev/zero >"$scratch/full/ballast" 2>/dev/null || true
if echo x 2>/dev/null >"$scratch/full/more" && [ -s "$scratch/full/more" ]; then skip "the filesystem did not fill"; fi

echo "stdout elsewhere:"
doctor 10 env -C "$scratch/full" TMPDIR="$scratch/full" "$osprey" doctor --json --window 1s
diagnosed
ask '.findings[] | select(.condition == "filesystem_full") | .victim.name, .culprit.name' | grep -qx "$scratch/full" ||
	wrong "the full filesystem is not named: $(ask '.findings[] | .title')"

echo "stdout on it:"
doctor 10 env -C "$scratch/full" TMPDIR="$scratch/full" \
	bash -c 'exec "$0" doctor --json --window 1s >>out' "$osprey"
refused "No space left"

echo "stdout is /dev/full:"
doctor 10 bash -c 'exec "$0" doctor --window 1s >/dev/full' "$osprey"
refused "No space left"

echo "a capture on it:"
doctor 10 "$osprey" doctor --json --window 1s --capture "$scratch/full/capture"
refused "capture" "No space left"
# The diagnosis itself was made and is told; the half capture is refused when it is used.
jq -e '.schema == "osprey.doctor/1"' "$scratch/out" >/dev/null || wrong "the answer is lost with the capture"
if [ -e "$scratch/full/capture" ]; then
	doctor 10 "$osprey" doctor --host "$scratch/full/capture"
	refused "not a capture, or damaged"
fi
exit $bad
