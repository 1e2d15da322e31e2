#!/bin/bash
# `osprey run` below the root of cgroup v2: its cgroup is made beside the caller's, what it switched on in the
# parent is off again after the last run that needs it, and whom the subtree was given to needs no privilege.
. "$(dirname "$0")/../check.sh"

own_cgroup osprey-check memory pids
root=$(dirname "$cgroup")
mkdir "$cgroup/shell"
trap 'echo $BASHPID >"$root/cgroup.procs"; rmdir "$cgroup/shell"; drop_cgroup' EXIT
echo $BASHPID >"$cgroup/shell/cgroup.procs"

enabled() { tr ' ' '\n' <"$cgroup/cgroup.subtree_control" | sort | xargs; }
is() { [ "$2" = "$3" ] || fail "$1: '$2', wanted '$3'"; }

inside=$("$osprey" run -q --pids-limit 50 --memory-limit 100M -- cat /proc/self/cgroup)
[[ $inside == 0::/osprey-check/osprey-run-*-mp ]] || fail "it ran in $inside"
is "after it" "$(enabled)" ""

# Two at once: the controllers of each are off when it goes, but for those of the other.
mkfifo "${TMPDIR:-/tmp}/osprey-check.$$"
exec 7<>"${TMPDIR:-/tmp}/osprey-check.$$"
rm "${TMPDIR:-/tmp}/osprey-check.$$"
"$osprey" run -q --pids-limit 50 -- head -c 1 <&7 >/dev/null &
for _ in $(seq 200); do [ "$(enabled)" = pids ] && break; sleep 0.05; done
is "during the first" "$(enabled)" pids
"$osprey" run -q --pids-limit 40 --memory-limit 100M true || fail "the second: exit code $?"
is "after the second" "$(enabled)" pids
echo >&7
wait
is "after both" "$(enabled)" ""

# A delegated subtree.
place=$(mktemp -d)
cp "$osprey" "$place/osprey"
chmod 755 "$place"
chown -R 65534 "$cgroup"
inside=$(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$place/osprey" run -q --pids-limit 50 -- cat /proc/self/cgroup) || fail "delegated: exit code $?"
rm -r "$place"
[[ $inside == 0::/osprey-check/osprey-run-*-p ]] || fail "delegated, it ran in $inside"
is "after the delegated" "$(enabled)" ""
[ -z "$(find "$cgroup" -name 'osprey-run-*')" ] || fail "a cgroup is left"
