#!/bin/bash
# What `osprey pid` and `osprey limits` tell of a process that sleeps, against prlimit, ps, ls and /proc by
# hand, and against the process's own knowledge. It does nothing meanwhile, so all is exact.
. "$(dirname "$0")/common"
need prlimit ps perl

osprey=${BUILD:-build}/osprey
(ulimit -n 400 -S; ulimit -l 64 2>/dev/null; exec perl -e '
	use Socket;
	socket(my $l, PF_INET, SOCK_STREAM, 0); bind($l, pack_sockaddr_in(0, inet_aton("127.0.0.1"))); listen($l, 5);
	socket(my $c, PF_INET, SOCK_STREAM, 0); connect($c, getsockname($l)); accept(my $a, $l);
	my @f; open($f[$_], "<", "/dev/zero") for 0 .. 299;
	pipe(my $r, my $w);
	my $ballast = "x" x (20 << 20);
	$SIG{USR1} = sub {}; $SIG{HUP} = "IGNORE";
	my ($port) = unpack_sockaddr_in(getsockname($l));
	my ($from) = unpack_sockaddr_in(getsockname($c));
	open(my $ready, ">", $ARGV[0]); print $ready "$port $from ", fileno($c), "\n"; close $ready;
	sysread $r, my $byte, 1' "$scratch/ready-$$") &
pid=$!
load_pids+=("$pid")
for _ in $(seq 200); do [ -s "$scratch/ready-$$" ] && break; sleep 0.05; done
read -r port from client <"$scratch/ready-$$" || { echo "the process did not start"; exit 1; }
for _ in $(seq 200); do [ "$(cut -d' ' -f2 <"/proc/$pid/wchan" 2>/dev/null)" != 0 ] && break; sleep 0.05; done
sleep 0.2

"$osprey" pid "$pid" --json --environment >"$scratch/pid.json" || exit 1
its() { jq -r "$1" "$scratch/pid.json"; }
same() { # WHAT OURS THEIRS
	compared=$((compared + 1))
	local head=${2%%$'\n'*}
	if [ "$2" = "$3" ]; then echo "agree: $1: ${head:0:80}"; else echo "not so: $1: osprey '$2', the other '$3'"; bad=1; fi
}

same "name" "$(its .name)" "$(cat "/proc/$pid/comm")"
same "parent" "$(its '.parents[0].pid')" "$(ps -o ppid= -p "$pid" | tr -d ' ')"
same "last ancestor" "$(its '.parents[-1].pid')" 1
same "user" "$(its .user)" "$(ps -o ruser:32= -p "$pid" | tr -d ' ')"
same "session" "$(its .session)" "$(ps -o sess= -p "$pid" | tr -d ' ')"
same "group" "$(its .process_group)" "$(ps -o pgid= -p "$pid" | tr -d ' ')"
same "arguments" "$(its '.command | length')" "$(tr -cd '\0' <"/proc/$pid/cmdline" | wc -c)"
same "program" "$(its .program)" "$(readlink "/proc/$pid/exe")"
same "directory" "$(its .directory)" "$(readlink "/proc/$pid/cwd")"
same "state" "$(its .state.letter)" "$(ps -o s= -p "$pid" | tr -d ' ')"
same "environment" "$(its '.environment | length')" "$(tr -cd '\0' <"/proc/$pid/environ" | wc -c)"
same "nice" "$(its .scheduling.nice)" "$(ps -o ni= -p "$pid" | tr -d ' ')"
same "CPUs" "$(its .scheduling.cpus_allowed)" "$(awk '$1 == "Cpus_allowed_list:" { print $2 }' "/proc/$pid/status")"
same "OOM score" "$(its .scheduling.oom_score_adj)" "$(cat "/proc/$pid/oom_score_adj")"

# descriptors
same "open files" "$(its '.fds | length')" "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
same "targets" "$(its '.fds[] | "\(.fd) \(.target)"' | sort)" \
	"$(for f in "/proc/$pid/fd/"*; do echo "${f##*/} $(readlink "$f")"; done | sort)"
same "listener" "$(its ".fds[] | select(.local == \"127.0.0.1:$port\" and .socket_state == \"LISTEN\") | .kind")" socket
same "client" "$(its ".fds[] | select(.fd == $client) | .local + \" \" + .remote + \" \" + .socket_state")" \
	"127.0.0.1:$from 127.0.0.1:$port ESTABLISHED"
same "client's other end" "$(its ".fds[] | select(.fd == $client) | .peer | startswith(\"itself\")")" true

# limits: every row of prlimit
# shellcheck disable=SC2034  # read by name below
while read -r name soft hard; do
	case $name in cpu) unit=1000000000 ;; rttime) unit=1000 ;; *) unit=1 ;; esac
	for kind in soft hard; do
		wanted=${!kind}
		[ "$wanted" = unlimited ] || wanted=$((wanted * unit))
		same "$kind limit $name" "$(its ".limits[] | select(.limit == \"$name\") | .$kind")" "$wanted"
	done
