#!/bin/bash
# What osprey tests of itself on a host holds on this kernel.
. "$(dirname "$0")/../check.sh"

"$osprey" selftest
