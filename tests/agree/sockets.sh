#!/bin/bash
# osprey sockets against ss: every socket of a network namespace of our own (state, queues, addresses, users,
# holders, congestion control, retransmissions), UNIX sockets with their peers, the summary, what only listens.
[ "$(id -u)" = 0 ] || { echo "skip: needs root for a network namespace"; exit 77; }
if [ "${1:-}" != inside ]; then
	unshare --net --pid --fork true 2>/dev/null || { echo "skip: no network namespaces here"; exit 77; }
	exec unshare --net --pid --fork --kill-child --mount --mount-proc "$0" inside
fi
. "$(dirname "$0")/common"
need ss ip python3
osprey=${BUILD:-build}/osprey
ip link set lo up

# Every kind that ss tells apart. Nothing moves once it is ready: the two tools see the same.
mkfifo "$scratch/ready"
cat >"$scratch/scene" <<'SCENE'
import os, socket, sys, time
keep = []
v4 = socket.socket(); v4.bind(("127.0.0.1", 0)); v4.listen(3); keep.append(v4)
v6 = socket.socket(socket.AF_INET6); v6.bind(("::", 0)); v6.listen(50); keep.append(v6)
only = socket.socket(socket.AF_INET6); only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
only.bind(("::", 0)); only.listen(9); keep.append(only)
full = socket.socket(); full.bind(("127.0.0.1", 0)); full.listen(2); keep.append(full)
for i in range(3): keep.append(socket.create_connection(full.getsockname()))
for i in range(20):
    c = socket.create_connection(("127.0.0.1", v4.getsockname()[1])); s, _ = v4.accept()
    c.sendall(b"x" * (100 * i)); keep += [c, s]
for i in range(3):
    c = socket.create_connection(("::1", v6.getsockname()[1])); s, _ = v6.accept(); keep += [c, s]
    if i == 0: c.sendall(b"hello"); c.shutdown(socket.SHUT_WR)
    if i == 1: s.close()
for i in range(5):
    c = socket.create_connection(("127.0.0.1", v4.getsockname()[1])); s, _ = v4.accept(); c.close(); time.sleep(0.02); s.close()
# A reader that does not read; buffers of a fixed size do not grow.
stuck = socket.socket(); stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384); stuck.bind(("127.0.0.1", 0)); stuck.listen(1)
slow = socket.socket(); slow.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768); slow.connect(stuck.getsockname())
reader, _ = stuck.accept()
slow.settimeout(0.5)
try:
    while True: slow.send(b"y" * 4096)
except TimeoutError: pass
keep += [stuck, slow, reader]
for i in range(4):
    u = socket.socket(socket.AF_INET6 if i & 1 else socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 0)); keep.append(u)
    out = socket.socket(u.family, socket.SOCK_DGRAM); out.connect(("::1" if i & 1 else "127.0.0.1", u.getsockname()[1]))
    for k in range(i): out.send(b"z" * 100)
    keep.append(out)
drop = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); drop.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
drop.bind(("127.0.0.1", 0)); keep.append(drop)
for i in range(50): out.__class__(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"q" * 500, drop.getsockname())
keep.append(socket.socket(socket.AF_INET, socket.SOCK_RAW, 89))
waits, tells = os.pipe()  # another user's
if os.fork() == 0:
    os.setuid(33); mine = socket.socket(); mine.bind(("127.0.0.1", 0)); mine.listen(1)
    os.write(tells, b"1"); time.sleep(1000)
os.read(waits, 1)
bus = socket.socket(socket.AF_UNIX); bus.bind(sys.argv[1] + "/bus"); bus.listen(4)
caller = socket.socket(socket.AF_UNIX); caller.connect(sys.argv[1] + "/bus"); answer, _ = bus.accept()
dgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); dgram.bind("\0osprey-agree")
left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET); left.send(b"abc")
print("ready", file=open(sys.argv[1] + "/ready", "w"), flush=True)
time.sleep(1000)
SCENE
load python3 "$scratch/scene" "$scratch"
read -r _ <"$scratch/ready"

# same WHAT OURS THEIRS: two files of lines, in any order.
same() {
	local lines
	compared=$((compared + 1))
	sort "$2" >"$2.sorted"
	sort "$3" >"$3.sorted"
	lines=$(wc -l <"$3.sorted")
	[ "$lines" -gt 0 ] || { echo "not so: $1: nothing to compare"; bad=1; return; }
	diff "$2.sorted" "$3.sorted" >"$scratch/diff" || { echo "not so: $1 (<: osprey, >: ss)"; cat "$scratch/diff"; bad=1; return; }
	echo "agree: $1: $lines lines"
}

