# What the tools share: messages, the cache directory, and where this machine's
# apt finds Debian.  Sourced, never run.
# shellcheck shell=bash

tool=${0##*/}
# shellcheck disable=SC2034  # for those who source this
osprey_cache=${XDG_CACHE_HOME:-~/.cache}/osprey

say() { printf '%s: %s\n' "$tool" "$*" >&2; }

# A tool whose exit code belongs to a command sets die_code to one of its own.
die() { say "$*"; exit "${die_code:-1}"; }

# The comment at the top of a tool is its help.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }

# need PROGRAM... TARGET: each program exists, or `tools/setup TARGET` brings it.
need() {
  local target=${*: -1} program missing=()
  for program in "${@:1:$#-1}"; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [ ${#missing[@]} = 0 ] || die "not installed: ${missing[*]} (run: tools/setup $target)"
}

host_codename() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# archive_uri SUITE: the address apt has for SUITE, nothing when it has none.
# This form of the question needs no downloaded lists.
archive_uri() {
  apt-get update --print-uris | sed -n "s|^'\(.*\)/dists/$1/InRelease'.*|\1|p" | sed -n 1p
}

archive_keyring() {
  local file
  for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    if [ -e "$file" ]; then echo "$file"; return; fi
  done
  die "no Debian archive keyring (package debian-archive-keyring)"
}
