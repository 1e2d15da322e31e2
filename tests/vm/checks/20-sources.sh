#!/bin/bash
# Every source says how it stands, and the BPF task iterator can be read.
. "$(dirname "$0")/../check.sh"

[ -e /sys/kernel/btf/vmlinux ] || skip "no BTF in this kernel"
list=$("$osprey" sources)
iterator=$(grep -iE 'task.?iter|iter.?task|bpf.*task|task.*bpf' <<<"$list") ||
  fail "no BPF task iterator among the sources:"$'\n'"$list"
grep -qiE '\b(readable|present|ok|yes)\b' <<<"$iterator" ||
  fail "the BPF task iterator cannot be read: $iterator"
