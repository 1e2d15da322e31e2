#!/bin/bash
# tools/capture-edit and tools/capture-host: what they change, refuse and fetch.
set -euo pipefail
cd "$(dirname "$0")/../.."
osprey=${BUILD:-build}/osprey
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
wrong() { echo "not so: $*"; bad=1; }
fails() { ! "$@" >"$work/out" 2>"$work/err" || wrong "it should fail: $*"; }
small=tests/hosts/6.12-cgroup2.capture
edit() { tools/capture-edit "$small" -o "$work/edited" "$@"; }
text() { tools/capture-edit "$work/edited" --unpack; }
# Through a file: grep -q stops reading, and a writer that is cut off fails the pipe.
has() { text >"$work/text"; grep -a "$@" "$work/text" >"$work/lines"; }

# Packing what was unpacked changes nothing.
edit
cmp <(tools/capture-edit "$small" --unpack) <(text) || wrong "a capture without edits is another one"

edit --replace 'osprey-vm' 'shop-front-one'
has '^have 15 /proc/sys/kernel/hostname$' || wrong "the length does not follow the text"
"$osprey" doctor --host "$work/edited" >"$work/out" || [ $? = 1 ] || wrong "an edited capture is no host"
grep -q '^shop-front-one ' "$work/out" || wrong "the edited name does not show"

edit --drop-keys '^/proc/pressure'
! has '^have .* /proc/pressure' || wrong "dropped keys are still there"
edit --drop-lines '^/proc/meminfo$' '^MemFree'
! has '^MemFree' || wrong "dropped lines are still there"

edit --hide-cgroups '/web\.service'
! has -E '^[0-9]+ web\.service|^(have|miss) .*/web\.service' || wrong "a hidden cgroup is still there"
has 'db\.service' || wrong "another cgroup went with it"

tools/capture-edit tests/hosts/6.18-hybrid.capture -o "$work/edited" --cut 2
text >"$work/text"
awk '$1 == "tick" { if (!first) first = $2; last = $2 } END { exit !(last - first > 0.8e9 && last - first < 2.1e9) }' "$work/text" ||
	wrong "2 s were not kept"
"$osprey" doctor --json --host "$work/edited" >"$work/json" || [ $? = 1 ] || wrong "a cut capture is no host"
jq -e '.window_s < 2.1 and .host.processes > 1' "$work/json" >/dev/null || wrong "a cut capture lost its processes"

fails edit --refuse 'web\.service'
grep -q 'web' "$work/err" || wrong "it does not tell where: $(cat "$work/err")"
fails tools/capture-edit "$0" --stat
grep -q 'capture_tools' "$work/err" || wrong "it does not name the file: $(cat "$work/err")"
fails tools/capture-edit "$small" --no-such-option

# The big machine is what it is said to be.
tests/hosts/make-numa "$small" "$work/big" 16
"$osprey" doctor --json --host "$work/big" >"$work/json" || [ $? = 1 ] || wrong "the big machine is no host"
jq -e '.host.cpus == 16 and .host.numa_nodes == 2 and .host.memory_bytes > 15e9' "$work/json" >/dev/null ||
	wrong "the big machine: $(jq -c .host "$work/json")"

# ssh is a shell here: what capture-host says to the other machine runs on this one.
cat >"$work/ssh" <<'SSH'
#!/bin/sh
[ "$1" = shop ] || exit 255
shift
exec sh -c "$*"
SSH
chmod +x "$work/ssh"
TMPDIR=$work tools/capture-host shop --ssh "$work/ssh" --seconds 1 -o "$work/shop.capture" >"$work/out" 2>"$work/err" ||
	wrong "capture-host: $(cat "$work/err")"
"$osprey" doctor --json --host "$work/shop.capture" >"$work/json" || [ $? = 1 ] || wrong "no capture of the host"
jq -e '.host.processes > 1' "$work/json" >/dev/null || wrong "the capture has no processes"
[ -z "$(find "$work" -name 'osprey-capture.*')" ] || wrong "capture-host left something on the host"
fails env TMPDIR="$work" tools/capture-host elsewhere --ssh "$work/ssh" --seconds 1 -o "$work/x.capture"
grep -q 'cannot reach elsewhere' "$work/err" || wrong "an unreachable host: $(cat "$work/err")"
fails tools/capture-host --seconds none
exit $bad
