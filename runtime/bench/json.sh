#!/bin/bash
# JSON into structs and back, by CPU time, beside jansson, json-c, yajl and Go; goal: as fast as the best
set -euo pipefail
# shellcheck source=place
. "$(dirname "${BASH_SOURCE[0]}")/place"
cd "$runtime/.."
progress building
of all
types=$build/tools/osprey-rt-types
[ -x "$types" ] || { echo "skip: osprey-rt-types was not built"; exit 77; }
pkg-config --exists jansson json-c yajl || { echo "skip: libjansson-dev, libjson-c-dev and libyajl-dev are needed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-json.XXXXXX")
trap 'rm -rf "$work"' EXIT
here=runtime/bench/json

cc=(gcc -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Iruntime/include)
"${cc[@]}" -c -o "$work/codecs.o" $here/codecs.c
"$types" -o "$work/types.c" "$work/codecs.o"
for peer in jansson json-c yajl; do
	read -ra flags <<<"$(pkg-config --cflags --libs $peer)"
	"${cc[@]}" -o "$work/$peer" "$work/codecs.o" "$work/types.c" $here/$peer.c "$build/libospreyrt.a" -pthread "${flags[@]}"
done

# Orders as a shop has them; prices of two places, or (noisy) numbers of 17 digits.
records() {
	python3 - "$1" <<-'P'
	import json, random, sys
	r = random.Random(5)
	def price():
	    return round(r.uniform(0.5, 500), 2) if sys.argv[1] == "prices" else r.random() * 500
	def word(n):
	    return "".join(r.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(n))
	orders = []
	for i in range(500):
	    items = [{"name": word(r.randrange(4, 24)), "price": price(), "amount": r.randrange(1, 20), "gift": r.random() < .1} for _ in range(r.randrange(1, 8))]
	    orders.append({"id": 10**12 + i, "customer": word(12) + r.choice(["", " \u00e4\u00f6", " \"x\""]), "street": word(20), "items": items,
	                   "total": price(), "created_ns": r.getrandbits(60), "paid": r.random() < .5})
	print(json.dumps({"orders": orders}, ensure_ascii=False, separators=(",", ":")), end="")
	P
}

missed=0
for kind in prices noisy; do
	records $kind >"$work/records"
	for peer in jansson json-c yajl; do
		progress "$kind: $peer"
		"$work/$peer" "$work/records"
	done >"$work/figures.$kind"
	if command -v go >/dev/null; then
		progress "$kind: Go"
		GO111MODULE=off GOCACHE=$work/go go run $here/peer.go "$work/records" >>"$work/figures.$kind"
	fi
done
progress_end
printf '%-15s%9s%9s%9s%9s%9s%8s  %s\n' MB/s ours jansson json-c yajl Go ratio verdict
for kind in prices noisy; do
	for way in decode encode; do
		ratio=$(awk -v kind=$kind -v way=$way -v ratio="$work/ratio" '
			$2 == way && $3 > most[$1] { most[$1] = $3 }
			END {
				for (who in most)
					if (who != "ours" && most[who] > best)
						best = most[who]
				printf "%-15s", kind " " way
				n = split("ours jansson json-c yajl go", order, " ")
				for (i = 1; i <= n; i++)
					printf "%9s", order[i] in most ? sprintf("%.0f", most[order[i]]) : "-"
				printf "%8.2f", most["ours"] / best
				printf "%.3f\n", best / most["ours"] >ratio
			}' "$work/figures.$kind" >"$work/line"; cat "$work/ratio")
		word=$(verdict "json: $kind $way, best to ours" "$ratio" 1) || missed=1
		echo "$(cat "$work/line")  $word"
	done
done
echo "ratio: ours to the best of the others; goal: 1 or more"
exit $missed
