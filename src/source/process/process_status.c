#include "source/process/process_status.h"

#include <stdio.h>

const struct field process_status_fields[] = {
#define ROW(...) FIELD_ROW(struct process_status, __VA_ARGS__)
	PROCESS_STATUS_FIELDS(ROW)
#undef ROW
};
const size_t process_status_nfields = sizeof process_status_fields / sizeof process_status_fields[0];

void process_status_missing(reading why, struct process_status *ret)
{
	*ret = (struct process_status){ .state = '?', .umask = why, .signals_queued = why,
					.signals_limit = why, .inner_pid = why };
	fields_missing(process_status_fields, process_status_nfields, why, ret);
	for (size_t i = 0; i < 4; i++)
		ret->uid[i] = ret->gid[i] = why;
	ret->presence = why == READING_DENIED ? DENIED : why == READING_ABSENT ? ABSENT : MALFORMED;
}

static void take_octal(struct span line, reading *ret)
{
	struct span word;
	uint64_t v = 0;

	*ret = READING_MALFORMED;
	if (!span_word(&line, &word) || word.n > 6)
		return;
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] < '0' || word.p[i] > '7')
			return;
		v = v * 8 + (uint64_t)(word.p[i] - '0');
	}
	*ret = v;
}

static void take_ids(struct span line, reading *ret)
{
	uint64_t v;

	for (size_t i = 0; i < 4; i++)
		ret[i] = span_next_u64(&line, &v) && v <= UINT32_MAX ? v : READING_MALFORMED;
}

static void take_groups(struct span line, struct process_status *ret)
{
	uint64_t v;

	while (span_next_u64(&line, &v) && v <= UINT32_MAX) {
		if (ret->ngroups < PROCESS_GROUPS)
			ret->groups[ret->ngroups] = (uint32_t)v;
		ret->ngroups++;
	}
}

/* "3/96365" */
static void take_queue(struct span line, struct process_status *ret)
{
	struct span used, limit = span_trim(line);
	uint64_t v;

	ret->signals_queued = ret->signals_limit = READING_MALFORMED;
	if (!span_until(&limit, '/', &used))
		return;
	if (span_u64(used, &v) && reading_ok(v))
		ret->signals_queued = v;
	if (span_u64(limit, &v) && reading_ok(v))
		ret->signals_limit = v;
}

static void take_inner_pid(struct span line, struct process_status *ret)
{
	uint64_t v;

	while (span_next_u64(&line, &v) && v <= INT32_MAX) {
		ret->inner_pid = v;
		ret->pid_namespaces++;
	}
}

static const struct mask_row {
	const char *name;
	size_t offset;
} mask_rows[] = {
	{ "SigPnd", offsetof(struct process_masks, pending) },
	{ "ShdPnd", offsetof(struct process_masks, shared_pending) },
	{ "SigBlk", offsetof(struct process_masks, blocked) },
	{ "SigIgn", offsetof(struct process_masks, ignored) },
	{ "SigCgt", offsetof(struct process_masks, caught) },
	{ "CapInh", offsetof(struct process_masks, inheritable) },
	{ "CapPrm", offsetof(struct process_masks, permitted) },
	{ "CapEff", offsetof(struct process_masks, effective) },
	{ "CapBnd", offsetof(struct process_masks, bounding) },
	{ "CapAmb", offsetof(struct process_masks, ambient) },
};

static void take_mask(struct span name, struct span line, struct process_status *ret)
{
	struct span word;
	uint64_t v;

	for (size_t i = 0; i < sizeof mask_rows / sizeof mask_rows[0]; i++) {
		if (!span_is(name, mask_rows[i].name))
			continue;
		if (span_word(&line, &word) && span_hex(word, &v)) {
			memcpy((char *)&ret->masks + mask_rows[i].offset, &v, sizeof v);
			ret->has_masks = true;
		}
		return;
	}
}

static void take_row(struct span name, struct span line, struct process_status *ret)
{
	struct span value = span_trim(line);

	if (span_is(name, "Name"))
		span_copy(value, ret->name, sizeof ret->name);
	else if (span_is(name, "State") && value.n)
		ret->state = value.p[0];
	else if (span_is(name, "Umask"))
		take_octal(line, &ret->umask);
	else if (span_is(name, "Uid"))
		take_ids(line, ret->uid);
	else if (span_is(name, "Gid"))
		take_ids(line, ret->gid);
	else if (span_is(name, "Groups"))
		take_groups(line, ret);
	else if (span_is(name, "SigQ"))
		take_queue(line, ret);
	else if (span_is(name, "NSpid"))
		take_inner_pid(line, ret);
	else if (span_is(name, "Cpus_allowed_list"))
		span_copy(value, ret->cpus_allowed, sizeof ret->cpus_allowed);
	else if (span_is(name, "Mems_allowed_list"))
		span_copy(value, ret->nodes_allowed, sizeof ret->nodes_allowed);
	else
		take_mask(name, line, ret);
}

void process_status_parse(struct span text, struct process_status *ret)
{
	struct span line, name;

	process_status_missing(READING_ABSENT, ret);
	fields_parse(text, process_status_fields, process_status_nfields, 1, ret);
	while (span_line(&text, &line))
		if (span_until(&line, ':', &name))
			take_row(name, line, ret);
	ret->presence = ret->state != '?' ? PRESENT : MALFORMED;
}

void signal_name(unsigned number, char *ret, size_t size)
{
	static const char *const names[] = {
		"0",	"HUP",	"INT",	"QUIT", "ILL",	"TRAP", "ABRT", "BUS",	  "FPE",  "KILL", "USR1",
		"SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
		"TTOU", "URG",	"XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",  "PWR",  "SYS",
	};

	/* The kernel's first real-time signal is 32; the C library keeps 32 and 33 for itself. */
	if (number < sizeof names / sizeof names[0])
		snprintf(ret, size, "%s", names[number]);
	else if (number < 34)
		snprintf(ret, size, "%u", number);
	else if (number == 34)
		snprintf(ret, size, "RTMIN");
	else
		snprintf(ret, size, "RTMIN+%u", number - 34);
}

const char *capability_name(unsigned number)
{
	static const char *const names[CAPABILITIES_KNOWN] = {
		"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
		"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
		"ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
		"sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod",
		"lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
		"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
	};

	return number < CAPABILITIES_KNOWN ? names[number] : NULL;
}
