#!/bin/bash
# What does a frame of a copied stack cost, with libdwfl beside it? Goal: at least 3 times less, and the same frames
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3
make -s build/bench/unwind_walk >/dev/null || exit 3
build/bench/unwind_walk
