#!/bin/bash
# Threads are read without a stop, and what they wait for is told; calls are traced; blocked time has stacks. Where the
# kernel lacks what one of them needs, the reason is said.
. "$(dirname "$0")/../check.sh"

since() { printf '%s\n%s\n' "$1" "$(uname -r)" | sort -CV; }
sleep 60 &
sleeper=$!
sh -c 'while :; do sleep 0.02; done' &
busy=$!
# shellcheck disable=SC2064  # the pids of now
trap "kill $sleeper $busy" EXIT
for _ in $(seq 100); do grep -q nanosleep "/proc/$sleeper/wchan" && break; sleep 0.05; done

json=$("$osprey" stack "$sleeper" --json) || fail "osprey stack: exit code $?"
jq -e '.stopped_threads == 0 and .threads == 1' <<<"$json" >/dev/null || fail "stopped: $(jq -c '{stopped_threads, threads}' <<<"$json")"
jq -e '.stacks[0].threads[0].waits | test("time to pass")' <<<"$json" >/dev/null || fail "what it waits for: $(jq -c '.stacks[0].threads' <<<"$json")"
jq -e '.stacks[0].frames | length >= 1' <<<"$json" >/dev/null || fail "no frames"
jq -e '.stacks[0].kernel_frames | any(.function // "" | test("nanosleep"))' <<<"$json" >/dev/null ||
  fail "the kernel's frames: $(jq -c '.stacks[0].kernel_frames' <<<"$json")"
# bpf_copy_from_user_task came with 5.18
if since 5.18; then
  jq -e '.why_no_bpf == null' <<<"$json" >/dev/null || fail "not by BPF: $(jq -r .why_no_bpf <<<"$json")"
else
  jq -e '.why_no_bpf != null' <<<"$json" >/dev/null || fail "no reason why it was not by BPF"
fi
"$osprey" locks --now "$sleeper" >/dev/null || fail "osprey locks: exit code $?"
"$osprey" memory --pid "$sleeper" --json | jq -e '.total.resident_bytes > 0' >/dev/null || fail "osprey memory --pid"

[ -e /sys/kernel/btf/vmlinux ] || exit 0
code=0
out=$("$osprey" trace "$busy" --for 1s --summary 2>&1) || code=$?
if since 5.13; then
  [ "$code" = 0 ] || fail "osprey trace: exit code $code: $out"
  grep -qE 'clone|wait4|vfork' <<<"$out" || fail "calls of the shell: $out"
fi
if since 5.17; then
  json=$("$osprey" offcpu "$busy" --for 1s --json) || fail "osprey offcpu: exit code $?"
  jq -e '.waits > 10 and .lost == 0 and (.rows | length) > 0' <<<"$json" >/dev/null || fail "blocked: $(jq -c 'del(.rows)' <<<"$json")"
fi
