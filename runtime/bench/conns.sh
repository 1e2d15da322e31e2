#!/bin/bash
# 100 000 connections at a time that are idle, without a fiber each: bytes of one
#
# Beyond the kernel's (net_conns.c). CONNECTIONS in the environment: another number. 0: the goal is reached, 1: it is
# missed, 77: the limits here are too low.
set -u
connections=${CONNECTIONS:-100000}
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
of "$build/bench/net_conns" || exit 3

progress "$connections connections"
out=$(timeout 300 "$build/bench/net_conns" "$connections")
status=$?
progress_end
echo "$out"
[ $status = 0 ] || exit $status
bytes=$(echo "$out" | sed 's/.*, \([0-9]*\) bytes each.*/\1/')
word=$(verdict "conns: bytes of an idle one" "$bytes" 160)
status=$?
echo "an idle connection: $bytes bytes, goal 160  $word"
exit $status
