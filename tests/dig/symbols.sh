#!/bin/bash
# Names and lines of every function of some files, against nm, objdump and llvm-addr2line: libc and libstdc++ as they are installed,
# and programs in C, C++ and (with rustc) Rust, built with gcc and clang, DWARF 4, 5 and split.
set -euo pipefail
cd "$(dirname "$0")/../.."
test=${BUILD:-build}/test/dig/symbol/symbol_test
[ -x "$test" ] || { echo "skip: $test is not built"; exit 77; }
for tool in nm objdump objcopy llvm-addr2line g++ python3; do
	command -v $tool >/dev/null || { echo "skip: needs $tool"; exit 77; }
done
here=$PWD
dir=$(mktemp -d "${TMPDIR:-/tmp}/osprey-symbols.XXXXXX")
trap 'rm -rf "$dir"' EXIT

cat >"$dir/c.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static volatile int n;
static inline __attribute__((always_inline)) int deepest(int x) { n += x; return n * 3; }
static inline __attribute__((always_inline)) int deep(int x) { int y = deepest(x); return y ^ x; }
__attribute__((noinline)) static int local(int x) { return deep(x + 1) + deep(x - 1); }
int global(int x) { return local(x) + local(2 * x); }
int alias(int x) __attribute__((weak, alias("global")));
__attribute__((cold, noinline)) static void unlikely(void) { puts("unlikely"); exit(2); }
__asm__(".text\n.type assembly, @function\nassembly:\n nop\n nop\n ret\n.globl after\nafter:\n nop\n ret\n");
int main(int argc, char **argv) { if (argc > 9) unlikely(); return global((int)strlen(argv[0])) == getenv("x")[0]; }
C
cat >"$dir/cc.cc" <<'CC'
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>
namespace { struct Local { __attribute__((noinline)) int work(int x) { return x * 3; } }; inline int twice(int x) { return x + x; } }
namespace outer { template <class T> struct Box { T v; __attribute__((noinline)) T get(int n) const { return v + twice(n); } Box(T x) : v(x) {} ~Box() { std::puts("gone"); } }; }
int main(int argc, char **) {
	std::vector<int> v;
	for (int i = 0; i < argc * 10; i++) v.push_back((i * 37) % 11);
	std::sort(v.begin(), v.end(), [](int a, int b) { return a > b; });
	outer::Box<long> b(argc); Local l; std::map<std::string, int> m;
	for (auto x : v) m[std::to_string(x)] += l.work(x);
	std::printf("%ld %zu\n", b.get(3), m.size());
}
CC
cat >"$dir/rs.rs" <<'RS'
trait Shape { fn area(&self) -> f64; }
struct Square(f64);
impl Shape for Square { #[inline(never)] fn area(&self) -> f64 { self.0 * self.0 } }
#[inline(always)] fn add(a: u64, b: u64) -> u64 { a.wrapping_add(b) }
#[inline(never)] fn generic<T: std::fmt::Debug + Clone>(t: &[T]) -> String { t.iter().map(|x| format!("{:?}", x.clone())).collect() }
fn main() { let s: Box<dyn Shape> = Box::new(Square(2.0)); println!("{} {} {}", s.area(), generic(&[1, 2]), add(1, 2)); }
RS

cat >"$dir/compare.py" <<'PY'
import random, re, subprocess, sys
test, what, path = sys.argv[1:4]
random.seed(1)

def run(*command, stdin=''):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout

def ours(addresses, *options):
    out = run(test, *options, path, stdin=''.join('%x\n' % a for a in addresses)).splitlines()
    assert len(out) == len(addresses), (len(out), len(addresses))
    return [[f.rsplit(' ', 1) for f in line.split('\t')] for line in out]

def symbols(*options):
    table = {}
    for line in run('nm', *options, path).splitlines():
        part = line.split(None, 2)
        if len(part) == 3 and part[1] in 'TtWwi' and part[2] != 'data_start':
            table.setdefault(int(part[0], 16), set()).add(part[2].split('@')[0])
    return table

def verdict(n, wrong, least):
    for w in wrong[:5]:
        print(path, what, 'at %x: %s, wanted %s' % w)
    print('%s: %s: %d compared, %d differ' % (path, what, n, len(wrong)))
    sys.exit(len(wrong) > 0 or n < least)

if what == 'names':      # every function, by one of the names it has in the table, plain and demangled
    dynamic = ['-D'] if 'no symbols' in subprocess.run(['nm', path], capture_output=True, text=True).stderr else []
    wrong, n = [], 0
    for option, ask in ([], ['-x']), (['-C'], ['--no-lines']):
        table = symbols('--defined-only', *dynamic, *option)
        for a, f in zip(table, ours(table, *(ask if option else ['--no-lines', '--mangled']))):
            n += 1
            # two demanglers of one age may differ in blanks alone
            if f[-1][0].replace(' ', '') not in {t.replace(' ', '') for t in table[a]}:
                # the separate debug file knows other names for what .dynsym exports
                if not (dynamic and f[-1][0] != '??'):
                    wrong.append((a, f[-1][0], table[a]))
    verdict(n, wrong, int(sys.argv[4]))
elif what == 'stubs':    # every stub of the PLT that objdump names
    stubs = {int(a, 16): name for a, name in re.findall(r'^([0-9a-f]+) <([^>]*@plt)>:$', run('objdump', '-d', path), re.M)}
    got = ours(stubs, '--mangled')
    verdict(len(stubs), [(a, f[0][0], stubs[a]) for a, f in zip(stubs, got) if f[0][0] != stubs[a]], int(sys.argv[4]))
else:                    # chains of inlined calls and their lines, at places within functions
    table = sorted(symbols('--defined-only'))
    table = random.sample(table, min(len(table), 250))
    places = [a + d for a in table for d in (0, 7, 23)]
    peer = []
    for line in run('llvm-addr2line', '-a', '-f', '-i', '-e', path, stdin=''.join('0x%x\n' % a for a in places)).splitlines():
        if re.fullmatch(r'0x[0-9a-f]+', line):
            peer.append([])
        elif peer[-1] and len(peer[-1][-1]) == 1:
            peer[-1][-1].append(re.sub(r' \(.*', '', line).replace(':?', ':0'))
        else:
            peer[-1].append([line])
    wrong, n = [], 0
    for a, f, p in zip(places, ours(places, '--mangled'), peer):
        if p[0][1].endswith(':0') and '/' not in p[0][1]: # no line of DWARF, perhaps an STT_FILE
            continue
        n += 1
        lines = len(f) == len(p) and all(y[1].endswith(x[1].lstrip('./')) for x, y in zip(f, p))
        # the outermost is called as the table calls it, which has other names for one address
        if not lines or any(x[0] != y[0] for x, y in zip(f[:-1], p[:-1])):
            wrong.append((a, f, p))
    verdict(n, wrong, int(sys.argv[4]))
PY
compare() { (cd "$dir" && python3 compare.py "$here/$test" "$@"); }

bad=0
gcc -O2 -g -Wno-nonnull -o "$dir/c" "$dir/c.c"
gcc -O2 -g -no-pie -fcf-protection=full -Wl,-z,lazy,-z,ibtplt -o "$dir/c-lazy" "$dir/c.c"
g++ -O2 -g -gdwarf-4 -gz=zlib -o "$dir/cc-4" "$dir/cc.cc"
clang++ -O2 -g -o "$dir/cc-clang" "$dir/cc.cc"
(cd "$dir" && g++ -O2 -g -gsplit-dwarf -o cc-split cc.cc)
for program in c cc-4; do
	compare names "$dir/$program" 8 || bad=1
done
for program in c cc-4 cc-clang cc-split; do
	compare lines "$dir/$program" 12 || bad=1
done
compare stubs "$dir/c" 3 || bad=1
compare stubs "$dir/c-lazy" 3 || bad=1
compare stubs "$dir/cc-4" 10 || bad=1
if command -v rustc >/dev/null && rustc -O -g -o "$dir/rs" "$dir/rs.rs" 2>/dev/null; then
	compare names "$dir/rs" 300 || bad=1
	compare lines "$dir/rs" 300 || bad=1
fi
for library in /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libstdc++.so.6; do
	[ ! -e $library ] || compare names $library 1000 || bad=1
done

# What was stripped, and where its names went: beside it under a link, under a link with a wrong checksum, packed inside.
nm "$dir/c" | awk '$3 == "local" { print $1 }' >"$dir/address"
name_of() { "$test" "$1" <"$dir/address" | tr '\t' '\n' | tail -n 1 | cut -d' ' -f1; }
expect() { [ "$(name_of "$dir/$1")" = "$2" ] || { echo "$1: $3: $(name_of "$dir/$1"), wanted $2"; bad=1; }; }
gcc -O2 -g -Wl,--build-id=none -Wno-nonnull -o "$dir/plain" "$dir/c.c"
nm "$dir/plain" | awk '$3 == "local" { print $1 }' >"$dir/address"
objcopy --only-keep-debug "$dir/plain" "$dir/linked.debug"
strip -s -o "$dir/bare" "$dir/plain"
expect bare '??' "a stripped program without debug file"
(cd "$dir" && objcopy --add-gnu-debuglink=linked.debug bare linked)
expect linked local "by .gnu_debuglink"
mkdir "$dir/.debug" && mv "$dir/linked.debug" "$dir/.debug/"
expect linked local "by .gnu_debuglink in .debug/"
printf x >>"$dir/.debug/linked.debug"
expect linked '??' "a debug file with another checksum"
cp "$dir/plain" "$dir/mini-full" && strip --strip-debug "$dir/mini-full"
if command -v xz >/dev/null; then
	xz -k "$dir/mini-full"
	objcopy --add-section .gnu_debugdata="$dir/mini-full.xz" "$dir/bare" "$dir/packed"
	expect packed local "by .gnu_debugdata"
fi
exit $bad
