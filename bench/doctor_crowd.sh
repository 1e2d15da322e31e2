#!/bin/bash
# A whole run of the doctor on a host of 10 000 processes: CPU and memory, beside top -b
cd "$(dirname "$0")/.." && exec build/bench/doctor_crowd "$@"