# State, queues and addresses: "tcp ESTAB 0 0 127.0.0.1:80 127.0.0.1:4000"
"$osprey" sockets --tcp --udp --json >"$scratch/json"
jq -r '.tables.sockets[] | [.protocol, .state, .receive_queue, .send_queue, .local, .remote] | @tsv' "$scratch/json" | tr '\t' ' ' >"$scratch/ours"
ss -Htuna | awk '{ print $1, $2, $3, $4, $5, $6 }' >"$scratch/theirs"
same "state, queues, addresses of TCP and UDP" "$scratch/ours" "$scratch/theirs"

"$osprey" sockets --listen --tcp --json | jq -r '.tables.sockets[] | [.state, .receive_queue, .send_queue, .local] | @tsv' | tr '\t' ' ' >"$scratch/ours"
ss -Htln | awk '{ print $1, $2, $3, $4 }' >"$scratch/theirs"
same "listeners" "$scratch/ours" "$scratch/theirs"

# One port, asked of the kernel: either end.
port=$(ss -Htln | awk '{ n = split($4, a, ":"); print a[n]; exit }')
"$osprey" sockets --tcp ":$port" --json | jq -r '.tables.sockets[] | [.state, .local, .remote] | @tsv' | tr '\t' ' ' >"$scratch/ours"
ss -Htan "( sport = :$port or dport = :$port )" | awk '{ print $1, $4, $5 }' >"$scratch/theirs"
same "sockets of port $port" "$scratch/ours" "$scratch/theirs"

"$osprey" sockets --raw --json | jq -r '.tables.sockets[] | [.state, .local_port] | @tsv' | tr '\t' ' ' >"$scratch/ours"
ss -Hwna | awk '{ n = split($4, a, ":"); print $1, a[n] }' >"$scratch/theirs"
same "raw sockets" "$scratch/ours" "$scratch/theirs"

# Users, inodes, and the first holder: ss writes users:(("python3",pid=7,fd=4),(…)) uid:33 ino:12 sk:3
"$osprey" sockets --tcp --udp --json --columns local,remote,uid,inode,command,pid,fd,holders |
	jq -r '.tables.sockets[] | select(.pid) | [.local, .remote, .uid, .inode, .command, .pid, .fd, .holders] | @tsv' | tr '\t' ' ' >"$scratch/ours"
ss -Htunape | python3 -c '
import re, sys
for line in sys.stdin:
    words = line.split()
    users = sorted((int(p), int(f), n) for n, p, f in re.findall(r"\(\"([^\"]*)\",pid=(\d+),fd=(\d+)\)", line))
    if users:
        uid = re.search(r"uid:(\d+)", line)
        print(words[4], words[5], uid.group(1) if uid else 0, re.search(r"ino:(\d+)", line).group(1), users[0][2], users[0][0],
              users[0][1], len(users))' >"$scratch/theirs"
same "users, inodes, holders" "$scratch/ours" "$scratch/theirs"

# tcp_info, of connections that are at rest: a full one probes its peer.
jq -r '.tables.sockets[] | select(.protocol == "tcp" and .state == "ESTAB" and .receive_queue + .send_queue < 5000) |
	[.local, .remote, .congestion_control, .congestion_window, .bytes_received // 0, .bytes_acked // 0, .bytes_sent // 0,
	 .segments_out, .segments_in, .send_mss_bytes, .path_mtu_bytes, .receive_buffer_bytes, .send_buffer_bytes, .drops] | @tsv' \
	"$scratch/json" | tr '\t' ' ' >"$scratch/ours"
ss -Htni -m state established | paste -d' ' - - | python3 -c '
import re, sys
for line in sys.stdin:
    words = line.split()
    if int(words[0]) + int(words[1]) >= 5000: continue
    one = lambda name: (re.search(r"[ (,]%s:?(\d+)" % name, line) or [0, "0"])[1]
    control = re.search(r"\) (?:ts |sack |ecn |ecnseen |fastopen )*([a-z]+) ", line).group(1)
    print(words[2], words[3], control, one("cwnd"), one("bytes_received"), one("bytes_acked"), one("bytes_sent"),
          one("segs_out"), one("segs_in"), one("mss"), one("pmtu"), one("rb"), one("tb"), re.search(r",d(\d+)\)", line).group(1))' >"$scratch/theirs"
