#include "view/process_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/cgroup/cgroup_name.h"
#include "source/cpu/loadavg.h"
#include "source/memory/meminfo.h"
#include "source/process/command_lines.h"
#include "view/user_names.h"

/* Up to here a single look is cheaper by /proc than by loading BPF. */
#define FEW_TASKS 400
/* A long command line is read again when the process shows another name (it has called exec), and
 * every so many looks besides. */
#define LOOKS_BETWEEN_COMMANDS 30

/* Texts that rows point to: blocks that never move. */
struct texts {
	struct text_block {
		struct text_block *next;
		size_t n, size;
		char text[];
	} *first;
};

struct cgroup_text {
	const char *path, *unit;
};

struct process_table {
	struct host *host;
	struct process_table_options options;
	struct task_reader *reader;
	struct buf scratch;
	process_row_vec rows;
	struct map by_id; /* tid or pid -> place in rows */
	size_t next; /* tasks come in the same order at each look, so mostly this row is next */
	size_t seen; /* rows of which a task was seen at this look */
	VEC(uint32_t) moved; /* places of rows that have done something since the look before */
	uint64_t look;
	struct host_time now, before;
	struct texts texts;	 /* as long as the table */
	struct texts of_look; /* until the next look */
	struct view_span span;
	reading memory_bytes; /* 0: not asked yet */
	struct {
		uint32_t device;
		const char *name;
	} ttys[64]; /* by device number modulo their count */
	struct user_names *users;
	VEC(struct cgroup_text) cgroups;
	struct map cgroup_by_ids;
	int error;
};

/* ---- texts ---- */

static char *texts_take(struct texts *t, size_t n)
{
	if (!t->first || t->first->size - t->first->n < n) {
		size_t size = n > 64 * 1024 ? n : 64 * 1024;
		struct text_block *b = malloc(sizeof *b + size);

		if (!b)
			return NULL;
		*b = (struct text_block){ .next = t->first, .size = size };
		t->first = b;
	}
	char *at = t->first->text + t->first->n;
	t->first->n += n;
	return at;
}

static const char *texts_copy(struct texts *t, const char *s)
{
	char *at = texts_take(t, strlen(s) + 1);

	return at ? strcpy(at, s) : "";
}