done < <(prlimit --pid "$pid" --noheadings --raw --output RESOURCE,SOFT,HARD | tr '[:upper:]' '[:lower:]')
same "nofile in use" "$(its '.limits[] | select(.limit == "nofile") | .used')" "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"

# memory
status() { awk -v n="$1:" '$1 == n { print $2 * 1024 }' "/proc/$pid/status"; }
same "VmSize" "$(its .memory.status.virtual_bytes)" "$(status VmSize)"
same "VmData" "$(its .memory.status.data_bytes)" "$(status VmData)"
same "statm resident" "$(its .memory.statm.resident_bytes)" "$(awk -v page="$(getconf PAGESIZE)" '{ printf "%.0f", $2 * page }' "/proc/$pid/statm")"
if [ -r "/proc/$pid/smaps" ]; then
	sum() { awk -v n="$1:" '$1 == n { kb += $2 } END { printf "%.0f", kb * 1024 }' "/proc/$pid/smaps"; }
	same "sum of RSS" "$(its '.memory.kinds[] | select(.kind == "all") | .resident_bytes')" "$(sum Rss)"
	near "sum of PSS" "$(its '.memory.kinds[] | select(.kind == "all") | .proportional_bytes')" "$(sum Pss)" 2000000
	same "kinds add up" "$(its '[.memory.kinds[] | select(.kind != "all") | .resident_bytes] | add')" "$(sum Rss)"
	same "mappings" "$(its '[.memory.kinds[] | select(.kind != "all") | .mappings] | add')" "$(wc -l <"/proc/$pid/maps")"
fi

# counters of a process that sleeps
same "voluntary switches" "$(its .counters.voluntary_switches)" "$(awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$pid/status")"
same "minor faults" "$(its .counters.minor_faults)" "$(ps -o min_flt= -p "$pid" | tr -d ' ')"
[ ! -r "/proc/$pid/io" ] || same "read calls" "$(its .counters.read_calls)" "$(awk '$1 == "syscr:" { print $2 }' "/proc/$pid/io")"
same "run time" "$(its '.threads[0].run_ns')" "$(cut -d' ' -f1 "/proc/$pid/schedstat")"

# signals
same "caught USR1" "$(its '.signals.caught | index("USR1") != null')" true
same "ignored HUP" "$(its '.signals.ignored | index("HUP") != null')" true

# It is three quarters full: among the near limits, and what the host's row says is what the file says.
"$osprey" limits --json >"$scratch/limits.json" || exit 1
limit() { jq -r ".tables.limits[] | select($1)" "$scratch/limits.json"; }
same "limits: nofile" "$(limit ".pid == $pid and .limit == \"nofile\"" | jq -r '"\(.used) \(.limit_value)"')" \
	"$(find "/proc/$pid/fd" -mindepth 1 | wc -l) 400"
near "limits: open files" "$(limit '.limit == "open files"' | jq .used)" "$(cut -f1 /proc/sys/fs/file-nr)" 2000
same "limits: threads" "$(limit '.limit == "threads"' | jq .limit_value)" "$(cat /proc/sys/kernel/threads-max)"
near "limits: inodes of /" "$(limit '.limit == "inodes" and .scope == "/"' | jq '.used // 0')" "$(df --output=iused / | tail -n 1 | tr -dc 0-9)" 5000
agreed
