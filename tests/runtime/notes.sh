#!/bin/bash
# What the archive claims of indirect jumps and of shadow stacks, in its ELF notes, and that a link which asks for marked jumps has no
# complaint about it. For another machine: PREFIX=aarch64-linux-gnu-.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
prefix=${PREFIX:-}
archive=$(realpath -m "${BUILD:-build}")/runtime${prefix:+-${prefix%%-*}}/libospreyrt.a
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-notes.XXXXXX")
trap 'rm -rf "$work"' EXIT
bad=0
not_so() { echo "not so: $*"; bad=1; }

case $("${prefix}gcc" -dumpmachine) in
x86_64*) claims="x86 feature: IBT" asked=-Wl,-z,ibt,-z,cet-report=warning mark=endbr64 ;;
aarch64*) claims="AArch64 feature: BTI" asked=-Wl,-z,force-bti mark='bti' ;;
*) echo "skip: nothing is claimed on this machine"; exit 77 ;;
esac
claimed=$("${prefix}readelf" -nW "$archive" | grep -o '[^ ]* feature: .*' | sort -u)
[ "$claimed" = "$claims" ] || not_so "the archive claims '$claims' and nothing else ('$claimed')"

echo 'int rt_yield(void); int main(void) { return rt_yield(); }' >"$work/program.c"
complaints=$("${prefix}gcc" -o "$work/program" "$work/program.c" "$archive" -pthread "$asked" 2>&1 | grep -E 'ospreyrt.*(IBT|BTI)')
[ -z "$complaints" ] || not_so "a link that asks for marked jumps has no complaint: $complaints"

# Where it is jumped to there is a mark: behind each switch, and at each function whose address is taken.
"${prefix}objdump" -dw --no-show-raw-insn "$archive" >"$work/code"
[ "$(grep -cw "$mark" "$work/code")" -gt 50 ] || not_so "there are marks ($mark)"
# A function of AArch64 that switches keeps nothing in the upper halves of v8 to v15 (src/context.h).
awk '/^[0-9a-f]+ <.*>:$/ { at = $2; switches = 0; whole = "" }
	/\tbti\tj$/ { switches = 1; n++ }
	/[ ,{][vq](8|9|1[0-5])[.,} ]/ { whole = $0 }
	switches && whole != "" && !(at in told) { told[at]; print "not so: " at " keeps no whole vector over a switch: " whole }
	END { exit n > 0 ? 0 : 1 }' "$work/code" >"$work/vectors" || [ "$mark" != bti ] || not_so "it switches"
[ ! -s "$work/vectors" ] || { cat "$work/vectors"; bad=1; }
exit $bad
