#!/bin/bash
# The shells themselves load the completion scripts and offer the right words: bash by calling the
# function it registered, zsh at a Tab key on a terminal, fish by its own question.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
for shell in zsh fish python3; do
	command -v "$shell" >/dev/null || { echo "skip: needs $shell" >&2; exit 77; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/osprey-completions.XXXXXX")
trap 'rm -rf "$work"' EXIT
ln -s "$(realpath "$build/osprey")" "$work/osprey"
export PATH=$work:$PATH HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work
mkdir "$work/functions"
osprey --completion bash >"$work/osprey.bash"
osprey --completion zsh >"$work/functions/_osprey"
osprey --completion fish >"$work/osprey.fish"
bad=0

in_bash() { # LINE
	bash -c 'source "$1"; read -ra COMP_WORDS <<<"$2"; [[ $2 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _osprey; printf "%s\n" "${COMPREPLY[@]}"' - "$work/osprey.bash" "$1"
}
in_fish() { fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$work/osprey.fish" "$1" | cut -f1; }
# The second Tab lists what the first could not decide. A line with one answer is completed.
in_zsh() {
	python3 - "$work/functions" "$1" <<'PYTHON'
import os, pty, re, select, signal, sys, time
functions, line = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp("zsh", ["zsh", "-f"])
def until(mark, seconds=20):
    said, end = "", time.monotonic() + seconds
    while mark not in said and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                said += os.read(fd, 65536).decode(errors="replace")
            except OSError:
                break
    return said
def send(text):
    os.write(fd, text.encode())
send("PS1=; RPS1=; unsetopt zle_bracketed_paste; fpath=(%s $fpath); autoload -Uz compinit; compinit -D; echo rea''dy\n" % functions)
until("\nready")
for key in (line + "\t", "\t"):
    send(key)
    time.sleep(0.6)
send("\x15echo en''d\n")  # the line is thrown away
print(re.sub(r"\s+", "\n", until("\nend").replace("\x07", "")))
os.kill(pid, signal.SIGKILL)
PYTHON
}

# offers SHELL LINE WORD… [-- WORD…]: all words before the dashes, none behind them.
offers() {
	local shell=$1 line=$2 word not=
	shift 2
	"in_$shell" "$line" >"$work/offered"
	for word; do
		if [ "$word" = -- ]; then
			not=1
		elif [ -z "$not" ] && ! grep -qx -e "$word" "$work/offered"; then
			echo "not so: $shell, '$line': $word is not offered"; bad=1
		elif [ -n "$not" ] && grep -qx -e "$word" "$work/offered"; then
			echo "not so: $shell, '$line': $word is offered"; bad=1
		fi
	done
}

for shell in bash fish zsh; do
	offers $shell "osprey " doctor explain lab help
	offers $shell "osprey doctor --" --window --json -- --strength
	offers $shell "osprey explain d" deadlock disk_saturated -- cpu_saturated
	offers $shell "osprey lab " list run clean score -- doctor
	offers $shell "osprey lab run " cpu_saturated healthy_idle -- score doctor
	offers $shell "osprey lab run -s " weak medium strong -- deadlock
	offers $shell "osprey help " explain lab
	offers $shell "osprey --completion " bash zsh fish -- doctor
done
offers bash "osprey doctor --host READ" README.md
offers fish "osprey doctor --host READ" README.md
offers zsh "osprey doctor --host READ" README.md
exit $bad
