#!/bin/bash
# On a terminal, in a shell with job control: keys, stopping, going on, the foreground, are as without osprey.
. "$(dirname "$0")/run_common"
command -v python3 >/dev/null || skip "needs python3"

timeout -k 1 60 python3 - "$osprey" "$scratch" <<'PYTHON' || bad=1
import os, pty, re, select, sys, time

osprey, scratch = sys.argv[1:]
bad = 0
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="PROMPT> ", TERM="dumb", HISTFILE="/dev/null")
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

said = ""
def until(pattern, seconds=10):
    """What was said up to the pattern, which is taken off the front."""
    global said, bad
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        match = re.search(pattern, said)
        if match:
            before, said = said[:match.end()], said[match.end():]
            return before
        if select.select([fd], [], [], 0.1)[0]:
            try:
                said += os.read(fd, 65536).decode(errors="replace").replace("\r\n", "\n")
            except OSError:
                break
    bad = 1
    print(f"not so: no {pattern!r} within {seconds} s, but {said!r}")
    return ""

def send(text):
    os.write(fd, text.encode())

def check(what, condition, shown=""):
    global bad
    if not condition:
        bad = 1
        print(f"not so: {what} {shown!r}")

until("PROMPT> ")
send("stty -echo; PS1='> '\n")
until("> $")

# The program has the terminal.
send(f"{osprey} run -q -- sh -c 'read line; echo \"got $line\"; exit 5'; echo code $?\n")
time.sleep(0.3)
send("words\n")
until("got words\ncode 5\n")

# The key for INT: once, by the terminal itself.
send(f"{osprey} run -q -- bash -c 'trap \"echo caught\" INT; echo ready; for i in 1 2 3 4 5 6; do sleep 0.2; done; exit 3'; echo code $?\n")
until("ready\n")
send("\x03")
text = until("code 3\n> $")
check("INT arrives once", text.count("caught") == 1, text)
send(f"{osprey} run -q sh -c 'echo ready; exec sleep 20'; echo code $?\n")
until("ready\n")
send("\x03")
until("> $")
send("echo code $?\n")
until("^code 130\n")
until("> $")
# A program that dies of it takes the shell's loop along.
send(f"for i in 1 2 3; do {osprey} run -q sh -c 'echo ready; exec sleep 20'; done; echo not ended\n")
until("ready\n")
send("\x03")
text = until("> $")
check("a loop ends with its program", "not ended" not in text and "ready" not in text, text)

# Stopped by its key: the shell has its prompt again; continued in the foreground; and ended by the end of file.
send(f"{osprey} run -q cat\n")
time.sleep(0.3)
send("one\n")
until("one\n")
send("\x1a")
until("Stopped")
until("> $")
send("jobs\n")
until("Stopped.*run -q cat")
send("fg\n")
time.sleep(0.3)
send("two\n")
until("two\n")
send("\x04")
until("> $")
send("echo code $?\n")
until("code 0\n")

# Stopped, then continued in the background, where it reads from the terminal: stopped again, the shell sees it.
# It waits without a child: a shell whose child is stopped between vfork and exec does not stop itself.
os.mkfifo(f"{scratch}/nothing")
send(f"{osprey} run -q bash -c 'exec 3<>{scratch}/nothing; echo ready; read -t 0.5 -u 3; read line; echo \"got $line\"'\n")
until("ready\n")
send("\x1a")
until("Stopped")
send("bg\n")
time.sleep(1)
send("\n")
until("Stopped")
send("fg\n")
time.sleep(0.3)
send("late\n")
until("got late\n")

# A timeout ends it while it is stopped; the shell hears of it.
send(f"{osprey} run -q --timeout 1s --grace 200ms sh -c 'echo ready; exec cat'; echo code $?\n")
until("ready\n")
send("\x1a")
until("Stopped")
time.sleep(1.5)
send("\n")
until("Exit 124")

# Started in the background.
send(f"{osprey} run -q sh -c 'echo from behind' &\nwait; echo waited\n")
until("from behind\n")
until("waited\n")

# A shell of its own, with job control, has the terminal and gives it back.
send(f"{osprey} run -q bash --norc --noprofile -i\n")
time.sleep(0.5)
send("stty -echo; PS1='inner> '; { echo ready; sleep 20; } | cat\n")
until("ready\n")
send("\x1a")
until("Stopped")
# It does not leave while it has a stopped job. Not ended by `kill -9 %1`: on a busy machine bash (5.2, without osprey
# as well) at times misses that a stopped job has died, and then never leaves.
until("inner> $")
send("fg\n")
until("sleep 20; } . cat\n")
time.sleep(0.3)
send("\x03")
until("inner> $")
send("exit 7\n")
until("exit\n> $")
send("echo code $?\n")
until("code 7\n")

# The window's size.
send(f"{osprey} run -q bash -c 'trap \"stty size\" WINCH; echo ready; for i in 1 2 3 4 5; do sleep 0.2; done'\n")
until("ready\n")
import fcntl, struct, termios
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 44, 0, 0))
until("33 44\n")
until("> $")

# The terminal hangs up.
send(f"{osprey} run -q bash -c 'trap \"echo hup >{scratch}/hup; exit\" HUP; echo ready; while :; do sleep 0.1; done'\n")
until("ready\n")
os.close(fd)
for _ in range(100):
    if os.path.exists(f"{scratch}/hup"):
        break
    time.sleep(0.05)
else:
    check("HUP arrives", False)
sys.exit(bad)
PYTHON
checks=1
done_checking
