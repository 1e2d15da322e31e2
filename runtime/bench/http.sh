#!/bin/bash
# HTTP over 1000 connections: CPU time of the server for a request (net_compare)
exec "$(dirname "$0")/net_compare" http
