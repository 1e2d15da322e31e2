#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cmd/inherited.h"
#include "cmd/run.h"

extern char **environ;

/* ---- words of this command alone ---- */

int run_cpu_limit_parse(const char *text, uint64_t *ret_quota_us, struct note *note)
{
	uint64_t milli;

	if (!span_fixed(span_from(text), 3, &milli) || strlen(text) > 12)
		return note_set(note, -EINVAL, "'%s' is no number of CPUs; write 0.5 or 2", text);
	/* The kernel's least is 1 ms a period. */
	if (milli < 10)
		return note_set(note, -EINVAL, "%s CPUs is less than the kernel can grant: 0.01", text);
	*ret_quota_us = milli * (RUN_CPU_PERIOD_US / 1000);
	return 0;
}

/* Limits are of whole disks. */
static void whole_disk(uint32_t *major_number, uint32_t *minor_number)
{
	char path[96], text[32];
	unsigned major_found, minor_found;
	FILE *f;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/partition", *major_number, *minor_number);
	if (access(path, F_OK) < 0)
		return;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/../dev", *major_number, *minor_number);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof text, f) && sscanf(text, "%u:%u", &major_found, &minor_found) == 2) {
		*major_number = major_found;
		*minor_number = minor_found;
	}
	if (f)
		fclose(f);
}

static int device_find(const char *name, struct run_io_limit *ret, struct note *note)
{
	unsigned major_number, minor_number;
	char path[300], rest;
	struct stat st;

	if (sscanf(name, "%u:%u%c", &major_number, &minor_number, &rest) == 2) {
		ret->major = major_number;
		ret->minor = minor_number;
		return 0;
	}
	snprintf(path, sizeof path, "%s%.280s", strchr(name, '/') ? "" : "/dev/", name);
	if (stat(path, &st) < 0)
		return note_set(note, -EINVAL, "device %s: %s", path, strerror(errno));
	dev_t device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;

	ret->major = major(device);
	ret->minor = minor(device);
	if (ret->major == 0)
		return note_set(note, -EINVAL, "%s lies on no disk (device 0:%u)", path, ret->minor);
	whole_disk(&ret->major, &ret->minor);
	return 0;
}

static int io_key(struct span word, struct run_io_limit *ret, struct note *note)
{
	const struct {
		const char *name;
		uint64_t *value;
	} keys[] = { { "rbps", &ret->read_bytes }, { "wbps", &ret->write_bytes }, { "riops", &ret->reads },
		     { "wiops", &ret->writes } };
	struct span value = word, key;
	bool whole = span_until(&value, '=', &key);

	for (size_t i = 0; whole && i < sizeof keys / sizeof keys[0]; i++) {
		if (!span_is(key, keys[i].name))
			continue;
		int r = size_parse(value, keys[i].value, note);

		if (r == 0 && *keys[i].value == 0)
			r = note_set(note, -EINVAL, "%s=0 would let nothing pass", keys[i].name);
		return r;
	}
	return note_set(note, -EINVAL, "'%.*s' is none of rbps=, wbps=, riops=, wiops=", (int)(word.n < 60 ? word.n : 60),
			word.p);
}

int run_io_limit_parse(const char *text, struct run_io_limit *ret, struct note *note)
{
	struct run_io_limit l = { 0 };
	struct span device = span_from(text), keys, word;
	char name[280];
	bool more;
	int r = 0;

	if (!span_until_last(&device, ':', &keys) || !device.n || !keys.n || !memchr(keys.p, '=', keys.n))
		return note_set(note, -EINVAL, "'%.80s' is no limit of I/O; write DEVICE:rbps=1M,wiops=100", text);
	do {
		more = span_until(&keys, ',', &word);
		r = io_key(more ? word : keys, &l, note);
	} while (more && r == 0);
	span_copy(device, name, sizeof name);
	if (r == 0)
		r = device_find(name, &l, note);
	if (r == 0)
		*ret = l;
	return r;
}

/* ---- options ---- */

