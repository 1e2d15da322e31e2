#!/bin/bash
# The doctor's JSON keeps to docs/doctor.schema.json: as it is here and now, as replayed from a
# capture of that run, and as written for hand-built reports. The schema refuses what is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
python3 -c 'import jsonschema' 2>/dev/null || { echo "skip: needs python3-jsonschema" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-json.XXXXXX")
trap 'rm -rf "$work"' EXIT

doctor() { # OUTPUT ARGUMENT…
	local out=$1 status=0
	shift
	"$build/osprey" doctor --json "$@" >"$out" || status=$?
	[ "$status" -le 1 ] || { echo "osprey doctor --json $*: exit status $status"; exit 1; }
}
doctor "$work/live.json" --window 1s
doctor "$work/proc.json" --window 300ms --no-bpf
doctor "$work/captured.json" --window 1200ms --capture "$work/capture"
doctor "$work/replayed.json" --host "$work/capture"
[ "$("$build/osprey" --json --host "$work/capture" | jq '.replayed')" = true ]

python3 - docs/doctor.schema.json "$work"/*.json src/report/golden/*.json <<'PYTHON'
import copy, json, sys
import jsonschema

def strict(path):
    def refuse(word):
        raise SystemExit(f"{path}: {word} is no JSON")
    with open(path, encoding="utf-8") as f:
        return json.load(f, parse_constant=refuse)

schema = strict(sys.argv[1])
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
documents = {path: strict(path) for path in sys.argv[2:]}
for path, document in documents.items():
    for error in validator.iter_errors(document):
        raise SystemExit(f"{path}: {'/'.join(map(str, error.path))}: {error.message}")
    said = [f["condition"] for k in ("findings", "absorbed") for f in document[k]]
    said += [r["condition"] for k in ("cleared", "unmeasured") for r in document[k]]
    known = {f["condition"] for f in document["absorbed"]}
    for finding in document["findings"]:
        assert set(finding["symptoms"]) <= known, f"{path}: symptoms that are nowhere told"
    assert said, f"{path}: says nothing"

captured, replayed = (next(d for p, d in documents.items() if p.endswith(n))
                      for n in ("/captured.json", "/replayed.json"))
assert abs(captured["window_s"] - replayed["window_s"]) < 1e-6, "the replay has another window"
for key in ("hostname", "kernel", "cpus", "memory_bytes"):
    assert captured["host"][key] == replayed["host"][key], f"the replay has another {key}"

# What must not pass: each change makes a right document wrong.
right = next(d for p, d in documents.items() if p.endswith("/ill.json"))
def wrong(change):
    document = copy.deepcopy(right)
    change(document)
    assert not validator.is_valid(document), "the schema lets a wrong document pass"
wrong(lambda d: d.update(schema="osprey.doctor/2"))
wrong(lambda d: d.pop("cost"))
wrong(lambda d: d["findings"][0].update(severity="bad"))
wrong(lambda d: d["findings"][0].update(confidence=1.5))
wrong(lambda d: d["findings"][0]["evidence"][0].update(value="50"))
wrong(lambda d: d["findings"][0]["victim"].update(kind="planet"))
PYTHON
