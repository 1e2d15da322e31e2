#!/bin/bash
# Is the doctor right about two faults at once? Ten pairs
cd "$(dirname "$0")/.." || exit 3
build/osprey lab score --yes --pairs "$@"
