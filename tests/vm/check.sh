# The vocabulary of the checks.  Sourced, never run.
# shellcheck shell=bash

set -euo pipefail
# shellcheck disable=SC2034  # for those who source this
osprey=${BUILD:-build}/osprey

fail() { echo "$*" >&2; exit 1; }
skip() { echo "$*"; exit 77; }

# doctor ARG...: its JSON on stdout.  Exit code 1 only says that there are findings.
doctor() {
  local code=0
  "$osprey" doctor --json "$@" || code=$?
  [ "$code" -le 1 ] || fail "osprey doctor --json $*: exit code $code"
}

# own_cgroup NAME CONTROLLER...: makes a cgroup below the root with the controllers
# and sets `cgroup` to its directory; it is emptied and removed when the check ends.
own_cgroup() {
  local root=/sys/fs/cgroup controller
  cgroup=$root/$1
  shift
  [ -e "$root/cgroup.controllers" ] || skip "no cgroup v2 at $root"
  for controller; do
    grep -qw "$controller" "$root/cgroup.controllers" || skip "no $controller controller in cgroup v2"
    echo "+$controller" >"$root/cgroup.subtree_control"
  done
  mkdir "$cgroup"
  trap drop_cgroup EXIT
}

drop_cgroup() {
  local pid
  if [ -e "$cgroup/cgroup.kill" ]; then # since 5.14
    echo 1 >"$cgroup/cgroup.kill"
  else
    while read -r pid; do kill -9 "$pid"; done <"$cgroup/cgroup.procs"
  fi
  # The kernel says 0 when the last process has left.
  until grep -q '^populated 0' "$cgroup/cgroup.events"; do sleep 0.05; done
  rmdir "$cgroup"
}
