/* Each fixtures/NAME.txt is a log as syslog(2) gives it ("<4>[   12.345678] text", lines as kernels write
 * them); NAME.events beside it is what is to be made of it. `decode_test --bless` writes them down. */
#include "source/kernel_log/decode.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "source/kernel_log/ring.h"

#define DIRECTORY "src/source/kernel_log/fixtures"

static void put(struct buf *out, const char *name, const char *value)
{
	if (value[0])
		CHECK(buf_printf(out, " %s='%s'", name, value) == 0);
}

static void put_reading(struct buf *out, const char *name, reading value)
{
	if (reading_ok(value))
		CHECK(buf_printf(out, " %s=%" PRIu64, name, value) == 0);
}

static void dump_oom(struct buf *out, const struct log_oom *o)
{
	static const char *const constraints[] = { "unknown", "host", "cgroup", "cpuset", "memory policy" };

	CHECK(buf_printf(out, "\n  oom: constraint='%s'", constraints[o->constraint]) == 0);
	put(out, "trigger", o->trigger);
	CHECK(buf_printf(out, " trigger_pid=%d adj=%d%s", o->trigger_pid, o->victim_score_adj,
			 o->group ? " group" : "") == 0);
	put(out, "gfp", o->gfp);
	put_reading(out, "order", o->order);
	put(out, "limit_cgroup", o->limit_cgroup);
	put(out, "task_cgroup", o->task_cgroup);
	put(out, "cpuset", o->cpuset);
	CHECK(buf_printf(out, "\n  memory:") == 0);
	const struct {
		const char *name;
		reading value;
	} readings[] = {
		{ "usage", o->usage_bytes }, { "limit", o->limit_bytes }, { "failures", o->failures },
		{ "swap_usage", o->swap_usage_bytes }, { "swap_limit", o->swap_limit_bytes },
		{ "cgroup_anon", o->cgroup_anon_bytes }, { "cgroup_file", o->cgroup_file_bytes },
		{ "cgroup_shmem", o->cgroup_shmem_bytes }, { "cgroup_slab", o->cgroup_slab_bytes },
		{ "free", o->free_bytes }, { "anon", o->anon_bytes }, { "file", o->file_bytes },
		{ "shmem", o->shmem_bytes }, { "slab", o->slab_bytes },
		{ "unreclaimable", o->unreclaimable_slab_bytes }, { "pgtables", o->pgtables_bytes },
		{ "ram", o->ram_bytes }, { "swap_free", o->swap_free_bytes }, { "swap_total", o->swap_total_bytes },
		{ "victim_vm", o->victim_vm_bytes }, { "victim_anon", o->victim_anon_bytes },
		{ "victim_file", o->victim_file_bytes }, { "victim_shmem", o->victim_shmem_bytes },
		{ "victim_swap", o->victim_swap_bytes }, { "victim_pgtables", o->victim_pgtables_bytes },
	};
	for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
		put_reading(out, readings[i].name, readings[i].value);
	CHECK(buf_printf(out, "\n  tasks: %" PRIu64 " rss=%" PRIu64 " swap=%" PRIu64, o->all_tasks, o->all_rss_bytes,
			 o->all_swap_bytes) == 0);
	for (size_t i = 0; i < o->ntasks; i++)
		CHECK(buf_printf(out, "\n    %d %s rss=%" PRIu64 " swap=%" PRIu64 " pgtables=%" PRIu64 " adj=%d",
				 o->tasks[i].pid, o->tasks[i].comm, o->tasks[i].rss_bytes, o->tasks[i].swap_bytes,
				 o->tasks[i].pgtables_bytes, o->tasks[i].score_adj) == 0);
}

static void dump_fault(struct buf *out, const struct log_fault *f)
{
	CHECK(buf_printf(out, "\n  fault:") == 0);
	if (reading_ok(f->address))
		CHECK(buf_printf(out, " address=%" PRIx64, f->address) == 0);
	CHECK(buf_printf(out, " ip=%" PRIx64 " sp=%" PRIx64, f->ip, f->sp) == 0);
	put_reading(out, "error", f->error);
	put(out, "module", f->module);
	put(out, "exe", f->exe);
	CHECK(buf_printf(out, " base=%" PRIx64 " size=%" PRIx64, f->base, f->size) == 0);
	if (reading_ok(f->file_offset))
		CHECK(buf_printf(out, " offset=%" PRIx64, f->file_offset) == 0);
	CHECK(buf_printf(out, " code=%zu at %zu", f->code_length, f->code_ip) == 0);
}

