#!/bin/bash
# Cores where PAGEMAP_SCAN is there and where it is not: the way that the kernel allows is taken and told, the process
# lives on and has no child.
. "$(dirname "$0")/../check.sh"

work=$(mktemp -d)
bash -c 'variable_of_the_target=1234567; while :; do sleep 1000; done' &
target=$!
trap 'kill -9 $target $(pgrep -P $target) 2>/dev/null; rm -rf "$work"' EXIT
sleep 2
first=$("$osprey" core $target -o "$work/auto" --json | jq -r .method)
newer=$(printf '%s\n' 6.7 "$(uname -r)" | sort -V | head -n 1)
[ "$newer" = 6.7 ] && wanted=precopy || wanted=fork
[ "$first" = $wanted ] || fail "$(uname -r): $first in place of $wanted"
for way in fork plain; do
  "$osprey" core $target --method $way -o "$work/$way" >/dev/null || fail "$way: exit code $?"
done
for way in auto fork plain; do
  grep -qa 1234567 "$work/$way" || fail "$way: its memory is not in it"
  [ "$(readelf -nW "$work/$way" | grep -c PRSTATUS)" = 1 ] || fail "$way: its registers are not in it"
done
if [ $wanted = fork ]; then
  code=0
  "$osprey" core $target --method precopy -o "$work/precopy" 2>"$work/err" || code=$?
  [ $code = 3 ] && grep -q 'needs Linux 6.7' "$work/err" || fail "precopy: $code, $(cat "$work/err")"
fi
grep -q '^State:.S' /proc/$target/status || fail "the target is $(grep State /proc/$target/status)"
grep -q '^TracerPid:.0$' /proc/$target/status || fail "it is traced"
[ "$(pgrep -P $target | wc -l)" = 1 ] || fail "it has another child"
