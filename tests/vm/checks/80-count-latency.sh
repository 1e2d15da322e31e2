#!/bin/bash
# Counts and latencies on this kernel: events, programs that load, and what is told where they cannot.
. "$(dirname "$0")/../check.sh"

work=$(mktemp -d)
# Huge pages would be one fault for many pages.
huge=/sys/kernel/mm/transparent_hugepage/enabled
if [ -w "$huge" ]; then
  before=$(sed 's/.*\[\(.*\)\].*/\1/' "$huge")
  echo never >"$huge"
fi
"$osprey" count --json --output "$work/json" -e page-faults,cs,sched:sched_switch -- \
  dd if=/dev/zero of=/dev/null bs=16M count=1 status=none || code=$?
[ "${code:-0}" = 0 ] || fail "count: exit code $code"
[ ! -w "$huge" ] || echo "$before" >"$huge"
faults=$(jq '.events[0].value' "$work/json")
[ "$faults" -ge 4096 ] && [ "$faults" -le 5000 ] || fail "16 MiB are $faults page faults"
[ "$(jq '.events[2].value' "$work/json")" != null ] || fail "no tracepoint counted: $(cat "$work/json")"
"$osprey" count --json --for 0.5 >"$work/json" || fail "count of the host: exit code $?"
[ "$(jq '.events[] | select(.name == "context-switches") | .value' "$work/json")" -gt 0 ] || fail "no switches"

old=
[ "$(printf '%s\n' 5.11 "$(uname -r)" | sort -V | head -1)" = 5.11 ] || old=1
for kind in runq disk syscall softirq futex; do
  if "$osprey" latency $kind --for 2 --json >"$work/json" 2>"$work/err"; then
    [ $kind = disk ] || [ $kind = futex ] || [ "$(jq .total.count "$work/json")" -gt 0 ] || fail "latency $kind: nothing"
    [ "$(jq '.total | (.count == 0 or ([.histogram[].count] | add) == .count)' "$work/json")" = true ] || fail "latency $kind: sums"
    echo "$kind: $(jq .total.count "$work/json")"
  else
    [ -n "$old" ] && grep -q 'needs Linux 5.11 with BTF' "$work/err" || fail "latency $kind: $(cat "$work/err")"
    echo "$kind: $(cat "$work/err")"
  fi
done
[ -z "$old" ] || exit 0

for by in all process thread; do
  "$osprey" trace --summary --by $by --json -o "$work/json" -- dd if=/dev/zero of=/dev/null bs=1 count=3000 status=none ||
    fail "trace --summary --by $by: exit code $?"
  writes=$(jq '[.calls[] | select(.call == "write") | .count] | add' "$work/json")
  [ "$writes" = 3000 ] || fail "trace --summary --by $by: $writes of 3000 writes"
done

# A cgroup and what lies below it, by the kernel's own ancestors; its name by its id.
own_cgroup osprey-latency cpu
mkdir "$cgroup/inner"
sh -c "echo \$\$ >'$cgroup/inner/cgroup.procs'; exec taskset -c 0 sh -c 'while :; do :; done'" &
taskset -c 0 sh -c 'while :; do :; done' &
other=$!
sleep 1
"$osprey" latency runq --cgroup /osprey-latency --by cgroup --for 3 --json >"$work/json" || fail "--cgroup: exit code $?"
kill $other
[ "$(jq '.rows | length' "$work/json")" = 1 ] || fail "rows: $(jq -c '[.rows[].name]' "$work/json")"
[ "$(jq -r '.rows[0].name' "$work/json")" = /osprey-latency/inner ] || fail "the cgroup is called $(jq -r '.rows[0].name' "$work/json")"
[ "$(jq '.rows[0].total_ns' "$work/json")" -gt 100000000 ] || fail "a spinner beside another waited $(jq '.rows[0].total_ns' "$work/json") ns"
"$osprey" count --cgroup /osprey-latency --json --for 1 >"$work/json" || fail "count --cgroup: exit code $?"
jq -e '.metrics.cpus_used > 0.1 and .metrics.cpus_used < 1.3' "$work/json" >/dev/null || fail "CPUs used by the cgroup: $(jq -c .metrics "$work/json")"
rmdir "$work" 2>/dev/null || rm -r "$work"
for pid in $(cat "$cgroup/inner/cgroup.procs"); do kill -9 "$pid"; done
sleep 1
rmdir "$cgroup/inner"
