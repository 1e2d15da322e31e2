#!/bin/bash
# Stacks of 200 threads: time, pause of the target and interrupted calls, beside gdb and eu-stack
cd "$(dirname "$0")/.." && exec build/bench/stack_pause "$@"