static void dump(struct buf *out, const struct log_event *e)
{
	CHECK(buf_printf(out, "%s %s%s %" PRIu64 "-%" PRIu64 " at=%.6f", log_kinds[e->kind].id,
			 log_severity_name(e->severity), e->good ? " good" : "", e->first_sequence,
			 e->last_sequence, reading_value(e->log_ns) / 1e9) == 0);
	if (e->pid)
		CHECK(buf_printf(out, " pid=%d", e->pid) == 0);
	if (e->cpu >= 0)
		CHECK(buf_printf(out, " cpu=%d", e->cpu) == 0);
	put_reading(out, "number", e->number);
	put(out, "comm", e->comm);
	put(out, "object", e->object);
	put(out, "detail", e->detail);
	put(out, "where", e->where);
	put(out, "taint", e->taint);
	CHECK(buf_printf(out, "\n  text: %s", e->text) == 0);
	if (e->stack) {
		CHECK(buf_printf(out, "\n  stack:") == 0);
		for (size_t i = 0; i < e->stack->n; i++)
			CHECK(buf_printf(out, " %s", e->stack->frame[i]) == 0);
	}
	if (e->oom)
		dump_oom(out, e->oom);
	if (e->fault)
		dump_fault(out, e->fault);
	CHECK(buf_printf(out, "\n") == 0);
}

static bool read_file(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "r");
	size_t n = 1;

	buf_clear(ret);
	if (!f)
		return false;
	while (n) {
		CHECK(buf_reserve(ret, 4096) == 0);
		n = fread(ret->data + ret->n, 1, 4096, f);
		ret->n += n;
	}
	ret->data[ret->n] = '\0';
	fclose(f);
	return true;
}

static int by_sequence(const void *a, const void *b)
{
	const struct log_event *x = a, *y = b;

	return x->first_sequence < y->first_sequence ? -1 : x->first_sequence > y->first_sequence;
}

static void decode(struct span text, struct buf *ret)
{
	struct buf records = { 0 };
	log_event_vec events = { 0 };
	struct log_decoder *d;
	struct span rest, record;

	CHECK(log_ring_from_syslog(text, &records) == 0);
	CHECK(log_decoder_new(&d) == 0);
	rest = buf_span(&records);
	while (span_until(&rest, '\0', &record)) {
		struct log_record r;

		CHECK(log_record_parse(record, &r));
		CHECK(log_decoder_feed(d, &r, &events) == 0);
	}
	CHECK(log_decoder_flush(d, &events) == 0);
	CHECK(!log_decoder_open(d));
	if (events.n)
		qsort(events.v, events.n, sizeof events.v[0], by_sequence);
	vec_each(e, &events)
		dump(ret, e);
	log_events_free(&events);
	log_decoder_free(d);
	buf_deinit(&records);
}

static void write_file(const char *path, const struct buf *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fwrite(text->data, 1, text->n, f) == text->n && fclose(f) == 0);
}

static void test_fixture(const char *name, bool bless)
{
	struct buf text = { 0 }, got = { 0 }, wanted = { 0 };
	char path[256];

	snprintf(path, sizeof path, DIRECTORY "/%s.txt", name);
	CHECK(read_file(path, &text));
	decode(buf_span(&text), &got);
	snprintf(path, sizeof path, DIRECTORY "/%s.events", name);
	if (bless)
		write_file(path, &got);
	CHECK(read_file(path, &wanted));
	if (!span_equal(buf_span(&got), buf_span(&wanted))) {
		fprintf(stderr, "%s: decoded otherwise than %s says:\n%s", name, path, got.data ? got.data : "");
		check_failures++;
	}
	/* Half a log, or one that begins within a report, decodes to something, or nothing. */
	for (size_t i = 0; i < text.n; i += 97) {
		buf_clear(&got);
		decode((struct span){ text.data, i }, &got);
		decode((struct span){ text.data + i, text.n - i }, &got);
	}
	buf_deinit(&text);
	buf_deinit(&got);
	buf_deinit(&wanted);
}

static size_t count_events(const char *text, enum log_kind *ret_first)
{
	struct log_decoder *d;
	log_event_vec events = { 0 };
	struct log_record r;

	CHECK(log_decoder_new(&d) == 0 && log_record_parse(span_from(text), &r));
	CHECK(log_decoder_feed(d, &r, &events) == 0 && log_decoder_flush(d, &events) == 0);
	size_t n = events.n;
	if (n)
		*ret_first = events.v[0].kind;
	log_events_free(&events);
	log_decoder_free(d);
	return n;
}

