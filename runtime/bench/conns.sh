#!/bin/bash
# 100 000 connections at a time that are idle, without a fiber each (net_conns.c): bytes of a connection
# beyond the kernel's. Prints "row <TAB> peer <TAB> bytes" and the verdict. 0: the goal is reached, 1: it is
# missed, 77: the limits here are too low.
set -u
connections=${CONNECTIONS:-100000}
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
of "$build/bench/net_conns" || exit 3

out=$(timeout 300 "$build/bench/net_conns" "$connections")
status=$?
echo "$out"
[ $status = 0 ] || exit $status
bytes=$(echo "$out" | sed 's/.*, \([0-9]*\) bytes each.*/\1/')
printf 'idle connection\tosprey\t%s\n' "$bytes"
[ "$bytes" -le 160 ] && verdict=reached || verdict=missed
echo "idle connection: $bytes bytes, goal 160: $verdict"
[ $verdict = reached ]