static void texts_free(struct texts *t)
{
	for (struct text_block *b = t->first, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	t->first = NULL;
}

/* ---- looks ---- */

static const struct sum {
	size_t counter, task, dead; /* dead 0: the kernel keeps none */
} sums[] = {
#define COUNTER(name, dead_name) \
	{ offsetof(struct process_counters, name), offsetof(struct task, name), offsetof(struct task, dead_name) },
	PROCESS_COUNTERS(COUNTER)
#undef COUNTER
#define COUNTER(name) { offsetof(struct process_counters, name), offsetof(struct task, name), 0 },
	PROCESS_LIVE_COUNTERS(COUNTER)
#undef COUNTER
};
#define NSUMS (sizeof sums / sizeof sums[0])

static reading *counter_at(struct process_counters *c, size_t offset)
{
	return (reading *)((char *)c + offset);
}

static reading member(const struct task *t, size_t offset)
{
	return *(const uint64_t *)((const char *)t + offset);
}

static void take_memory(struct process_row *row, const struct task *t)
{
	row->rss_bytes = reading_sum(t->anon_bytes, reading_sum(t->file_bytes, t->shmem_bytes));
	row->shmem_bytes = reading_sum(t->file_bytes, t->shmem_bytes);
	row->swap_bytes = t->swap_bytes;
}

static void describe(struct process_row *row, const struct task *t)
{
	if (memcmp(row->comm, t->comm, sizeof row->comm) != 0)
		row->command_known = false;
	row->ppid = t->ppid;
	row->uid = t->uid;
	row->state = t->state;
	row->flags = t->flags;
	row->policy = t->policy;
	row->nice = t->nice;
	row->rt_priority = t->rt_priority;
	row->last_cpu = t->last_cpu;
	row->tty = t->tty;
	memcpy(row->comm, t->comm, sizeof row->comm);
	row->threads = t->threads;
	row->virtual_bytes = t->virtual_bytes;
	take_memory(row, t);
	row->fd_count = t->fd_count;
	row->fd_limit = t->fd_limit;
	memcpy(row->cgroup, t->cgroup, sizeof row->cgroup);
	row->net_ns = t->net_ns;
}

static uint32_t place_of(struct process_table *t, int32_t id)
{
	uint32_t at = (uint32_t)t->next;

	/* Or the one behind it, when that one came before. */
	if (at + 1 < t->rows.n && t->rows.v[at].tid != id)
		at++;
	if (at >= t->rows.n || t->rows.v[at].tid != id)
		at = map_get(&t->by_id, (uint64_t)id);
	if (at != MAP_NONE)
		t->next = (size_t)at + 1;
	return at;
}

/* The row of a task's process, or of the task itself; made when there is none. A number that was used
 * again is a row made new. */
static struct process_row *row_of(struct process_table *t, const struct task *task)
{
	int32_t id = t->options.threads ? task->tid : task->pid;
	uint32_t at = place_of(t, id);
	struct process_row *row = at == MAP_NONE ? NULL : &t->rows.v[at];
	bool identifies = t->options.threads || (task->flags & TASK_IS_LEADER);

	if (row && !(identifies && row->start_ns && row->start_ns != task->start_ns))
		return row;
	if (!row) {
		row = vec_push(&t->rows);
		if (!row || map_set(&t->by_id, (uint64_t)id, (uint32_t)(t->rows.n - 1)) < 0)
			return NULL;
	}
	free((void *)row->command.p);
	uint64_t look = row->look;
	*row = (struct process_row){
		.table = t, .look = look, .pid = task->pid, .tid = id, .branch = "", .pss_bytes = READING_ABSENT, .kept = true,
		.uid = UINT32_MAX, .state = '?', .threads = READING_ABSENT,
	};
	return row;
}

static int begin_row(struct process_table *t, struct process_row *row)
{
	int r = vec_reserve(&t->moved, 1);

	if (r < 0)
		return r;
	t->moved.v[t->moved.n++] = (uint32_t)(row - t->rows.v);
	t->seen++;
	row->growth = row->total; /* the totals of the look before, until finish_row */
	for (size_t i = 0; i < NSUMS; i++)
		*counter_at(&row->total, sums[i].counter) = 0;
	row->look = t->look;
	row->still = false;
	return 0;
}

static void no_growth(struct process_row *row)
{
	for (size_t i = 0; i < NSUMS; i++) {
		reading total = *counter_at(&row->total, sums[i].counter);

		*counter_at(&row->growth, sums[i].counter) = reading_ok(total) ? 0 : total;
	}
}

/* A task that slept all the time and is a row of its own. False: it is not. Of ten thousand nearly
 * all are such, so this touches no more than it must. */
static bool take_still(struct process_table *t, const struct task *task, enum task_motion rest)
{
	uint32_t at = place_of(t, task->tid);

	if (at == MAP_NONE)
		return false;
	struct process_row *row = &t->rows.v[at];
	__builtin_prefetch(row + 12);
	if (row->look != t->look - 1 || t->look < 3 || (row->threads != 1 && !t->options.threads))
		return false;
	row->look = t->look;
	t->seen++;
	if (!row->still) {
		no_growth(row);
		row->still = true;
		row->seconds = t->span.seconds;
	}
	if (rest == TASK_RESTS && !(row->flags & TASK_IS_KERNEL_THREAD))
		take_memory(row, task);
	return true;
}

static int take_task(const struct task *task, void *arg)
{
	struct process_table *t = arg;

	enum task_motion rest = task_reader_rests(t->reader);
	if (rest != TASK_MOVED && take_still(t, task, rest))
		return 0;
	struct process_row *row = row_of(t, task);
	bool leader = task->flags & TASK_IS_LEADER;

	if (!row || (row->look != t->look && begin_row(t, row) < 0))
		return -ENOMEM;
	if (leader || t->options.threads) {
		describe(row, task);
		row->start_ns = task->start_ns;
	}
	for (size_t i = 0; i < NSUMS; i++) {
		reading *total = counter_at(&row->total, sums[i].counter);

		*total = reading_sum(*total, member(task, sums[i].task));
		if (leader && sums[i].dead && !t->options.threads && reading_ok(member(task, sums[i].dead)))
			*total = reading_sum(*total, member(task, sums[i].dead));
	}
	return 0;
}

/* A process that was born since the look before has grown from nothing. */
static void finish_row(struct process_table *t, struct process_row *row)
{
	bool first = t->look == 1 || row->start_ns > t->before.boot_ns;
	double age = t->now.boot_ns > row->start_ns ? (double)(t->now.boot_ns - row->start_ns) / 1e9 : 0;

	for (size_t i = 0; i < NSUMS; i++) {
		reading *grown = counter_at(&row->growth, sums[i].counter), now = *counter_at(&row->total, sums[i].counter);
		reading delta = first ? now : reading_delta(*grown, now);

		/* A thread that ended took with it what no sum keeps. */
		*grown = delta == READING_MALFORMED ? 0 : delta;
	}
	/* Starts are told in steps of 10 ms by /proc. */
	if (age < 0.01)
		age = 0.01;
	/* The moment of the look is taken before the tasks are: a young one has run on since. Its threads
	 * cannot have used more time than there was. */
	reading cpu = reading_sum(row->total.user_ns, row->total.system_ns);
	double least = reading_value(cpu) / 1e9 / (double)reading_or(row->threads, 1);
	if (t->look == 1 && least > age)
		age = least;
	row->seconds = t->look == 1 ? age : (double)(t->now.mono_ns - t->before.mono_ns) / 1e9;
}

static void forget_command(struct process_row *row)
{
	free((void *)row->command.p);
	row->command = (struct span){ NULL, 0 };
	row->command_known = false;
}

/* Without its leader's record a process is over, or not yet there. */
static bool is_gone(const struct process_table *t, const struct process_row *row)
{
	return row->look != t->look || (row->start_ns == 0 && row->state == '?');
}

/* Takes out who is no longer there. */
static int sweep(struct process_table *t)
{
	size_t kept = 0;

	/* Mostly the young die: what stands before the first that is gone keeps its place. */
	for (size_t i = 0; i < t->rows.n; i++) {
		struct process_row *row = &t->rows.v[i];

		if (is_gone(t, row)) {
			forget_command(row);
			map_remove(&t->by_id, (uint64_t)row->tid);
			continue;
		}
		if (kept != i) {
			if (map_set(&t->by_id, (uint64_t)row->tid, (uint32_t)kept) < 0)
				return -ENOMEM;
			t->rows.v[kept] = *row;
		}
		kept++;
	}
	t->rows.n = kept;
	return 0;
}

static int finish_rows(struct process_table *t)
{
	bool gone = t->seen != t->rows.n;

	vec_each(at, &t->moved) {
		finish_row(t, &t->rows.v[*at]);
		gone |= is_gone(t, &t->rows.v[*at]);
	}
	return gone ? sweep(t) : 0;
}

static void forget_branches(struct process_table *t)
{
	if (!t->of_look.first)
		return;
	vec_each(row, &t->rows)
		row->branch = "";
	texts_free(&t->of_look);
}

int process_table_look(struct process_table *t)
{
	t->before = t->now;
	t->now = host_time(t->host);
	view_span_next(t->now, &(struct host_time){ .mono_ns = t->before.mono_ns }, &t->span);
	t->look++;
	t->next = t->seen = t->moved.n = 0;
	forget_branches(t);
	memset(t->ttys, 0, sizeof t->ttys);
	if (t->look % LOOKS_BETWEEN_COMMANDS == 0)
		vec_each(row, &t->rows)
			row->command_known = false;
	int r = task_reader_each(t->reader, take_task, t);
	return r < 0 ? r : finish_rows(t);
}

static reading tasks_of(struct process_table *t)
{
	struct loadavg load;

	loadavg_read(t->host, &t->scratch, &load);
	return load.tasks;
}

/* What will not be needed a second time is not kept; and place for all rows at once spares the kernel
 * the moving of pages. What of it is not used costs nothing. */
static int prepare_one_look(struct process_table *t, reading tasks)
{
	task_reader_forget(t->reader);
	return vec_reserve(&t->rows, reading_or(tasks, 0));
}

int process_table_new(struct host *h, const struct process_table_options *options, struct process_table **ret,
		      struct note *note)
{
	struct process_table *t = calloc(1, sizeof *t);
	reading tasks = READING_ABSENT;
	int r = -ENOMEM;

	if (t) {
		t->host = h;
		t->options = *options;
		if (options->one_look && host_is_live(h))
			tasks = tasks_of(t);
		bool proc = options->no_bpf || (reading_ok(tasks) && tasks < FEW_TASKS);
		r = proc ? task_reader_new_of_kind(h, TASK_READER_PROC, &t->reader, note) :
		    options->often ? task_reader_new_often(h, &t->reader, NULL) :
				     task_reader_new(h, &t->reader, NULL);
	}
	if (r == 0 && options->one_look)
		r = prepare_one_look(t, tasks);
	if (r == 0 && options->needs)
		task_reader_needs(t->reader, options->needs);
	if (r == 0)
		r = user_names_new(h, &t->users);
	if (r < 0) {
		process_table_free(t);
		return note_set(note, r, "processes cannot be read: %s", strerror(-r));
	}
	*ret = t;
	return 0;
}

void process_table_free(struct process_table *t)
{
	if (!t)
		return;
	task_reader_free(t->reader);
	user_names_free(t->users);
	texts_free(&t->texts);
	texts_free(&t->of_look);
	vec_each(row, &t->rows)
		forget_command(row);
	vec_free(&t->rows);
	vec_free(&t->moved);
	vec_free(&t->cgroups);
	map_deinit(&t->by_id);
	map_deinit(&t->cgroup_by_ids);
	buf_deinit(&t->scratch);
	free(t);
}

void process_table_reread(struct process_table *t)
{
	task_reader_reread(t->reader);
}

process_row_vec *process_table_rows(struct process_table *t)
{
	return &t->rows;
}

enum task_reader_kind process_table_kind(const struct process_table *t)
{
	return task_reader_kind(t->reader);
}

/* ---- command lines ---- */

static size_t name_length(const struct process_row *row)
{
	return strnlen(row->comm, sizeof row->comm);
}

/* NULs between arguments become blanks; without arguments the name stands in brackets. */
static int keep_command(struct process_row *row, struct span arguments)
{
	while (arguments.n && arguments.p[arguments.n - 1] == '\0')
		arguments.n--;
	size_t n = arguments.n ? arguments.n : name_length(row) + 2;
	char *at = malloc(n + 1);

	if (!at)
		return -ENOMEM;
	if (arguments.n == 0) {
		snprintf(at, n + 1, "[%.*s]", (int)name_length(row), row->comm);
	} else {
		memcpy(at, arguments.p, n);
		for (char *nul = at; (nul = memchr(nul, '\0', n - (size_t)(nul - at)));)
			*nul = ' ';
	}
	forget_command(row);
	row->command = (struct span){ at, n };
	row->command_known = true;
	return 0;
}

static bool has_arguments(const struct process_row *row)
{
	return !(row->flags & TASK_IS_KERNEL_THREAD) && row->state != 'Z';
}

/* Threads have names of their own. */
static bool has_own_arguments(const struct process_row *row)
{
	return has_arguments(row) && row->tid == row->pid;
}

static struct span thread_name(const struct process_row *row)
{
	return has_arguments(row) ? (struct span){ row->comm, name_length(row) } : (struct span){ NULL, 0 };
}

static int read_commands(struct process_table *t, struct process_row **rows, size_t n)
{
	struct command_line *lines = calloc(n ? n : 1, sizeof *lines);
	struct buf text = { 0 };
	int r = lines ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		lines[i].pid = rows[i]->pid;
	if (r == 0)
		r = command_lines_read(t->host, lines, n, &text);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep_command(rows[i], lines[i].arguments);
	buf_deinit(&text);
	free(lines);
	return r;
}

static int commands_of(struct process_table *t, struct process_row **rows, size_t n)
{
	size_t wanted = 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (rows[i]->command_known)
			continue;
		if (has_own_arguments(rows[i]))
			rows[wanted++] = rows[i];
		else
			r = keep_command(rows[i], thread_name(rows[i]));
	}
	return r < 0 ? r : read_commands(t, rows, wanted);
}