/* What a process writes to /dev/kmsg has a facility of its own, and is no event. */
static void test_forged(void)
{
	enum log_kind kind = LOG_KINDS;

	CHECK_U64(count_events("11,1,5,-;Out of memory: Killed process 7 (db) total-vm:1kB, anon-rss:5kB", &kind), 0);
	CHECK_U64(count_events("3,1,5,-;Out of memory: Killed process 7 (db) total-vm:1kB, anon-rss:5kB", &kind), 1);
	CHECK(kind == LOG_OOM_KILL);
	/* A name that looks like a message stays a name. */
	CHECK_U64(count_events("6,1,5,-;x: segfault at [7]: segfault at 10 ip 0000000000000001 sp 2 error 6", &kind), 1);
	CHECK(kind == LOG_SEGFAULT);
	/* A file may have a newline in its name, and what is behind it is no line of the kernel's. */
	CHECK_U64(count_events("6,1,5,-;x[7]: segfault at 10 ip 0000000000000001 sp 2 error 6 in "
			       "x\\x0aOut of memory: Killed process 1 (db) total-vm:1kB, anon-rss:5kB[1000+1000]", &kind), 1);
	CHECK(kind == LOG_SEGFAULT);
}

/* The figures of memory come in one record of several lines (5.10 to 6.18). */
static void test_lines_in_record(void)
{
	static const char *const records[] = {
		"4,1,5,-;db invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
		"4,2,6,-;Mem-Info:",
		("4,3,7,-;active_anon:1 inactive_anon:2 isolated_anon:0\\x0a active_file:3 inactive_file:4 isolated_file:0\\x0a "
		 "slab_reclaimable:5 slab_unreclaimable:6\\x0a mapped:7 shmem:8 pagetables:9\\x0a free:10 free_pcp:0"),
		"6,4,8,-;Memory cgroup stats for /a:",
		"6,5,9,-;anon 4096\\x0afile 8192\\x0ashmem 0",
		"3,6,10,-;Out of memory: Killed process 7 (db) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB",
	};
	struct log_decoder *d;
	log_event_vec events = { 0 };
	struct log_record r;

	CHECK(log_decoder_new(&d) == 0);
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
		CHECK(log_record_parse(span_from(records[i]), &r) && log_decoder_feed(d, &r, &events) == 0);
	CHECK(events.n == 1 && events.v[0].oom);
	if (events.n == 1 && events.v[0].oom) {
		const struct log_oom *o = events.v[0].oom;

		CHECK_U64(o->anon_bytes, 3 * 4096);
		CHECK_U64(o->file_bytes, 7 * 4096);
		CHECK_U64(o->free_bytes, 10 * 4096);
		CHECK_U64(o->unreclaimable_slab_bytes, 6 * 4096);
		CHECK_U64(o->cgroup_anon_bytes, 4096);
		CHECK_U64(o->cgroup_file_bytes, 8192);
	}
	log_events_free(&events);
	log_decoder_free(d);
}

/* With CONFIG_PRINTK_CALLER, lines of two reports are told apart. */
static void test_callers(void)
{
	static const char *const records[] = {
		"3,1,1000000,-,caller=T10;INFO: task a:10 blocked for more than 120 seconds.",
		"6,2,1000001,-,caller=T10;Call Trace:",
		"6,3,1000002,-,caller=T20; other_frame+0x1/0x2",
		"6,4,1000003,-,caller=T10; own_frame+0x1/0x2",
	};
	struct log_decoder *d;
	log_event_vec events = { 0 };
	struct log_record r;

	CHECK(log_decoder_new(&d) == 0);
	for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
		CHECK(log_record_parse(span_from(records[i]), &r) && log_decoder_feed(d, &r, &events) == 0);
	CHECK(log_decoder_open(d) && log_decoder_flush(d, &events) == 0);
	CHECK(events.n == 1 && events.v[0].stack && events.v[0].stack->n == 1);
	CHECK(events.n == 1 && strcmp(events.v[0].where, "own_frame") == 0);
	log_events_free(&events);
	log_decoder_free(d);
}

static void test_levels(void)
{
	enum log_kind kind = LOG_KINDS;

	CHECK_U64(count_events("6,1,5,-;usb 1-1: new high-speed USB device number 2", &kind), 0);
	CHECK_U64(count_events("4,1,5,-;something odd", &kind), 0);
	CHECK_U64(count_events("3,1,5,-;something wrong", &kind), 1);
	CHECK(kind == LOG_OTHER);
}

int main(int argc, char *argv[])
{
	bool bless = argc > 1 && strcmp(argv[1], "--bless") == 0;
	struct dirent *entry;
	DIR *dir = opendir(DIRECTORY);
	size_t n = 0;

	CHECK(dir != NULL);
	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0) {
			entry->d_name[length - 4] = '\0';
			test_fixture(entry->d_name, bless);
			n++;
		}
	}
	if (dir)
		closedir(dir);
	CHECK(n > 0);
	test_forged();
	test_levels();
	test_lines_in_record();
	test_callers();
	return check_exit();
}
