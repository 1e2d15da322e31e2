#!/bin/bash
. "$(dirname "$0")/common"
t() { local s=$(date +%s%N); "$@" >$scratch/o 2>&1; echo "$(( ($(date +%s%N)-s)/1000000 )) ms $*" | cut -c1-120; }
target_rust
kill -STOP $target_pid
t "$osprey" stack --json --threads --no-lines $target_pid
t "$osprey" stack --json --threads $target_pid
t eu-stack -n 0 -p $target_pid
t gdb -nx -batch -p $target_pid -ex 'thread apply all bt'; cp $scratch/o /tmp/h-real.x/gdb
"$osprey" stack --threads --no-kernel $target_pid >/tmp/h-real.x/ours
stop $target_pid
t target_threads 120 10
t "$osprey" stack --json --threads --no-lines $target_pid
t eu-stack -n 0 -p $target_pid
t gcore -o $scratch/c $target_pid
t "$osprey" core -o $scratch/cc $target_pid
t "$osprey" stack --json $scratch/cc
