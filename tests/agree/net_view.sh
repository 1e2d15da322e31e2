#!/bin/bash
# osprey net against /proc/net/dev and /proc/net/snmp by hand, nstat, sar -n and tc -s, in a network namespace
# with a veth pair, a queue that drops, and bounded traffic.
[ "$(id -u)" = 0 ] || { echo "skip: needs root for a network namespace"; exit 77; }
if [ "${1:-}" != inside ]; then
	unshare --net true 2>/dev/null || { echo "skip: no network namespaces here"; exit 77; }
	exec unshare --net "$0" inside
fi
. "$(dirname "$0")/common"
need ip tc python3 nstat sar
osprey=${BUILD:-build}/osprey
# No neighbour or router is looked for: what goes over the pair is the test's.
for which in default all; do echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/$which/disable_ipv6 || true; done
ip link set lo up
ip link add v0 type veth peer name v1 2>/dev/null || skip "no veth here"
ip address add 10.99.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
tc qdisc add dev v0 root handle 1: tbf rate 2mbit burst 4k limit 8k 2>/dev/null || skip "no tbf here"
ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 dev v0

# One-shot, at rest: totals to the last packet, and averages since boot.
load python3 -c '
import socket, threading, time
a = socket.socket(); a.bind(("127.0.0.1", 7777)); a.listen(8)
def take():
    while True:
        s, _ = a.accept(); s.recv(100); s.close()
threading.Thread(target=take, daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for i in range(10): u.sendto(b"x" * 1200, ("10.99.0.2", 9))
    for i in range(3):
        c = socket.create_connection(("127.0.0.1", 7777)); c.sendall(b"x"); c.recv(1); c.close()
    u.sendto(b"n", ("127.0.0.1", 9))
    time.sleep(0.02)'
sleep 0.5

# Rates over three seconds, while sar watches the same and the counters are read around both.
by_hand_now() {
	awk '$1 == "lo:" || $1 == "v0:" { sub(":", "", $1); print $1 "_rx_bytes", $2; print $1 "_rx_packets", $3;
		print $1 "_tx_bytes", $10; print $1 "_tx_packets", $11 }' /proc/net/dev
	nstat -asz --json | jq -r '.kernel | to_entries[] | "\(.key) \(.value)"'
	tc -s -j qdisc show dev v0 | jq -r '.[0] | "drops \(.drops)", "overlimits \(.overlimits)", "sent \(.bytes)"'
}
seconds=3
by_hand_now >"$scratch/0"
start=$(date +%s%N)
sar -n DEV,EDEV,TCP,ETCP,UDP,IP $seconds 1 >"$scratch/sar" &
sar_pid=$!
"$osprey" net $seconds 1 --json >"$scratch/json"
wait $sar_pid
end=$(date +%s%N)
by_hand_now >"$scratch/3"
rate_by_hand() { awk -v a="$(by_hand 0 "$1")" -v b="$(by_hand 3 "$1")" -v t=$((end - start)) 'BEGIN { if (a != "" && b != "") print (b - a) * 1e9 / t }'; }
ours() { jq -r "$1" "$scratch/json"; }
# rate WHAT FILTER COUNTER: within a fifth; the load is not steady to the millisecond.
rate() { local theirs; theirs=$(rate_by_hand "$3"); near "$1" "$(ours "$2")" "$theirs" "$(larger 3 "$(percent 20 "$theirs")")"; }

for device in lo v0; do
	of=".tables.interfaces[] | select(.interface == \"$device\")"
	rate "$device rx bytes/s" "$of.rx_bytes_per_s" ${device}_rx_bytes
	rate "$device tx bytes/s" "$of.tx_bytes_per_s" ${device}_tx_bytes
	rate "$device rx packets/s" "$of.rx_packets_per_s" ${device}_rx_packets
	rate "$device tx packets/s" "$of.tx_packets_per_s" ${device}_tx_packets
	between "$device tx bytes" "$(ours "$of.tx_bytes")" "$(by_hand 0 ${device}_tx_bytes)" "$(by_hand 3 ${device}_tx_bytes)" 0