int process_rows_commands(struct process_row **rows, size_t n)
{
	return n ? commands_of(rows[0]->table, rows, n) : 0;
}

int process_table_commands(struct process_table *t)
{
	struct process_row **rows = malloc((t->rows.n ? t->rows.n : 1) * sizeof *rows);
	int r = rows ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < t->rows.n; i++)
		rows[i] = &t->rows.v[i];
	if (r == 0)
		r = commands_of(t, rows, t->rows.n);
	free(rows);
	return r;
}

struct span process_row_command(struct process_row *row)
{
	int r = 0;

	if (row->command_known)
		return row->command;
	if (has_own_arguments(row))
		r = read_commands(row->table, &row, 1);
	else
		r = keep_command(row, thread_name(row));
	return r == 0 ? row->command : (struct span){ row->comm, name_length(row) };
}

/* ---- names ---- */

const char *process_row_user(struct process_row *row)
{
	return row->uid == UINT32_MAX ? "" : user_names_find(row->table->users, row->uid);
}

static const struct cgroup_text *cgroup_of(struct process_row *row)
{
	struct process_table *t = row->table;
	static const struct cgroup_text unknown = { "", "" };
	uint64_t key = map_hash(row->cgroup, sizeof row->cgroup);
	uint32_t at = map_get(&t->cgroup_by_ids, key);
	char path[64], text[512], name[160];

	if (at != MAP_NONE)
		return &t->cgroups.v[at];
	snprintf(path, sizeof path, "/proc/%d/cgroup", row->pid);
	if (host_read(t->host, path, &t->scratch) < 0)
		return &unknown;
	cgroup_of_process(t->scratch.data, t->scratch.n, text, sizeof text);
	cgroup_name(text, name, sizeof name);
	struct cgroup_text *c = vec_push(&t->cgroups);
	if (!c)
		return &unknown;
	*c = (struct cgroup_text){ texts_copy(&t->texts, text), texts_copy(&t->texts, name) };
	/* Kernel threads of a task's process id may lack them all: then each is asked. */
	if (row->cgroup[0] | row->cgroup[1] | row->cgroup[2] | row->cgroup[3])
		(void)!map_set(&t->cgroup_by_ids, key, (uint32_t)(t->cgroups.n - 1));
	return c;
}