same "tcp_info and buffers" "$scratch/ours" "$scratch/theirs"

# UNIX sockets: type, state, queues, path, inode, peer.
"$osprey" sockets --unix --json --columns all | jq -r '.tables.unix[] |
	[.type, .state, .receive_queue, .send_queue, .path // "*", .inode, .peer_inode // 0] | @tsv' | tr '\t' ' ' >"$scratch/ours"
ss -Hxa | awk 'BEGIN { split("u_str stream u_dgr dgram u_seq seqpacket", t); name[t[1]] = t[2]; name[t[3]] = t[4]; name[t[5]] = t[6] }
	{ print name[$1], $2, $3, $4, $5, $6, $8 }' >"$scratch/theirs"
same "UNIX sockets" "$scratch/ours" "$scratch/theirs"

# The summary: ss -s writes "TCP: 60 (estab 50, closed 4, orphaned 0, timewait 4)" and a table.
"$osprey" sockets --summary --json >"$scratch/json"
ss -s >"$scratch/summary"
of_summary() { jq -r "$1" "$scratch/json"; }
of_ss() { awk -v name="$1" -v column="$2" '$1 == name { print $column; exit }' "$scratch/summary"; }
near "all sockets" "$(of_summary '.tables.protocols[] | select(.protocol == "all").sockets')" "$(of_ss Total: 2)" 1
for pair in RAW:raw UDP:udp TCP:tcp; do
	of="$(printf '.tables.protocols[] | select(.protocol == "%s")' "${pair#*:}")"
	near "${pair#*:}" "$(of_summary "$of.sockets")" "$(of_ss "${pair%:*}" 2)" 0
	near "${pair#*:} IPv4" "$(of_summary "$of.ipv4")" "$(of_ss "${pair%:*}" 3)" 0
	near "${pair#*:} IPv6" "$(of_summary "$of.ipv6")" "$(of_ss "${pair%:*}" 4)" 0
done
near "timewait" "$(of_summary '.tables.protocols[] | select(.protocol == "tcp").time_wait')" \
	"$(sed -n 's/^TCP:.*timewait \([0-9]*\).*/\1/p' "$scratch/summary")" 0
# By state, against a count by hand.
for pair in LISTEN:listening ESTAB:established CLOSE-WAIT:close-wait FIN-WAIT-2:fin-wait-2 TIME-WAIT:time-wait SYN-SENT:syn-sent; do
	near "${pair%:*}" "$(of_summary ".tables.states[] | select(.state == \"${pair%:*}\").sockets")" \
		"$(ss -Htn state "${pair#*:}" | wc -l)" 0
done

# A connection that sends over a second: its rates.
load python3 -c '
import socket, time, threading
a = socket.socket(); a.bind(("127.0.0.1", 7777)); a.listen(1)
c = socket.create_connection(("127.0.0.1", 7777)); s, _ = a.accept()
threading.Thread(target=lambda: [s.recv(1 << 16) for _ in iter(int, 1)], daemon=True).start()
while True: c.sendall(b"x" * 10000); time.sleep(0.01)'
for _ in $(seq 50); do [ -z "$(ss -Htn state established sport = :7777)" ] || break; sleep 0.1; done
"$osprey" sockets --interval 2s --json --columns local_port,received_bytes_per_s,acked_bytes_per_s 7777 >"$scratch/json"
acked() { ss -Htni state established dport = :7777 | sed -n 's/.*bytes_acked:\([0-9]*\).*/\1/p'; }
from=$(acked) start=$(date +%s%N)
sleep 2
to=$(acked) end=$(date +%s%N)
theirs=$(awk -v a="$from" -v b="$to" -v t=$((end - start)) 'BEGIN { print (b - a) * 1e9 / t }')
near "bytes received a second" "$(of_summary '[.tables.sockets[].received_bytes_per_s // 0] | max')" "$theirs" "$(percent 25 "$theirs")"
near "bytes acknowledged a second" "$(of_summary '[.tables.sockets[].acked_bytes_per_s // 0] | max')" "$theirs" "$(percent 25 "$theirs")"
agreed
