#!/bin/sh
# osprey ps beside ps aux and top -b -n1, start to end, among 10 000 processes
exec "${BUILD:-build}/bench/ps_crowd" "${BUILD:-build}/osprey"