const char *process_row_cgroup(struct process_row *row)
{
	return cgroup_of(row)->path;
}

const char *process_row_unit(struct process_row *row)
{
	return cgroup_of(row)->unit;
}

static reading pss_parse(struct span text)
{
	struct span line, name;
	uint64_t kib;

	while (span_line(&text, &line))
		if (span_word(&line, &name) && span_is(name, "Pss:"))
			return span_next_u64(&line, &kib) && kib < UINT64_MAX / 4096 ? kib * 1024 : READING_MALFORMED;
	return READING_ABSENT;
}

reading process_row_pss(struct process_row *row)
{
	struct process_table *t = row->table;
	char path[64];

	if (row->pss_look == t->look)
		return row->pss_bytes;
	row->pss_look = t->look;
	if (row->flags & TASK_IS_KERNEL_THREAD)
		return row->pss_bytes = READING_ABSENT;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", row->pid);
	int r = host_read_bounded(t->host, path, 500, &t->scratch);
	return row->pss_bytes = r < 0 ? reading_from_errno(r) : pss_parse(buf_span(&t->scratch));
}

/* Majors of Documentation/admin-guide/devices.txt. */
static void tty_name(uint32_t device, char *ret, size_t size)
{
	unsigned major = device >> 8 & 0xfff, minor = (device & 0xff) | (device >> 12 & 0xfff00);

	if (major >= 136 && major <= 143)
		snprintf(ret, size, "pts/%u", minor + (major - 136) * 256);
	else if (major == 4 && minor < 64)
		snprintf(ret, size, "tty%u", minor);
	else if (major == 4)
		snprintf(ret, size, "ttyS%u", minor - 64);
	else if (major == 204 && minor >= 64)
		snprintf(ret, size, "ttyAMA%u", minor - 64);
	else if (major == 229)
		snprintf(ret, size, "hvc%u", minor);
	else if (major == 5 && minor == 1)
		snprintf(ret, size, "console");
	else
		snprintf(ret, size, "%u:%u", major, minor);
}

