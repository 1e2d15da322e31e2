/* Processes that broke: segmentation faults, traps, and what audit says of both. */
#include <stdio.h>

#include "source/kernel_log/decoder.h"

/* ---- where ---- */

static bool next_hex(struct span *s, const char *mark, uint64_t *ret)
{
	struct span rest = *s;
	size_t n = 0;

	if (!scan_past(&rest, mark))
		return false;
	while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != ']' && rest.p[n] != ',' && rest.p[n] != '+')
		n++;
	if (!span_hex((struct span){ rest.p, n }, ret))
		return false;
	*s = (struct span){ rest.p + n, rest.n - n };
	return true;
}

/* " in libc.so.6[28000,7f1200000000+1000]", before 6.4 without the first number: the offset in the
 * file. Names may hold anything; the brackets that count are the last. */
static void module(struct span line, struct log_fault *f)
{
	struct span inside, name, first;
	uint64_t base, size, offset;

	/* " likely on CPU 1 (core 1, socket 0)" has no brackets */
	if (!scan_past(&line, " in ") || !scan_before_last(line, "]", &line) || !span_until_last(&line, '[', &inside))
		return;
	name = line;
	if (span_until(&inside, ',', &first) && span_hex(first, &offset) && reading_ok(offset))
		f->file_offset = offset;
	if (!span_until(&inside, '+', &first) || !span_hex(first, &base) || !span_hex(inside, &size))
		return;
	f->base = base;
	f->size = size;
	span_copy(name, f->module, sizeof f->module);
}

static bool begin(struct log_decoder *d, enum log_kind kind, const struct scan *found, struct span line)
{
	struct log_fault *f = decoder_alloc(d, sizeof *f);

	if (!f)
		return true;
	*f = (struct log_fault){ .address = READING_ABSENT, .error = READING_ABSENT, .file_offset = READING_ABSENT };
	struct log_event *e = report_begin(d, &d->fault, kind, line);
	e->pid = found->pid;
	span_copy(found->comm, e->comm, sizeof e->comm);
	e->fault = f;
	return true;
}

/* "segvlog[8162]: segfault at 10 ip 0000556e09114129 sp 00007ffdf4c12770 error 6 in segvlog[1129,
 *  556e09114000+1000] likely on CPU 1 (core 1, socket 0)" */
static bool segfault(struct log_decoder *d, struct span line)
{
	struct span rest = line;
	struct scan found;
	uint64_t address, error;

	if (!scan_match(line, "{c}[{p}]: segfault at {d}", &found) || !begin(d, LOG_SEGFAULT, &found, line))
		return false;
	struct log_fault *f = d->fault.event.fault;
	if (!f)
		return true;
	(void)!scan_past(&rest, "]: segfault");
	if (next_hex(&rest, " at ", &address) && reading_ok(address))
		f->address = address;
	(void)!next_hex(&rest, " ip ", &f->ip);
	(void)!next_hex(&rest, " sp ", &f->sp);
	if (next_hex(&rest, " error ", &error) && reading_ok(error))
		f->error = error;
	module(rest, f);
	if (scan_match(rest, "*likely on CPU {k} *", &found))
		d->fault.event.cpu = found.cpu;
	return true;
}

/* "traps: x[12] trap invalid opcode ip:401136 sp:7ffe5c8c9d50 error:0 in x[401000+1000]" */
static bool trap(struct log_decoder *d, struct span line)
{
	struct span rest = line;
	struct scan found;
	uint64_t error;

	if (!scan_match(line, "traps: {c}[{p}] {d} ip:*", &found) || !begin(d, LOG_TRAP, &found, line))
		return false;
	struct log_fault *f = d->fault.event.fault;
	if (!f)
		return true;
	if (span_starts(found.detail, "trap "))
		found.detail = (struct span){ found.detail.p + 5, found.detail.n - 5 };
	span_copy(found.detail, d->fault.event.detail, sizeof d->fault.event.detail);
	(void)!next_hex(&rest, " ip:", &f->ip);
	(void)!next_hex(&rest, " sp:", &f->sp);
	if (next_hex(&rest, " error:", &error) && reading_ok(error))
		f->error = error;
	module(rest, f);
	return true;
}

/* arm64: "x[12]: unhandled exception: DABT (lower EL), ESR 0x0000000092000046, level 2 translation
 * fault in x[aaaad4ba0000+1000]", then registers */
static bool unhandled(struct log_decoder *d, struct span line)
{
	struct span rest = line;
	struct scan found;

	if (!scan_match(line, "{c}[{p}]: unhandled exception: {d} in *", &found) &&
	    !scan_match(line, "{c}[{p}]: unhandled exception: {d}", &found))
		return false;
	if (!begin(d, LOG_TRAP, &found, line))
		return false;
	if (!d->fault.event.fault)
		return true;
	span_copy(found.detail, d->fault.event.detail, sizeof d->fault.event.detail);
	if (scan_past(&rest, "unhandled exception: "))
		module(rest, d->fault.event.fault);
	return true;
}

