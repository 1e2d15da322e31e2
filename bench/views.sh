#!/bin/sh
# Every one-shot view beside its peer on this host, start to end: no longer, or under 5 ms
exec "${BUILD:-build}/bench/views" "${BUILD:-build}/osprey"
