#!/bin/bash
# The models of who waits, who visits and who sleeps hold in all orders, and fail when a step that they say is needed is left out.
set -euo pipefail
cd "$(dirname "$0")/../../runtime/model"
command -v spin >/dev/null || { echo "skip: no spin"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
models=$PWD
cd "$dir"
bad=0
# errors MODEL DEFINE…: how many the search ends with.
errors() {
	local model=$1
	shift
	spin -a "${@/#/-D}" "$models/$model.pml" >spin.out 2>&1 || { cat spin.out >&2; return 1; }
	cc -O0 -w -DSAFETY -DNOFAIR -o pan pan.c
	timeout 60 ./pan -m100000 -w20 >pan.out
	! grep -q 'max search depth too small' pan.out || { echo "$model $*: the search is cut short" >&2; return 1; }
	sed -n 's/.*errors: //p' pan.out
}
holds() { [ "$(errors "$@")" = 0 ] || { echo "not so: $* holds"; bad=1; }; }
fails() { [ "$(errors "$@")" = 1 ] || { echo "not so: $* fails"; bad=1; }; }

holds park
holds park ALONE
holds park WITHOUT_LIST
fails park NO_CLAIM
fails park NO_RECHECK ALONE
fails park NO_SETTLE ALONE
fails park ANY_WAITING WITHOUT_LIST
fails park EARLY_UNLOCK
holds door
for mutant in NO_BARRIER NO_WAIT NO_LOOK VISITED_FIRST; do fails door $mutant; done
holds idle WAITS
holds idle BLOCKS
for mutant in NO_BARRIER NO_WAKE SLEEPS_ANYWAY; do fails idle $mutant WAITS; done
fails idle NO_NOUTSIDE BLOCKS
exit $bad
