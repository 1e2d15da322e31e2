#!/bin/bash
# Disks: bytes, requests and busy time of each against /proc/diskstats by hand and iostat, while a
# file is written past the page cache and read back.
. "$(dirname "$0")/common"
need iostat

disk_dir=$(mktemp -d "/var/tmp/osprey-agree.XXXXXX")
trap 'clean_up; rm -rf "$disk_dir"' EXIT
probe=$(dd if=/dev/zero of="$disk_dir/probe" bs=64k count=1 oflag=direct 2>&1) ||
	skip "no direct I/O in /var/tmp: ${probe##*: }"
disk=$(lsblk -ndo PKNAME,KNAME "$(df --output=source "$disk_dir" | tail -n 1)" 2>/dev/null | awk '{ print $1 }') || true
[ -n "$disk" ] && grep -qw "$disk" /proc/diskstats || skip "no disk under /var/tmp"

load sh -c "while :; do
	dd if=/dev/zero of='$disk_dir/file' bs=128k count=64 oflag=direct conv=notrunc
	dd if='$disk_dir/file' of=/dev/null bs=128k iflag=direct
	sleep 0.1; done"
sleep 0.5
# Sectors are of 512 bytes, times in ms.
read_disk() {
	awk -v disk="$disk" '$3 == disk { print "reads", $4; print "read_bytes", $6 * 512
		print "read_ns", $7 * 1e6; print "writes", $8; print "write_bytes", $10 * 512
		print "write_ns", $11 * 1e6; print "busy_ns", $13 * 1e6; print "queue_ns", $14 * 1e6 }' \
		CONVFMT=%.0f OFMT=%.0f /proc/diskstats
}
iostat -x -d -o JSON "$disk" 4 2 >"$scratch/iostat" & iostat_pid=$!
brackets 4 read_disk
wait $iostat_pid

for counter in reads read_bytes read_ns writes write_bytes write_ns busy_ns queue_ns; do
	bracketed "$counter" ".disks.\"$disk\".$counter | d"
done

io() { jq -r ".sysstat.hosts[0].statistics[1].disk[0].\"$1\"" "$scratch/iostat"; }
rate() { of "(.disks.\"$disk\".$1 | d) / .seconds / $2"; }
# Both watch 4 s, some tens of milliseconds apart, of a load that comes in bursts of 0.1 s.
close_to() { near "$1" "$2" "$3" "$(larger "$4" "$(percent 15 "$3")")"; }
close_to "iostat r/s" "$(rate reads 1)" "$(io r/s)" 20
close_to "iostat w/s" "$(rate writes 1)" "$(io w/s)" 20
close_to "iostat rkB/s" "$(rate read_bytes 1024)" "$(io rkB/s)" 2048
close_to "iostat wkB/s" "$(rate write_bytes 1024)" "$(io wkB/s)" 2048
near "iostat %util" "$(of "100 * (.disks.\"$disk\".busy_ns | d) / 1e9 / .seconds")" "$(io util)" 12
[ "$(of ".disks.\"$disk\".write_bytes | d")" -gt 1000000 ] || { echo "the load wrote nothing"; exit 1; }
agreed
