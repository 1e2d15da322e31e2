#!/bin/bash
# osprey disk against iostat and df: since boot, and over the same two seconds of writing.
. "$(dirname "$0")/common"
need iostat df dd
osprey=${BUILD:-build}/osprey
work=$(mktemp -d /var/tmp/osprey-agree.XXXXXX)
trap 'clean_up; rm -rf "$work"' EXIT

compare() { # SHARE of the value, a floor, and more figures
	local disk ours theirs pair
	disk=$(jq -r '[.tables.disks[]] | max_by(.write_bytes_per_s) | .disk' "$scratch/ours.json")
	for pair in reads_per_s:r/s:1 writes_per_s:w/s:1 read_bytes_per_s:rkB/s:1024 write_bytes_per_s:wkB/s:1024 \
		read_ms:r_await:1 write_ms:w_await:1 queue_length:aqu-sz:1 busy_pct:util:1 write_size_bytes:wareq-sz:1024 \
		flushes_per_s:f/s:1 discards_per_s:d/s:1 "${@:3}"; do
		IFS=: read -r ours theirs scale <<<"$pair"
		# A mean of no requests is null here and 0 there.
		ours=$(jq -r ".tables.disks[] | select(.disk == \"$disk\") | .$ours // 0" "$scratch/ours.json")
		theirs=$(jq -r ".sysstat.hosts[0].statistics[0].disk[] | select(.disk_device == \"$disk\") | .\"$theirs\" * $scale" "$scratch/theirs.json")
		near "$disk ${pair%%:*}" "$ours" "$theirs" "$(awk -v v="$theirs" -v s="$1" -v f="$2" -v k="$scale" 'BEGIN { print v * s / 100 + f * k }')"
	done
}
echo "since boot:"
"$osprey" disk --json >"$scratch/ours.json"
iostat -dx -o JSON >"$scratch/theirs.json"
# Merged requests come in bursts, and one at the edge of two seconds is in one of both windows only: they are compared here.
compare 2 0.2 writes_merged_per_s:wrqm/s:1

echo "over two seconds of writing:"
load sh -c "while :; do dd if=/dev/zero of='$work/file' bs=64k count=64 oflag=dsync status=none || exit; sleep 0.02; done"
sleep 0.5
# -y: no report since boot first.
iostat -dxy -o JSON 2 1 >"$scratch/theirs.json" &
peer=$!
"$osprey" disk 2 1 --json >"$scratch/ours.json"
wait $peer
compare 25 3

echo "filesystems:"
"$osprey" disk --json >"$scratch/ours.json"
jq -r '.tables.filesystems[] | select(.type != "overlay") | [.mount, .size_bytes, .used_bytes, .available_bytes, .used_pct] | @tsv' "$scratch/ours.json" |
	while IFS=$'\t' read -r mount size used available pct; do
		case $mount in *' '*) continue ;; esac
		read -r s u a p < <(df -B1 --output=size,used,avail,pcent "$mount" | tail -n 1 | tr -d %)
		near "$mount size" "$size" "$s" 0
		near "$mount used" "$used" "$u" 67108864
		near "$mount available" "$available" "$a" 67108864
		near "$mount use%" "$pct" "$p" 1.1 # df rounds up
		[ "$bad" -eq 0 ] || exit 1
	done || bad=1
agreed
