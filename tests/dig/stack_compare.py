#!/usr/bin/env python3
"""Frames of `osprey stack --threads --json --no-lines` against those of another look at the same threads.

usage: stack_compare.py WHAT LEAST OSPREY-JSON PEER: PEER is a second JSON document of osprey (of a core, of another
user's look) or the text of `eu-stack -n 0`. Threads that one of the two saw running, and those that stood at another
place at its look, are left out and counted. Prints what was compared; exit code 1 when something differs, or when
fewer than LEAST frames were compared."""
import json
import re
import sys


def peer_threads(path):
    threads, frames = {}, None
    for line in open(path, errors='replace'):
        head = re.match(r'TID (\d+):', line)
        frame = re.match(r'#\d+ +0x([0-9a-f]+)(?: - \d+)?(?: +(.*?))?\s*$', line)
        if head:
            frames = threads.setdefault(int(head[1]), [])
        elif frame and frames is not None:
            frames.append((int(frame[1], 16), frame[2] or ''))
    return threads


def our_threads(document):
    threads, unsteady = {}, set()
    for stack in document['stacks']:
        frames = [(int(f['address'], 16), f['function'] or '') for f in stack['frames'] if not f['inlined']]
        for thread in stack['threads']:
            threads[thread['tid']] = frames
            if thread['running'] or thread['torn'] or thread['state'] == 'R':
                unsteady.add(thread['tid'])
    return threads, unsteady


def plain(name):
    """Without versions, Rust's hashes and Go's ABI; blanks apart, which two demanglers of one age put differently."""
    return re.sub(r'@@?[A-Z][A-Za-z0-9_.]*$|::h[0-9a-f]{16}$|\.abi0$', '', name).replace(' ', '')


def bare(name):
    """A C function's name without what its aliases have before it."""
    return re.sub(r'^(__GI_|__libc_|_)+', '', name)


def same_name(mine, other):
    # eu-stack leaves names of Rust as they are, or half so: tests/dig/symbols.sh has another peer for these.
    if not other or other.startswith('_R') or '$' in other:
        return None
    return plain(mine) == plain(other) or bare(plain(mine)) == bare(plain(other))


what, least = sys.argv[1], int(sys.argv[2])
ours, unsteady = our_threads(json.load(open(sys.argv[3])))
with open(sys.argv[4], errors='replace') as peer:
    is_json = peer.read(1) == '{'
if is_json:
    theirs, more = our_threads(json.load(open(sys.argv[4])))
    unsteady |= more
else:
    theirs = peer_threads(sys.argv[4])
threads = frames = names = differ = left_out = 0
for tid, mine in ours.items():
    other = theirs.get(tid)
    if not mine and not other:
        continue
    if tid in unsteady or not other or not mine or mine[0][0] != other[0][0]:
        left_out += 1
        continue
    # Of Go eu-stack knows neither where a stack begins nor the way back from a signal; without BPF the registers are
    # not known by which the frames of some functions are found.
    if what.startswith('go') or what == 'without BPF':
        mine, other = mine[:len(other)], other[:len(mine)]
    threads += 1
    frames += max(len(mine), len(other))
    if [a for a, _ in mine] != [a for a, _ in other]:
        differ += 1
        print('%s: thread %d: frames\n  %s\nare not the other\'s\n  %s' % (
            what, tid, ' '.join('%x' % a for a, _ in mine), ' '.join('%x' % a for a, _ in other)))
        continue
    for (address, name), (_, peer_name) in zip(mine, other):
        same = same_name(name, peer_name)
        names += same is not None
        if same is False:
            differ += 1
            print('%s: thread %d: %x is %r, for the other %r' % (what, tid, address, name, peer_name))
print('%s: %d threads, %d frames, %d names; %d differ, %d threads left out' % (what, threads, frames, names, differ, left_out))
if frames < least:
    print('%s: fewer than the %d frames that this target has' % (what, least))
sys.exit(differ > 0 or frames < least)
