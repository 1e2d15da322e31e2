#!/bin/bash
# What `osprey run` tells of a program, against work of known size and /usr/bin/time.
. "$(dirname "$0")/../cli/run_common"
[ -x /usr/bin/time ] || skip "needs /usr/bin/time"

figure() { sed -n "s/^ *\"$1\": \\([^,]*\\),\\{0,1\\}\$/\\1/p" "$scratch/json"; }
within() { # WHAT GOT LEAST MOST
	checks=$((checks + 1))
	awk -v x="$2" -v a="$3" -v b="$4" 'BEGIN { exit !(x >= a && x <= b) }' || wrong "$1 is $2, wanted $3 to $4"
}
both() { # COMMAND…: $scratch/json, and `theirs` of time: user system peak-KiB major voluntary
	"$osprey" run --json --output "$scratch/json" -- "$@" || wrong "$*: exit code $?"
	/usr/bin/time -o "$scratch/time" -f '%U %S %M %F %w' "$@"
	read -r user system peak _ voluntary <"$scratch/time"
}

# Memory.
both dd if=/dev/zero of=/dev/null bs=64M count=1 status=none
within "peak of 64 MiB" "$(figure peak_resident_bytes)" $((64 << 20)) $((72 << 20))
within "peak, against time" "$(figure peak_resident_bytes)" $((peak * 1024 * 95 / 100)) $((peak * 1024 * 105 / 100))
is "that is no bound" "$(figure peak_resident_is_upper_bound)" false

# CPU time of a whole tree, also of what left its parent and is waited for. The same work takes the same time.
cat >"$scratch/work" <<'END'
i=0
while [ $i -lt 300000 ]; do i=$((i + 1)); done
END
both sh "$scratch/work"
ours=$(awk -v a="$(figure user_s)" -v b="$(figure system_s)" 'BEGIN { print a + b }')
within "CPU time, against time" "$ours" "$(awk -v u="$user" -v s="$system" 'BEGIN { print (u + s) / 2 }')" \
	"$(awk -v u="$user" -v s="$system" 'BEGIN { print (u + s) * 2 + 0.05 }')"
within "wall, against CPU" "$(figure wall_s)" "$(awk -v x="$ours" 'BEGIN { print x * 0.9 }')" 60
"$osprey" run --json --output "$scratch/json" --leftover wait -- sh -c "(setsid sh '$scratch/work' &); :"
within "CPU time of a daemon" "$(awk -v a="$(figure user_s)" -v b="$(figure system_s)" 'BEGIN { print a + b }')" \
	"$(awk -v x="$ours" 'BEGIN { print x / 2 }')" "$(awk -v x="$ours" 'BEGIN { print x * 2 + 0.05 }')"

# Switches: each sleep is one.
cat >"$scratch/sleeps" <<'END'
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01; done
END
both sh "$scratch/sleeps"
within "voluntary switches, against time" "$(figure voluntary_switches)" $((voluntary - 5)) $((voluntary + 10))

# I/O of all that were waited for, and of a daemon.
"$osprey" run --json --output "$scratch/json" --leftover wait -- sh -c '
	dd if=/dev/zero of=/dev/null bs=1M count=3 status=none
	(setsid dd if=/dev/zero of=/dev/null bs=1M count=5 status=none &); :'
within "bytes of write" "$(figure write_call_bytes)" $((8 << 20)) $((8 << 20 | 4096))
within "bytes of read" "$(figure read_call_bytes)" $((8 << 20)) $((8 << 20 | 131072))
if dd if=/dev/zero of="$scratch/file" bs=1M count=1 oflag=direct status=none 2>/dev/null; then
	"$osprey" run --json --output "$scratch/json" -- dd if=/dev/zero of="$scratch/file" bs=1M count=4 oflag=direct status=none
	case $(stat -f -c %T "$scratch") in
	tmpfs | overlay*) ;; # no storage below it, or counted elsewhere
	*) within "bytes to storage" "$(figure storage_written_bytes)" $((4 << 20)) $((5 << 20)) ;;
	esac
fi

done_checking
