# Makes the manual page of an area from its public header, which is the contract: one text in one place.
#
#   awk -f man/page.awk -v date=2026-11-30 -v area=chan -v example=man/rt_chan.c -v see="rt_fiber(3), …" include/osprey/rt/chan.h >rt_chan.3
#
# The comment at the top becomes the description, each block of a comment and declarations a section of its own. With
# -v names=1 it prints the names of the functions instead, one a line.

function text(s)
{
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	sub(/^[.']/, "\\\\\\&&", s)
	s = " " s
	while (match(s, /[^A-Za-z0-9_%]rt_[a-z0-9_]+/))
		s = substr(s, 1, RSTART) "\\fB%" substr(s, RSTART + 1, RLENGTH - 1) "\\fP" substr(s, RSTART + RLENGTH)
	gsub(/fB%/, "fB", s)
	return substr(s, 2)
}

function code(s)
{
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	sub(/^[.']/, "\\\\\\&&", s)
	sub(/^RT_API /, "", s)
	gsub(/ ?__attribute__ ?\(\([^()]*(\([^()]*\)[^()]*)*\)\)/, "", s)
	sub(/^ /, "", s)
	return s
}

# Columns as the header has them, where a tab is eight; what is indented by one is so by four.
function columns(s,    out, i, c)
{
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\t")
			out = out substr("        ", length(out) % 8 + 1)
		else
			out = out c
	}
	sub(/^        /, "    ", out)
	return out
}

# A line of a declaration or a table. What stands to the right goes on below where the terminal ends.
function declared(s,    at, out, before, word, n, i)
{
	s = columns(s)
	if (length(s) <= 72)
		return code(s)
	if (match(s, /\/?\* /) || match(s, /[^ ]  +[^ ]/))
		at = RSTART + RLENGTH - (substr(s, RSTART + RLENGTH - 1, 1) == " " ? 0 : 1)
	else
		return prototype(s, 0)
	out = substr(s, 1, at - 1)
	n = split(substr(s, at), word, / +/)
	for (i = 1; i <= n; i++)
		if (length(out) + 1 + length(word[i]) > 72) {
			before = before code(out) "\n"
			out = sprintf("%" (at > 45 ? 12 : at - 1) "s", "") word[i]
		} else {
			out = out (i > 1 ? " " : "") word[i]
		}
	return before code(out)
}

# A prototype, over as many lines as fit into a terminal.
function prototype(s, goes_on,    cut, out, indent)
{
	s = code(s)
	if (goes_on)
		sub(/^[ \t]*/, "    ", s)
	indent = match(s, /[^ ]/) > 2 ? "        " : "    "
	while (length(s) > 70) {
		cut = 70
		while (cut > 20 && substr(s, cut, 2) != ", ")
			cut--
		if (cut == 20)
			break
		out = out substr(s, 1, cut) "\n"
		s = indent substr(s, cut + 2)
	}
	return out s
}

# A paragraph that begins with a title ("Memory order: …") at the top is a section of its own.
function paragraphs(s, sections,    n, i, part, title)
{
	n = split(s, part, /\n\n/)
	for (i = 1; i <= n; i++) {
		if (part[i] ~ /^\t/) {
			printf ".PP\n.nf\n%s\n.fi\n", lines(part[i])
			continue
		}
		if (sections && match(part[i], /^[A-Z][a-z]+( [a-z]+)?[:.] /) && RLENGTH < 20) {
			title = substr(part[i], 1, RLENGTH - 2)
			part[i] = toupper(substr(part[i], RLENGTH + 1, 1)) substr(part[i], RLENGTH + 2)
			printf ".SH %s\n", toupper(title)
		} else {
			print ".PP"
		}
		print lines(part[i])
	}
}

function lines(s,    n, i, l, out)
{
	n = split(s, l, /\n/)
	for (i = 1; i <= n; i++) {
		# What is indented by a tab stays as it is.
		if (l[i] ~ /^\t/ && (i == 1 || l[i - 1] !~ /^\t/))
			out = out (i > 1 ? "\n" : "") ".nf"
		out = out (out != "" ? "\n" : "") (l[i] ~ /^\t/ ? declared(l[i]) : text(l[i]))
		if (l[i] ~ /^\t/ && (i == n || l[i + 1] !~ /^\t/))
			out = out "\n.fi"
	}
	return out
}

function comment_line(s)
{
	sub(/^\/\* ?/, "", s)
	sub(/ ?\*\/$/, "", s)
	sub(/^ \* ?/, "", s)
	return s
}

function end_block()
{
	if (says != "" || shows != "") {
		n++
		comments[n] = says
		declarations[n] = shows
	}
	says = shows = ""
}

NR == 1 { in_comment = 1; at_top = 1 }
in_comment {
	closes = /\*\/$/
	line = comment_line($0)
	if (at_top)
		top = top (top == "" ? "" : "\n") line
	else
		says = says (says == "" ? "" : "\n") line
	if (closes)
		in_comment = at_top = 0
	next
}
# Of what is inline, how it is called.
in_body { in_body = !/^}/; next }
/^static inline .*\)$/ {
	in_body = 1
	sub(/^static inline /, "RT_API ")
	$0 = $0 ";"
}
/^#(ifndef|ifdef|endif|include)|^#define OSPREY_|^#define RT_API|^extern "C"|^}$/ { next }
/^$/ { end_block(); next }
/^\/\*/ && shows == "" {
	in_comment = !/\*\/$/
	says = says (says == "" ? "" : "\n") comment_line($0)
	next
}
{
	shows = shows (shows == "" ? "" : "\n") $0
	if (match($0, /rt_[a-z0-9_]+\(/) && /^(RT_API|static inline)/)
		functions[++nfunctions] = substr($0, RSTART, RLENGTH - 1)
	else if (/^RT_API extern/ && match($0, /rt_[a-z0-9_]+;/))
		functions[++nfunctions] = substr($0, RSTART, RLENGTH - 1)
}

function heading(s,    l, m, i, out)
{
	m = split(s, l, /\n/)
	for (i = 1; i <= m; i++)
		if (l[i] ~ /^(RT_API|static inline)/ && match(l[i], /rt_[a-z0-9_]+\(/))
			out = out (out == "" ? "" : ", ") substr(l[i], RSTART, RLENGTH - 1) "()"
	for (i = 1; out == "" && i <= m; i++)
		if (match(l[i], /^(struct|enum) [a-z0-9_]+/))
			out = substr(l[i], RSTART, RLENGTH)
		else if (match(l[i], /^#define [A-Z0-9_]+/))
			out = substr(l[i], 9, RLENGTH - 8)
		else if (match(l[i], /^typedef .*rt_[a-z0-9_]+/))
			out = l[i]
	sub(/;$/, "", out)
	return out
}

END {
	end_block()
	if (names) {
		for (i = 1; i <= nfunctions; i++)
			print functions[i]
		exit
	}
	cut = match(top, /\n\n/) ? RSTART : length(top) + 1
	first = substr(top, 1, cut - 1)
	rest = substr(top, cut + 2)
	gsub(/\n/, " ", first)
	summary = first
	sub(/[.:] [A-Z].*$/, "", summary)
	sub(/\.$/, "", summary)
	printf ".\\\" From osprey/rt/%s.h by page.awk.\n", area
	printf ".TH rt_%s 3 \"%s\" \"osprey\" \"osprey runtime\"\n.SH NAME\nrt_%s", area, date, area
	for (i = 1; i <= nfunctions; i++)
		if (functions[i] != "rt_" area)
			printf ",\n%s", functions[i]
	printf " \\- %s\n", code(tolower(substr(summary, 1, 1)) substr(summary, 2))
	printf ".SH LIBRARY\nosprey runtime (libospreyrt; cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs osprey\\-rt))\n"
	printf ".SH SYNOPSIS\n.nf\n#include <osprey/rt/%s.h>\n", area
	for (i = 1; i <= n; i++) {
		m = split(declarations[i], l, /\n/)
		for (j = 1; j <= m; j++)
			if (l[j] ~ /^RT_API/ || more) {
				if (!more && last != i)
					print ""
				print prototype(l[j], more)
				more = l[j] !~ /;/
				last = i
			}
	}
	print ".fi\n.SH DESCRIPTION"
	print lines(first)
	if (rest != "")
		paragraphs(rest, 1)
	print ".SH FUNCTIONS AND TYPES"
	for (i = 1; i <= n; i++) {
		if (comments[i] == "" && declarations[i] ~ /^struct [a-z0-9_]+;$|^#define [^\n]*\n/)
			continue
		if (heading(declarations[i]) != "")
			printf ".SS %s\n", code(heading(declarations[i]))
		if (declarations[i] != "") {
			m = split(declarations[i], l, /\n/)
			print ".nf"
			more = 0
			for (j = 1; j <= m; j++) {
				print more || l[j] ~ /^RT_API/ ? prototype(l[j], more) : l[j] ~ /^typedef .*\(/ ? prototype(l[j], 0) : declared(l[j])
				more = (more || l[j] ~ /^RT_API/) && l[j] !~ /;/
			}
			print ".fi"
		}
		if (comments[i] != "")
			paragraphs(comments[i], 0)
	}
	if (example != "" && (getline line <example) > 0) {
		print ".SH EXAMPLE\n.nf"
		do
			print code(line)
		while ((getline line <example) > 0)
		print ".fi"
	}
	print ".SH SEE ALSO\n" code(see)
}
