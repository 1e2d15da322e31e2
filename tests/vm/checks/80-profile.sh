#!/bin/bash
# Stacks are sampled and unwound in the kernel: of a busy process and of the host.
. "$(dirname "$0")/../check.sh"

[ -e /sys/kernel/btf/vmlinux ] || skip "no BTF in this kernel"
sh -c 'while :; do :; done' &
busy=$!
# shellcheck disable=SC2064  # the pid of now
trap "kill $busy" EXIT
code=0
json=$("$osprey" profile "$busy" --for 2s --json) || code=$?
# bpf_loop came with 5.17
if printf '5.17\n%s\n' "$(uname -r)" | sort -CV; then
  [ "$code" = 0 ] || fail "osprey profile: exit code $code"
  jq -e '.samples > 0 and .lost == 0' <<<"$json" >/dev/null || fail "no samples, or lost ones"
  jq -e '.user_stacks.whole / .samples > 0.9' <<<"$json" >/dev/null || fail "stacks are cut: $(jq -c .user_stacks <<<"$json")"
  jq -e '[.functions[].function] | index("main")' <<<"$json" >/dev/null || jq -e '[.functions[].module] | any(test("dash|^sh$"))' <<<"$json" >/dev/null ||
    fail "the shell is not named: $(jq -c '.functions[:5]' <<<"$json")"
  "$osprey" profile --for 2s --json | jq -e --arg p "sh [$busy]" '[.frames[].function] | index($p)' >/dev/null || fail "the host's profile does not name sh [$busy]"
else
  [ "$code" = 3 ] || fail "exit code $code on a kernel without bpf_loop"
fi
