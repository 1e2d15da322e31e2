#!/bin/bash
# Every source says how it stands, and the BPF task iterator can be read.
. "$(dirname "$0")/../check.sh"

[ -e /sys/kernel/btf/vmlinux ] || skip "no BTF in this kernel"
list=$("$osprey" sources --json)
iterator=$(jq -r '.sources[] | select(.source == "task_iterator") | "\(.presence) \(.needs)"' <<<"$list")
[[ $iterator = present* ]] || fail "the BPF task iterator cannot be read: $iterator"
mute=$(jq -r '.sources[] | select(.presence != "present" and .needs == null) | .source' <<<"$list")
[ -z "$mute" ] || fail "these sources do not say what they need:" $mute