/* "Code: 2f 00 … <c7> 07 01": bytes around the instruction, which is marked */
static void code(struct log_fault *f, struct span line)
{
	struct span word;
	uint64_t byte;

	f->code_length = f->code_ip = 0;
	while (span_word(&line, &word) && f->code_length < sizeof f->code) {
		bool here = span_starts(word, "<") && word.n == 4;

		if (here)
			word = (struct span){ word.p + 1, 2 };
		if (word.n != 2 || !span_hex(word, &byte))
			break;
		if (here)
			f->code_ip = f->code_length;
		f->code[f->code_length++] = (unsigned char)byte;
	}
}

static bool further_line(struct log_decoder *d, struct span line)
{
	struct log_fault *f = d->fault.event.fault;
	struct span rest = line;
	uint64_t ip;

	if (!f)
		return false;
	if (span_starts(line, "Code: ") && !f->code_length) {
		code(f, (struct span){ line.p + 6, line.n - 6 });
		return true;
	}
	if (span_starts(line, "pc : ") && !f->ip && next_hex(&rest, "pc : ", &ip)) {
		f->ip = ip;
		return true;
	}
	return false;
}

bool fault_line(struct log_decoder *d, struct span line)
{
	if (report_has(d, &d->fault) && further_line(d, line)) {
		report_take(d, &d->fault);
		return true;
	}
	return segfault(d, line) || trap(d, line) || unhandled(d, line);
}

/* ---- audit ---- */

/* The value of key=… in an audit record; strings stand in quotes, or in hexadecimal when they hold
 * blanks or quotes. */
static bool audit_value(struct span line, const char *key, struct span *ret)
{
	struct span rest = line, value;

	if (!scan_past(&rest, key))
		return false;
	if (span_starts(rest, "\"")) {
		rest = (struct span){ rest.p + 1, rest.n - 1 };
		return span_until(&rest, '"', ret);
	}
	if (!span_word(&rest, &value) || !rest.p)
		return false;
	*ret = value;
	return true;
}

static void audit_string(struct span line, const char *key, char *ret, size_t size)
{
	struct span value;
	size_t n = 0;

	ret[0] = '\0';
	if (!audit_value(line, key, &value))
		return;
	if (value.p > line.p && value.p[-1] == '"') {
		span_copy(value, ret, size);
		return;
	}
	for (; value.n >= 2 && n + 1 < size; value = (struct span){ value.p + 2, value.n - 2 }) {
		uint64_t byte;

		if (!span_hex((struct span){ value.p, 2 }, &byte) || !byte)
			break;
		ret[n++] = (char)byte;
	}
	ret[n] = '\0';
}

static reading audit_number(struct span line, const char *key)
{
	struct span value;
	uint64_t n;

	return audit_value(line, key, &value) && span_u64(value, &n) && reading_ok(n) ? n : READING_ABSENT;
}

/* type=1701 (a process ended by a signal that dumps core): names the program's file */
static void abnormal_end(struct log_decoder *d, struct span line)
{
	struct log_event e = decoder_event(d, LOG_TRAP, line);
	struct span pid;

	if (audit_value(line, " pid=", &pid))
		(void)!scan_pid(pid, &e.pid);
	audit_string(line, " comm=", e.comm, sizeof e.comm);
	if (d->fault.open && d->fault.event.fault && d->fault.event.pid == e.pid) {
		audit_string(line, " exe=", d->fault.event.fault->exe, sizeof d->fault.event.fault->exe);
		report_take(d, &d->fault);
		return;
	}
	e.number = audit_number(line, " sig=");
	audit_string(line, " exe=", e.object, sizeof e.object);
	snprintf(e.detail, sizeof e.detail, "signal %d", reading_ok(e.number) ? (int)(e.number & 127) : 0);
	decoder_tell(d, &e);
}

#define SECCOMP_RET_LOG 0x7ffc0000

/* type=1326: a system call that a seccomp filter did not let through */
static void seccomp(struct log_decoder *d, struct span line)
{
	struct log_event e = decoder_event(d, LOG_SECCOMP, line);
	struct span pid, action;
	uint64_t code = 0;

	if (audit_value(line, " pid=", &pid))
		(void)!scan_pid(pid, &e.pid);
	audit_string(line, " comm=", e.comm, sizeof e.comm);
	audit_string(line, " exe=", e.object, sizeof e.object);
	e.number = audit_number(line, " syscall=");
	if (audit_value(line, " code=", &action))
		(void)!span_hex(action, &code);
	if (code == SECCOMP_RET_LOG)
		e.severity = LOG_NOTE;
	reading signal_number = audit_number(line, " sig=");
	if (reading_ok(signal_number) && signal_number)
		snprintf(e.detail, sizeof e.detail, "signal %d", (int)(signal_number & 127));
	decoder_tell(d, &e);
}

bool audit_line(struct log_decoder *d, struct span line)
{
	if (!span_starts(line, "audit: type="))
		return false;
	if (span_starts(line, "audit: type=1701 "))
		abnormal_end(d, line);
	else if (span_starts(line, "audit: type=1326 "))
		seccomp(d, line);
	return true;
}
