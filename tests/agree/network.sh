#!/bin/bash
# Interfaces: bytes and packets against `ip -s link`, /proc/net/dev by hand and sar, in a network
# namespace of our own so that all traffic is the test's.
need_root() { [ "$(id -u)" = 0 ] || { echo "skip: needs root for a network namespace"; exit 77; }; }
need_root
if [ "${1:-}" != inside ]; then
	unshare -n true 2>/dev/null || { echo "skip: no network namespaces here"; exit 77; }
	exec unshare -n "$0" inside
fi
. "$(dirname "$0")/common"
need ip sar
ip link set lo up

load python3 -c '
import socket, threading, time
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); receiver.bind(("127.0.0.1", 0))
threading.Thread(target=lambda: [receiver.recv(2048) for _ in iter(int, 1)], daemon=True).start()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(20): sender.sendto(b"x" * 1000, receiver.getsockname())
    time.sleep(0.01)'
sleep 0.5
read_link() {
	ip -s -j link show lo | jq -r '.[0].stats64 | "rx_bytes \(.rx.bytes)", "rx_packets \(.rx.packets)",
		"tx_bytes \(.tx.bytes)", "tx_packets \(.tx.packets)", "rx_dropped \(.rx.dropped)"'
}
sar -n DEV 4 1 >"$scratch/sar" & sar_pid=$!
brackets 4 read_link
wait $sar_pid

for counter in rx_bytes rx_packets tx_bytes tx_packets rx_dropped; do
	bracketed "$counter" ".interfaces.lo.$counter | d"
done
read -r packets kib < <(awk '$1 == "Average:" && $2 == "lo" { print $3, $5 }' "$scratch/sar")
near "sar rxpck/s" "$(of '(.interfaces.lo.rx_packets | d) / .seconds')" "$packets" "$(larger 50 "$(percent 15 "$packets")")"
near "sar rxkB/s" "$(of '(.interfaces.lo.rx_bytes | d) / .seconds / 1024')" "$kib" "$(larger 50 "$(percent 15 "$kib")")"
[ "$(of '.interfaces.lo.rx_bytes | d')" -gt 1000000 ] || { echo "the load sent nothing"; exit 1; }
agreed
