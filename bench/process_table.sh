#!/bin/bash
# One look at the table of 10 000 processes against ps -e -o pid,stat,time,rss,args
cd "$(dirname "$0")/.." && exec build/bench/process_table "$@"
