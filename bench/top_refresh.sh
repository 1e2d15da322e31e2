#!/bin/bash
# A full screen once a second on a host of 10 000 processes: CPU of osprey top beside top and htop
cd "$(dirname "$0")/.." && exec build/bench/top_refresh "$@"
