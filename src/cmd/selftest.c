/* Quick checks of this binary on this host: the build is whole, the parsers agree with the
 * kernel's files, and what is embedded can be shown. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/pages.h"
#include "conditions/conditions.h"
#include "report/guide.h"
#include "source/cpu/cpu_stat.h"
#include "source/memory/meminfo.h"
#include "source/process/task.h"
#include "source/sources.h"

enum outcome_of_test { OK, FAILED, SKIPPED };

struct test {
	const char *name;
	enum outcome_of_test (*run)(struct host *h, struct note *note);
};

#define FAIL(note, ...) (note_set(note, -EINVAL, __VA_ARGS__), FAILED)
#define SKIP(note, ...) (note_set(note, -EINVAL, __VA_ARGS__), SKIPPED)

static enum outcome_of_test test_clock(struct host *h, struct note *note)
{
	struct host_time before = host_time(h);
	int r = host_tick(h, before.mono_ns + 2 * NS_PER_MS);
	uint64_t passed = host_time(h).mono_ns - before.mono_ns;

	if (r < 0 && r != -EINTR)
		return FAIL(note, "the clock does not tick: %s", strerror(-r));
	if (passed < 2 * NS_PER_MS || host_time(h).boot_ns < host_time(h).mono_ns)
		return FAIL(note, "2 ms took %llu ns", (unsigned long long)passed);
	return OK;
}

/* The cpu lines add up to the first line: a column that is read wrongly shows here. */
static enum outcome_of_test test_cpu(struct host *h, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct cpu_stat stat;
	cpu_line_vec cpus = { 0 };
	double sum = 0, total;

	if (cpu_stat_read(h, &scratch, &stat, &cpus) < 0 || stat.presence != PRESENT) {
		vec_free(&cpus);
		return SKIP(note, "/proc/stat is %s", presence_name(stat.presence));
	}
	vec_each(c, &cpus)
		sum += reading_value(cpu_times_total_ns(&c->times));
	size_t n = cpus.n;
	vec_free(&cpus);
	total = reading_value(cpu_times_total_ns(&stat.total));
	/* The kernel rounds each column of each CPU to ticks, and offline CPUs count in the total. */
	if (n == 0 || !(sum <= total * 1.001 + 1e9) || (n == (size_t)sysconf(_SC_NPROCESSORS_CONF) && sum < total * 0.99 - 1e9))
		return FAIL(note, "%zu CPUs add up to %.2f s, the total says %.2f s", n, sum / 1e9, total / 1e9);
	return OK;
}

static enum outcome_of_test test_memory(struct host *h, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct meminfo m;
	double system = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);

	meminfo_read(h, &scratch, &m);
	if (m.presence != PRESENT)
		return SKIP(note, "/proc/meminfo is %s", presence_name(m.presence));
	double total = reading_value(m.total_bytes);
	if (!(fabs(total - system) < 0.01 * system) || reading_value(m.free_bytes) > total)
		return FAIL(note, "/proc/meminfo says %.0f bytes, sysinfo %.0f", total, system);
	return OK;
}

static int keep_own(const struct task *t, void *arg)
{
	struct task *own = arg;

	if (t->pid == getpid() && t->tid == t->pid)
		*own = *t;
	return 0;
}

static int own_record(struct host *h, enum task_reader_kind kind, struct task *ret, struct note *note)
{
	struct task_reader *reader;
	int r = task_reader_new_of_kind(h, kind, &reader, note);

	*ret = (struct task){ 0 };
	if (r < 0)
		return r;
	r = task_reader_each(reader, keep_own, ret);
	task_reader_free(reader);
	return r;
}

static enum outcome_of_test test_own_task(struct host *h, struct note *note)
{
	char name[16] = "";
	struct task own;
	int r = own_record(h, TASK_READER_PROC, &own, note);

	if (r < 0)
		return SKIP(note, "/proc cannot be walked: %s", strerror(-r));
	if (own.pid != getpid())
		return FAIL(note, "our own process %d is not in the table", getpid());
	if (own.ppid != getppid() || own.uid != geteuid() || prctl(PR_GET_NAME, name) < 0 ||
	    strcmp(own.comm, name) != 0)
		return FAIL(note, "we are %d of %d (%s), it says %d of %d (%s)", getpid(), getppid(), name,
			    own.pid, own.ppid, own.comm);
	return OK;
}

static enum outcome_of_test test_bpf_task(struct host *h, struct note *note)
{
	struct task bpf, proc;
	int r = own_record(h, TASK_READER_BPF, &bpf, note);

	if (r < 0)
		return note && note->text[0] ? SKIPPED : SKIP(note, "%s", strerror(-r));
	if (own_record(h, TASK_READER_PROC, &proc, note) < 0)
		return SKIPPED;
	if (bpf.pid != proc.pid || bpf.ppid != proc.ppid || bpf.uid != proc.uid || bpf.nice != proc.nice ||
	    strcmp(bpf.comm, proc.comm) != 0 || bpf.fd_limit != proc.fd_limit || bpf.threads != proc.threads)
		return FAIL(note, "BPF says pid %d ppid %d (%s), /proc says pid %d ppid %d (%s)", bpf.pid, bpf.ppid,
			    bpf.comm, proc.pid, proc.ppid, proc.comm);
	/* /proc counts start times in ticks of 10 ms. */
	if (bpf.start_ns / 10000000 != proc.start_ns / 10000000)
		return FAIL(note, "start times differ: BPF %llu, /proc %llu", (unsigned long long)bpf.start_ns,
			    (unsigned long long)proc.start_ns);
	return OK;
}

