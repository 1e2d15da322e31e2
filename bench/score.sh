#!/bin/bash
# Is the doctor right? Every fault at medium strength on an idle host, and every healthy load
cd "$(dirname "$0")/.." || exit 3
build/osprey lab score --yes --background idle --strength medium "$@"
