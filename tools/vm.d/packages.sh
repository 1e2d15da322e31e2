# Packages of any suite of the archive, unpacked and never installed: apt with
# sources, lists and cache of its own, so that the host's stay as they are.
# Needs $cache.
# shellcheck shell=bash disable=SC2154

declare -A suite_updated=()

# apt_for SUITE PROGRAM ARG...
apt_for() {
  local dir=$cache/apt/$1 program=$2
  shift 2
  "$program" -q -o Dir::Etc::SourceList="$dir/suite.sources" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root "$@"
}

# update_suite SUITE: fresh lists, once a run.
update_suite() {
  local suite=$1 dir=$cache/apt/$1 own uri keyring
  [ -z "${suite_updated[$suite]:-}" ] || return 0
  need apt-get dpkg-deb kernels
  own=$(host_codename)
  uri=$(archive_uri "$own")
  [ -n "$uri" ] || die "apt has no archive for this system's suite '$own'"
  keyring=$(archive_keyring)
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
    "$uri" "$suite" "$keyring" >"$dir/suite.sources"
  apt_for "$suite" apt-get update --error-on=any >"$dir/update.log" 2>&1 || {
    tail -n 5 "$dir/update.log" >&2
    die "cannot read the package lists of $suite"
  }
  suite_updated[$suite]=1
}

# depends_of SUITE PACKAGE: the names it depends on, one a line.
depends_of() {
  apt_for "$1" apt-cache depends "$2" 2>/dev/null | sed -n 's/^ *Depends: //p'
}

# unpack SUITE DIR PACKAGE...
unpack() {
  local suite=$1 dir=$2 download file
  shift 2
  download=$(mktemp -d "$cache/download.XXXXXX")
  (cd "$download" && apt_for "$suite" apt-get download "$@" >log 2>&1) || {
    tail -n 5 "$download/log" >&2
    rm -rf "$download"
    die "cannot download $* from $suite"
  }
  mkdir -p "$dir"
  for file in "$download"/*.deb; do dpkg-deb -x "$file" "$dir"; done
  rm -rf "$download"
}