static int set_limits(const struct arguments *args, struct run_spec *spec, struct note *note)
{
	for (size_t i = 0; i < args->ngiven; i++) {
		struct rlimit_wish w;
		size_t at = 0;
		int r;

		if (args->given[i].option != RUN_LIMIT)
			continue;
		r = rlimit_parse(span_from(args->given[i].text), &w, note);
		if (r < 0)
			return r;
		/* Given again, the later one wins. */
		while (at < spec->nlimits && spec->limits[at].kind != w.kind)
			at++;
		spec->limits[at] = w;
		spec->nlimits += at == spec->nlimits;
	}
	return 0;
}

static int set_scheduling(const struct arguments *args, struct run_spec *spec, struct note *note)
{
	const struct option_value *o = args->option;
	int r = 0;

	spec->has_nice = o[RUN_NICE].given;
	spec->has_schedule = o[RUN_POLICY].given;
	spec->has_cpus = o[RUN_CPUS].given;
	spec->has_io_priority = o[RUN_IO].given;
	if (spec->has_nice)
		r = nice_parse(span_from(o[RUN_NICE].text), &spec->nice, note);
	if (r == 0 && spec->has_schedule)
		r = schedule_parse(span_from(o[RUN_POLICY].text), &spec->schedule, note);
	if (r == 0 && spec->has_cpus)
		r = cpu_list_parse(span_from(o[RUN_CPUS].text), &spec->cpus, note);
	if (r == 0 && spec->has_io_priority)
		r = io_priority_parse(span_from(o[RUN_IO].text), &spec->io_priority, note);
	return r;
}

static int set_size(const struct option_value *o, const char *name, uint64_t *ret, struct note *note)
{
	struct note why;

	if (!o->given)
		return 0;
	if (size_parse(span_from(o->text), ret, &why) < 0)
		return note_set(note, -EINVAL, "--%s: %.200s", name, why.text);
	return 0;
}

static int set_group(const struct arguments *args, struct run_group_wish *w, struct note *note)
{
	const struct option_value *o = args->option;
	int r = o[RUN_CPU_LIMIT].given ? run_cpu_limit_parse(o[RUN_CPU_LIMIT].text, &w->cpu_quota_us, note) : 0;

	if (r == 0)
		r = set_size(&o[RUN_MEMORY_LIMIT], "memory-limit", &w->memory_bytes, note);
	if (r == 0)
		r = set_size(&o[RUN_MEMORY_HIGH], "memory-high", &w->memory_high_bytes, note);
	if (r == 0)
		r = set_size(&o[RUN_SWAP_LIMIT], "swap-limit", &w->swap_bytes, note);
	if (r == 0 && ((o[RUN_MEMORY_LIMIT].given && !w->memory_bytes) ||
		       (o[RUN_MEMORY_HIGH].given && !w->memory_high_bytes)))
		r = note_set(note, -EINVAL, "a program cannot run in no memory at all");
	w->has_swap = o[RUN_SWAP_LIMIT].given;
	w->pids = o[RUN_PIDS_LIMIT].number;
	for (size_t i = 0; r == 0 && i < args->ngiven; i++) {
		if (args->given[i].option != RUN_IO_LIMIT)
			continue;
		if (w->nio == RUN_MAX_IO_LIMITS)
			return note_set(note, -EINVAL, "--io-limit: no more than %d disks", RUN_MAX_IO_LIMITS);
		r = run_io_limit_parse(args->given[i].text, &w->io[w->nio++], note);
	}
	w->wanted = o[RUN_CGROUP].given || w->cpu_quota_us || w->memory_bytes || w->memory_high_bytes || w->has_swap ||
		    w->pids || w->nio;
	return r;
}

static void set_bounds(const struct arguments *args, struct run_spec *spec)
{
	const struct option_value *o = args->option;
	bool bounded = o[RUN_TIMEOUT].given || o[RUN_CPU_TIMEOUT_OPTION].given || spec->group.wanted;

	spec->timeout_ns = o[RUN_TIMEOUT].number;
	spec->cpu_timeout_ns = o[RUN_CPU_TIMEOUT_OPTION].number;
	spec->grace_ns = o[RUN_GRACE].given ? o[RUN_GRACE].number : UINT64_C(5000000000);
	/* A bound that ends with the program's first process would be none. */
	spec->leftover = o[RUN_LEFTOVER].given ? (enum run_leftover)o[RUN_LEFTOVER].number :
			 bounded ? RUN_END : RUN_LEAVE;
}