const char *process_row_tty(struct process_row *row)
{
	struct process_table *t = row->table;
	size_t at = row->tty % (sizeof t->ttys / sizeof t->ttys[0]);
	char name[24];

	if (row->tty == 0)
		return "";
	if (t->ttys[at].device != row->tty) {
		tty_name(row->tty, name, sizeof name);
		t->ttys[at].name = texts_copy(&t->of_look, name);
		t->ttys[at].device = row->tty;
	}
	return t->ttys[at].name;
}

uint64_t process_row_start_real_ns(const struct process_row *row)
{
	return row->table->now.real_ns - process_row_age_ns(row);
}

uint64_t process_row_age_ns(const struct process_row *row)
{
	uint64_t now = row->table->now.boot_ns;

	return now > row->start_ns ? now - row->start_ns : 0;
}

const struct view_span *process_table_span(const struct process_table *t)
{
	return &t->span;
}

reading process_table_memory(struct process_table *t)
{
	struct meminfo memory;

	if (t->memory_bytes == 0) {
		meminfo_read(t->host, &t->scratch, &memory);
		t->memory_bytes = memory.total_bytes;
	}
	return t->memory_bytes;
}

char *process_table_text(struct process_table *t, size_t size)
{
	return texts_take(&t->of_look, size);
}

double process_row_cpu_pct(const struct process_row *row)
{
	reading cpu = reading_sum(row->growth.user_ns, row->growth.system_ns);

	return row->seconds > 0 ? reading_value(cpu) / row->seconds / 1e7 : NAN;
}
