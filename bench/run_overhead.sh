#!/bin/bash
# What `osprey run` adds to a program of no work, beside exec alone and timeout(1)
cd "$(dirname "$0")/.." && exec build/bench/run_overhead "$@"