/* ---- environment ---- */

static bool names(const char *entry, const char *assignment, size_t name_n)
{
	return strncmp(entry, assignment, name_n) == 0 && entry[name_n] == '=';
}

/* Replaces, or goes behind. The array has room for all. */
static void assign(struct run_request *q, size_t *n, char *assignment)
{
	size_t name_n = strcspn(assignment, "=");

	for (size_t i = 0; i < *n; i++)
		if (names(q->environment[i], assignment, name_n)) {
			q->environment[i] = assignment;
			return;
		}
	q->environment[(*n)++] = assignment;
}

static int assign_identity(struct run_request *q, size_t *n, const struct arguments *args)
{
	const struct identity *id = &q->identity;
	const struct {
		const char *name, *value;
	} own[] = { { "HOME", id->home }, { "USER", id->name }, { "LOGNAME", id->name }, { "SHELL", id->shell } };

	for (size_t i = 0; args->option[RUN_USER].given && i < sizeof own / sizeof own[0]; i++) {
		char *text;

		if (!own[i].value[0])
			continue;
		if (asprintf(&text, "%s=%s", own[i].name, own[i].value) < 0)
			return -ENOMEM;
		/* Never freed: it lives as long as the programs that are started with it. */
		assign(q, n, text);
	}
	return 0;
}

static int set_environment(const struct arguments *args, struct run_request *q, struct note *note)
{
	size_t ninherited = 0, n = 0;

	while (environ[ninherited])
		ninherited++;
	q->environment = calloc(ninherited + args->ngiven + 8, sizeof *q->environment);
	if (!q->environment)
		return -ENOMEM;
	if (!args->option[RUN_CLEAR_ENV].given)
		for (; n < ninherited; n++)
			q->environment[n] = environ[n];
	if (assign_identity(q, &n, args) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < args->ngiven; i++) {
		const char *text = args->given[i].text;

		if (args->given[i].option != RUN_ENV)
			continue;
		if (text[0] == '=' || !strchr(text, '='))
			return note_set(note, -EINVAL, "--env '%.80s' is no assignment; write NAME=VALUE", text);
		assign(q, &n, (char *)text);
	}
	return 0;
}

static int set_words(const struct arguments *args, struct run_request *q)
{
	q->words = calloc(args->noperands + 2, sizeof *q->words);
	if (!q->words)
		return -ENOMEM;
	for (size_t i = 0; i < args->noperands; i++)
		q->words[i + 1] = (char *)args->operand[i];
	q->spec.argv = q->words + 1;
	return 0;
}

/* ---- all of it ---- */

static void set_inherited(struct run_inherited *ret)
{
	ret->ignored_pipe = inherited.ignored_pipe;
	ret->has_nofile = inherited.has_nofile;
	ret->nofile = inherited.nofile;
	memcpy(ret->closed, inherited.closed, sizeof ret->closed);
}

int run_request_init(const struct arguments *args, struct run_request *ret, struct note *note)
{
	struct run_request *q = ret;
	struct run_spec *spec = &q->spec;
	int r;

	*q = (struct run_request){ .spec = { .in = -1, .out = -1, .err = -1, .end_signal = SIGTERM } };
	set_inherited(&spec->inherited);
	r = set_limits(args, spec, note);
	if (r == 0)
		r = set_scheduling(args, spec, note);
	if (r == 0)
		r = set_group(args, &spec->group, note);
	if (r == 0 && args->option[RUN_SIGNAL].given)
		r = signal_parse(span_from(args->option[RUN_SIGNAL].text), &spec->end_signal, note);
	if (r == 0 && args->option[RUN_USER].given) {
		r = identity_find(args->option[RUN_USER].text, &q->identity, note);
		spec->identity = &q->identity;
	}
	if (r == 0)
		r = set_environment(args, q, note);
	if (r == 0)
		r = set_words(args, q);
	set_bounds(args, spec);
	spec->directory = args->option[RUN_DIRECTORY].text;
	spec->environment = q->environment;
	if (r < 0)
		run_request_deinit(q);
	return r;
}

void run_request_deinit(struct run_request *q)
{
	free(q->words);
	free(q->environment);
	q->words = q->environment = NULL;
}