done
rate "qdisc drops/s" '.tables.interfaces[] | select(.interface == "v0").qdisc_drops_per_s' drops
[ "$(ours '.tables.interfaces[] | select(.interface == "v0").qdisc_drops_per_s | floor')" -gt 10 ] || { echo "not so: the queue dropped nothing"; bad=1; }
rate "active opens/s" .tables.tcp[0].active_opens_per_s TcpActiveOpens
rate "passive opens/s" .tables.tcp[0].passive_opens_per_s TcpPassiveOpens
rate "in segments/s" .tables.tcp[0].in_segments_per_s TcpInSegs
rate "out segments/s" .tables.tcp[0].out_segments_per_s TcpOutSegs
rate "UDP no port/s" .tables.udp[0].no_ports_per_s UdpNoPorts
rate "UDP send errors/s" .tables.udp[0].send_buffer_errors_per_s UdpSndbufErrors
rate "IP out/s" .tables.ip[0].out_packets_per_s IpOutRequests
rate "IP out discards/s" .tables.ip[0].out_discards_per_s IpOutDiscards
rate "unreachables sent/s" .tables.ip[0].unreachable_out_per_s IcmpOutDestUnreachs

# sar: columns by their names. "Average: lo 100 100 5 5 0 0 0 0"
sar_of() { awk -v row="$1" -v name="$2" '/IFACE|active|atmptf|idgm|irec/ { for (i = 1; i <= NF; i++) at[$i] = i }
	$1 == "Average:" && (row == "" ? $2 ~ /^[0-9]/ : $2 == row) && at[name] && !done[name] { if (name in at) { value = $at[name] } }
	$1 == "Average:" && value != "" { print value; exit }' "$scratch/sar"; }
against_sar() { local theirs; theirs=$(sar_of "$2" "$3"); near "sar $3 $2" "$(ours "$4")" "$theirs" "$(larger 3 "$(percent 20 "${theirs:-0}")")"; }
against_sar "" lo rxpck/s '.tables.interfaces[] | select(.interface == "lo").rx_packets_per_s'
against_sar "" v0 txpck/s '.tables.interfaces[] | select(.interface == "v0").tx_packets_per_s'
against_sar "" v0 txkB/s '.tables.interfaces[] | select(.interface == "v0").tx_bytes_per_s / 1024'

# Every counter of nstat by its name (without the dot), between two readings.
nstat -asz --json | jq -r '.kernel | to_entries[] | "\(.key) \(.value)"' >"$scratch/0"
"$osprey" net --table counters --json >"$scratch/json"
nstat -asz --json | jq -r '.kernel | to_entries[] | "\(.key) \(.value)"' >"$scratch/3"
jq -r '.tables.counters[] | select(.value != null) | "\(.counter | gsub("[.]"; "")) \(.value)"' "$scratch/json" >"$scratch/ours"
awk 'FILENAME ~ /0$/ { low[$1] = $2; next } FILENAME ~ /3$/ { high[$1] = $2; next }
	{ n++; if (!($1 in low)) next; seen++; if ($2 < low[$1] || $2 > high[$1]) { print "not so: " $1 ": osprey " $2 ", nstat " low[$1] " … " high[$1]; bad = 1 } }
	END { print "agree: " seen " counters of nstat"; exit bad || seen < 150 }' "$scratch/0" "$scratch/3" "$scratch/ours" || bad=1
compared=$((compared + 1))

# Since boot: a total over the time the host is up.
"$osprey" net --json >"$scratch/json"
near "bytes since boot" "$(ours '(.tables.interfaces[] | select(.interface == "v0") | .tx_bytes_per_s) * .interval_s')" \
	"$(ours '.tables.interfaces[] | select(.interface == "v0").tx_bytes')" 1
# Queue disciplines one by one.
"$osprey" net --table qdiscs --json >"$scratch/json"
drops=$(ours '.tables.qdiscs[] | select(.interface == "v0").drops')
tc -s -j qdisc show dev v0 | jq -r '.[0] | "drops \(.drops)"' >"$scratch/3"
between "drops of tbf" "$drops" 11 "$(by_hand 3 drops)" 0
agreed