/* Captures one file in memory and reads it back. */
static enum outcome_of_test test_capture(struct host *h, struct note *note)
{
	cleanup(close_fd) int fd = memfd_create("osprey-selftest", MFD_CLOEXEC);
	cleanup(buf_deinit) struct buf live = { 0 }, again = { 0 };
	struct host *recorded = NULL, *replayed = NULL;
	char path[32];

	(void)h;
	if (fd < 0)
		return SKIP(note, "no memory file: %s", strerror(errno));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int r = host_open_live("/", &recorded, note);
	if (r == 0)
		r = host_capture_to(recorded, path, note);
	if (r == 0)
		r = host_read(recorded, "/proc/version", &live);
	if (r == 0)
		r = host_capture_end(recorded);
	host_free(recorded);
	if (r == 0)
		r = host_open_capture(path, &replayed, note);
	if (r == 0)
		r = host_read(replayed, "/proc/version", &again);
	host_free(replayed);
	if (r < 0)
		return FAIL(note, "%s", strerror(-r));
	return span_equal(buf_span(&live), buf_span(&again)) ? OK : FAIL(note, "what was read back differs");
}

static enum outcome_of_test test_guides(struct host *h, struct note *note)
{
	struct facts *facts;
	size_t n;
	const struct condition *const *all = conditions_all(&n);
	int r = facts_read(h, &facts);

	if (r < 0)
		return FAIL(note, "%s", strerror(-r));
	for (size_t i = 0; r == 0 && i < n; i++) {
		cleanup(buf_deinit) struct buf text = { 0 };
		struct page p = { .out = &text, .style = { .width = 80 } };

		r = guide_render(&p, all[i]->guide, facts);
		if (r == 0 && text.n < 200)
			r = note_set(note, -ENODATA, "%s: its guide is empty", all[i]->id);
		else if (r > 0)
			note_set(note, r, "%s: %d placeholders that osprey does not know", all[i]->id, r);
		else if (r < 0)
			note_set(note, r, "%s: %s", all[i]->id, strerror(-r));
	}
	facts_free(facts);
	return r == 0 ? OK : FAILED;
}

static enum outcome_of_test test_json(struct host *h, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	(void)h;
	json_object(&j, NULL);
	json_double(&j, "nan", NAN);
	json_string(&j, "text", "\"\n\xff");
	json_end(&j);
	if (json_finish(&j) < 0)
		return FAIL(note, "out of memory");
	return strcmp(text.data, "{\n  \"nan\": null,\n  \"text\": \"\\\"\\u000a\\\\xff\"\n}\n") == 0 ?
		       OK :
		       FAIL(note, "the writer made other text than it should");
}

/* Every command can be explained, and no two options of one share a name. */
static enum outcome_of_test test_commands(struct host *h, struct note *note)
{
	(void)h;
	for (const struct command *const *c = commands_all(); *c; c++) {
		cleanup(buf_deinit) struct buf text = { 0 };
		struct page p = { .out = &text, .style = { .width = 80 } };

		help_of_command(&p, (*c)->name, *c);
		if (p.error < 0 || !(*c)->summary || (!(*c)->run && !(*c)->commands))
			return FAIL(note, "%s is not whole", (*c)->name);
		for (size_t i = 0; i < (*c)->noptions; i++)
			for (size_t k = 0; k < i; k++)
				if (strcmp((*c)->options[i].name, (*c)->options[k].name) == 0 ||
				    ((*c)->options[i].letter && (*c)->options[i].letter == (*c)->options[k].letter))
					return FAIL(note, "%s has --%s twice", (*c)->name, (*c)->options[i].name);
	}
	return OK;
}

static enum outcome_of_test test_sources(struct host *h, struct note *note)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };

	for (size_t i = 0; i < nsources; i++) {
		struct source_state state;

		source_probe(h, &sources[i], &scratch, &state);
		if (state.presence == MALFORMED)
			return FAIL(note, "%s: %s", sources[i].path, state.why.text);
	}
	return OK;
}

static const struct test tests[] = {
	{ "the clock ticks", test_clock },
	{ "CPU times add up", test_cpu },
	{ "memory is what sysinfo says", test_memory },
	{ "/proc tells of ourselves", test_own_task },
	{ "BPF tells the same as /proc", test_bpf_task },
	{ "a capture reads back", test_capture },
	{ "sources answer or say why not", test_sources },
	{ "guides can be shown", test_guides },
	{ "JSON is written right", test_json },
	{ "commands are whole", test_commands },
};

static int run(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(false) };
	static const char *const words[] = { [OK] = "ok", [FAILED] = "FAIL", [SKIPPED] = "skip" };
	static const enum page_tone tones[] = { [OK] = TONE_GREEN, [FAILED] = TONE_RED, [SKIPPED] = TONE_YELLOW };
	size_t failed = 0;
	struct note note;
	struct host *h;

	(void)args;
	if (host_open_live("/", &h, &note) < 0) {
		say("selftest: %s", note.text);
		return EXIT_UNABLE;
	}
	for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
		note.text[0] = '\0';
		enum outcome_of_test outcome = tests[i].run(h, &note);

		failed += outcome == FAILED;
		page_tone(&p, tones[outcome]);
		page_put(&p, "%-6s", words[outcome]);
		page_tone(&p, TONE_PLAIN);
		page_wrap(&p, 6, "%s%s%s", tests[i].name, outcome == OK ? "" : ": ", outcome == OK ? "" : note.text);
		page_newline(&p);
	}
	host_free(h);
	int written = output_write(buf_span(&text), p.error);
	return written != EXIT_FINE ? written : failed ? EXIT_FINDINGS : EXIT_FINE;
}

const struct command command_selftest = {
	.name = "selftest",
	.summary = "check this binary on this machine, quickly",
	.description = "Prints a line for each check: ok, skip with the reason, or FAIL. Exit status: 0 when none "
		       "failed, 1 otherwise.",
	.run = run,
};
