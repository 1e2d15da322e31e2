/* OOM reports: mm/oom_kill.c and the memory figures of mm/memcontrol.c and mm/show_mem.c. */
#include <errno.h>

#include "base/clock.h"
#include "source/kernel_log/decoder.h"

#define DEFAULT_PAGE_BYTES 4096
#define MAX_ROWS 65536

static struct log_oom *oom_of(struct log_decoder *d)
{
	return d->oom.event.oom;
}

static const struct log_oom no_oom = {
	.order = READING_ABSENT,
	.usage_bytes = READING_ABSENT, .limit_bytes = READING_ABSENT, .failures = READING_ABSENT,
	.swap_usage_bytes = READING_ABSENT, .swap_limit_bytes = READING_ABSENT,
	.cgroup_anon_bytes = READING_ABSENT, .cgroup_file_bytes = READING_ABSENT,
	.cgroup_shmem_bytes = READING_ABSENT, .cgroup_slab_bytes = READING_ABSENT,
	.free_bytes = READING_ABSENT, .anon_bytes = READING_ABSENT, .file_bytes = READING_ABSENT,
	.shmem_bytes = READING_ABSENT, .slab_bytes = READING_ABSENT,
	.unreclaimable_slab_bytes = READING_ABSENT, .pgtables_bytes = READING_ABSENT,
	.ram_bytes = READING_ABSENT, .swap_free_bytes = READING_ABSENT, .swap_total_bytes = READING_ABSENT,
	.victim_vm_bytes = READING_ABSENT, .victim_anon_bytes = READING_ABSENT,
	.victim_file_bytes = READING_ABSENT, .victim_shmem_bytes = READING_ABSENT,
	.victim_swap_bytes = READING_ABSENT, .victim_pgtables_bytes = READING_ABSENT,
};

static void reset_memory(struct oom_state *m)
{
	m->part = OOM_HEAD;
	m->rows.n = 0;
	m->free = m->anon[0] = m->anon[1] = m->file[0] = m->file[1] = m->shmem = READING_ABSENT;
	m->slab[0] = m->slab[1] = m->pgtables = m->ram = READING_ABSENT;
	m->named_pid = 0;
}

static bool begin(struct log_decoder *d, struct span line)
{
	struct log_oom *oom = decoder_alloc(d, sizeof *oom);

	if (!oom)
		return false;
	*oom = no_oom;
	report_end(d, &d->oom);
	reset_memory(&d->memory);
	report_begin(d, &d->oom, LOG_OOM_KILL, line)->oom = oom;
	return true;
}

/* "mysqld invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0" */
static bool invoked(struct log_decoder *d, struct span line)
{
	struct scan found;

	if (!scan_match(line, "{c} invoked oom-killer: gfp_mask={d}, order={n}, *", &found) || !begin(d, line))
		return false;
	/* The stack that follows is this report's, not that of what was told before. */
	report_end(d, &d->splat);
	struct log_oom *oom = oom_of(d);
	struct span name = found.detail, number;
	span_copy(found.comm, oom->trigger, sizeof oom->trigger);
	oom->order = found.number;
	if (span_until(&name, '(', &number))
		name.n -= name.n && name.p[name.n - 1] == ')';
	span_copy(name, oom->gfp, sizeof oom->gfp);
	return true;
}

/* ---- memory of the cgroup ---- */

static reading kib_after(struct span line, const char *mark)
{
	uint64_t kib, bytes;

	if (!scan_number_after(line, mark, &kib))
		return READING_ABSENT;
	return __builtin_mul_overflow(kib, UINT64_C(1024), &bytes) || !reading_ok(bytes) ? READING_MALFORMED : bytes;
}

/* "memory: usage 65536kB, limit 65536kB, failcnt 0"; "swap: …" (v2) or "memory+swap: …" (v1) */
static bool usage(struct log_oom *oom, struct span line)
{
	uint64_t failures;

	if (span_starts(line, "memory: usage ")) {
		oom->usage_bytes = kib_after(line, "usage ");
		oom->limit_bytes = kib_after(line, "limit ");
		if (scan_number_after(line, "failcnt ", &failures) && reading_ok(failures))
			oom->failures = failures;
		return true;
	}
	if (span_starts(line, "swap: usage ")) {
		oom->swap_usage_bytes = kib_after(line, "usage ");
		oom->swap_limit_bytes = kib_after(line, "limit ");
		return true;
	}
	if (span_starts(line, "memory+swap: usage ")) {
		/* v1 counts both together, and limits both together. */
		reading swap = reading_delta(oom->usage_bytes, kib_after(line, "usage "));
		oom->swap_usage_bytes = swap == READING_MALFORMED ? 0 : swap;
		return true;
	}
	return span_starts(line, "kmem: usage ");
}

/* "anon 66973696" (v2), "total_rss 66973696" (v1) */
static bool cgroup_stat(struct log_oom *oom, struct span line)
{
	struct span rest = line, name;
	uint64_t bytes;

	if (!span_word(&rest, &name) || !span_u64(span_trim(rest), &bytes) || !reading_ok(bytes))
		return false;
	if (span_is(name, "anon") || span_is(name, "total_rss"))
		oom->cgroup_anon_bytes = bytes;
	else if (span_is(name, "file") || span_is(name, "total_cache"))
		oom->cgroup_file_bytes = bytes;
	else if (span_is(name, "shmem") || span_is(name, "total_shmem"))
		oom->cgroup_shmem_bytes = bytes;
	else if (span_is(name, "slab"))
		oom->cgroup_slab_bytes = bytes;
	return true;
}

/* ---- memory of the host ---- */

/* "active_anon:5 inactive_anon:484 isolated_anon:0", in pages */
static bool mem_info(struct oom_state *m, struct span line)
{
	const struct {
		const char *name;
		reading *to;
	} figures[] = {
		{ "active_anon", &m->anon[0] }, { "inactive_anon", &m->anon[1] },
		{ "active_file", &m->file[0] }, { "inactive_file", &m->file[1] },
		{ "slab_reclaimable", &m->slab[0] }, { "slab_unreclaimable", &m->slab[1] },
		{ "shmem", &m->shmem }, { "pagetables", &m->pgtables }, { "free", &m->free },
	};
	struct span word, name;
	bool any = false;

	while (span_word(&line, &word)) {
		uint64_t pages;

		if (!span_until(&word, ':', &name) || !span_u64(word, &pages) || !reading_ok(pages))
			return any;
		any = true;
		for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
			if (span_is(name, figures[i].name))
				*figures[i].to = pages;
	}
	return any;
}

static bool host_memory(struct log_decoder *d, struct span line)
{
	struct oom_state *m = &d->memory;
	struct scan found;

	if (span_is(line, "Mem-Info:")) {
		m->part = OOM_MEM_INFO;
		return true;
	}
	if (m->part == OOM_MEM_INFO && mem_info(m, line))
		return true;
	if (span_starts(line, "Node ") || span_starts(line, "lowmem_reserve[]")) {
		m->part = OOM_HEAD;
		return true;
	}
	if (scan_match(line, "{n} pages RAM", &found)) {
		m->ram = found.number;
		return true;
	}
	if (span_starts(line, "Free swap  = "))
		oom_of(d)->swap_free_bytes = kib_after(line, "= ");
	else if (span_starts(line, "Total swap = "))
		oom_of(d)->swap_total_bytes = kib_after(line, "= ");
	else
		return scan_match(line, "{n} total pagecache pages", &found) ||
		       scan_match(line, "{n} pages *", &found) || span_starts(line, "Swap cache stats:") ||
		       span_starts(line, "Unreclaimable slab info:");
	return true;
}

/* ---- tasks ---- */

/* "[  14690]     0 14690    32897    16561    16352      209         0   184320        0  1000 name": pid,
 * uid, tgid, total_vm, rss, [rss_anon, rss_file, rss_shmem,] pgtables_bytes, swapents, oom_score_adj */
static bool task_row(struct log_decoder *d, struct span line)
{
	struct oom_state *m = &d->memory;
	struct oom_row row = { 0 };
	struct span pid;
	uint64_t n;
	int64_t adj;

	if (!span_starts(line, "["))
		return false;
	line = (struct span){ line.p + 1, line.n - 1 };
	if (!span_until(&line, ']', &pid) || !scan_pid(span_trim(pid), &row.pid))
		return false;
	if (!span_next_u64(&line, &n) || !span_next_u64(&line, &n) || !span_next_u64(&line, &row.total_vm) ||
	    !span_next_u64(&line, &row.rss))
		return false;
	for (int i = 0; m->rss_split && i < 3; i++)
		if (!span_next_u64(&line, &n))
			return false;
	if (!span_next_u64(&line, &row.pgtables_bytes) || !span_next_u64(&line, &row.swap) ||
	    !span_next_i64(&line, &adj) || adj < -1000 || adj > 1000 || !span_starts(line, " "))
		return false;
	if (row.rss > UINT32_MAX || row.swap > UINT32_MAX || m->rows.n >= MAX_ROWS)
		return true; /* no such memory */
	row.score_adj = (int32_t)adj;
	span_copy((struct span){ line.p + 1, line.n - 1 }, row.comm, sizeof row.comm);
	struct oom_row *kept = vec_push(&m->rows);
	if (kept)
		*kept = row;
	else
		d->error = -ENOMEM;
	return true;
}

static uint64_t weight(const struct oom_row *row)
{
	return row->rss + row->swap;
}

/* A page in bytes: the table counts the victim's memory in pages, its obituary in kB. */
static uint64_t page_bytes(const struct log_decoder *d)
{
	const struct log_oom *oom = d->oom.event.oom;

	vec_each(row, &d->memory.rows) {
		if (row->pid != d->oom.event.pid || !row->total_vm || !reading_ok(oom->victim_vm_bytes))
			continue;
		uint64_t bytes = oom->victim_vm_bytes / row->total_vm;
		for (uint64_t page = 4096; page <= 65536; page *= 2)
			if (bytes >= page - page / 8 && bytes <= page + page / 8)
				return page;
	}
	return DEFAULT_PAGE_BYTES;
}

static void keep_largest(struct log_oom *oom, const struct oom_row *row, uint64_t page)
{
	size_t at = oom->ntasks;
	uint64_t bytes = weight(row) * page;

	while (at > 0 && oom->tasks[at - 1].rss_bytes + oom->tasks[at - 1].swap_bytes < bytes)
		at--;
	if (at == LOG_OOM_TASKS)
		return;
	if (oom->ntasks < LOG_OOM_TASKS)
		oom->ntasks++;
	memmove(&oom->tasks[at + 1], &oom->tasks[at], (oom->ntasks - 1 - at) * sizeof oom->tasks[0]);
	struct log_oom_task *t = &oom->tasks[at];
	*t = (struct log_oom_task){
		.pid = row->pid,
		.rss_bytes = row->rss * page,
		.swap_bytes = row->swap * page,
		.pgtables_bytes = row->pgtables_bytes,
		.total_vm_bytes = row->total_vm * page,
		.score_adj = row->score_adj,
	};
	memcpy(t->comm, row->comm, sizeof t->comm);
}

static reading in_bytes(reading pages, uint64_t page)
{
	uint64_t bytes;

	if (!reading_ok(pages))
		return pages;
	return __builtin_mul_overflow(pages, page, &bytes) || !reading_ok(bytes) ? READING_MALFORMED : bytes;
}

/* Nothing is counted in pages any more. */
static void settle(struct log_decoder *d)
{
	struct oom_state *m = &d->memory;
	struct log_oom *oom = oom_of(d);
	uint64_t page = page_bytes(d);

	vec_each(row, &m->rows) {
		keep_largest(oom, row, page);
		oom->all_tasks++;
		oom->all_rss_bytes += row->rss * page;
		oom->all_swap_bytes += row->swap * page;
		if (row->pid == d->oom.event.pid)
			oom->victim_swap_bytes = row->swap * page;
	}
	oom->free_bytes = in_bytes(m->free, page);
	oom->anon_bytes = in_bytes(reading_sum(m->anon[0], m->anon[1]), page);
	oom->file_bytes = in_bytes(reading_sum(m->file[0], m->file[1]), page);
	oom->slab_bytes = in_bytes(reading_sum(m->slab[0], m->slab[1]), page);
	oom->unreclaimable_slab_bytes = in_bytes(m->slab[1], page);
	oom->shmem_bytes = in_bytes(m->shmem, page);
	oom->pgtables_bytes = in_bytes(m->pgtables, page);
	oom->ram_bytes = in_bytes(m->ram, page);
}

/* ---- the verdict ---- */

/* Up to `mark`, which may itself occur in a cgroup's name: the last counts. */
static struct span up_to(struct span text, const char *mark)
{
	struct span before;

	return scan_before_last(text, mark, &before) ? before : text;
}

/* "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,
 *  task_memcg=/a/b,task=stress,pid=1,uid=0"; the host's memory: "global_oom" for "oom_memcg=/a" */
static bool constraint(struct log_decoder *d, struct span line)
{
	static const struct {
		const char *name;
		enum log_constraint constraint;
	} names[] = {
		{ "NONE", LOG_CONSTRAINT_HOST }, { "MEMCG", LOG_CONSTRAINT_CGROUP },
		{ "CPUSET", LOG_CONSTRAINT_CPUSET }, { "MEMORY_POLICY", LOG_CONSTRAINT_MEMORY_POLICY },
	};
	struct span rest = line, name, pid;

	if (!scan_past(&rest, "oom-kill:constraint=CONSTRAINT_") || rest.p != line.p + 31)
		return false;
	if (!d->oom.open && !begin(d, line))
		return false;
	struct log_oom *oom = oom_of(d);
	if (span_until(&rest, ',', &name))
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (span_is(name, names[i].name))
				oom->constraint = names[i].constraint;
	rest = line;
	if (scan_past(&rest, ",cpuset="))
		span_copy(up_to(rest, ",mems_allowed="), oom->cpuset, sizeof oom->cpuset);
	rest = up_to(line, ",task=");
	if (scan_past(&rest, ",oom_memcg="))
		span_copy(up_to(rest, ",task_memcg="), oom->limit_cgroup, sizeof oom->limit_cgroup);
	if (scan_past(&rest, ",task_memcg=") || (rest = up_to(line, ",task="), scan_past(&rest, ",task_memcg=")))
		span_copy(rest, oom->task_cgroup, sizeof oom->task_cgroup);
	if (scan_before_last(line, ",uid=", &rest) && span_until_last(&rest, '=', &pid))
		(void)!scan_pid(pid, &d->memory.named_pid);
	report_take(d, &d->oom);
	return true;
}

static bool in_group_kill(const struct log_decoder *d)
{
	return reading_ok(d->memory.group_ns) && reading_ok(d->record->log_ns) &&
	       d->record->log_ns - d->memory.group_ns < NS_PER_S;
}

/* The kernel limits how often it writes a report, but not the obituaries: one must not get the figures
 * of another's report. */
static bool settle_whose(struct log_decoder *d, int32_t pid, struct span line)
{
	bool own = report_has(d, &d->oom) && (!d->memory.named_pid || d->memory.named_pid == pid);

	return own || begin(d, line);
}

static int32_t score_adj(struct span line)
{
	int64_t adj;

	return scan_past(&line, "oom_score_adj:") && span_i64(span_trim(line), &adj) && adj >= -1000 && adj <= 1000 ?
		       (int32_t)adj :
		       0;
}

/* "Memory cgroup out of memory: Killed process 123 (stress) total-vm:…kB, anon-rss:…kB, file-rss:…kB,
 *  shmem-rss:…kB, UID:0 pgtables:128kB oom_score_adj:0" */
static bool killed(struct log_decoder *d, struct span line)
{
	struct span rest = line, comm, figures;
	struct scan found;
	int32_t pid;

	if ((!span_starts(line, "Out of memory") && !span_starts(line, "Memory cgroup out of memory")) ||
	    !scan_match(line, "*: Killed process {p} ({d}", &found))
		return false;
	pid = found.pid;
	if (!scan_before_last(found.detail, ") total-vm:", &comm) && !scan_before_last(found.detail, ")", &comm))
		return false;
	/* The first victim of a group is told again with the others. */
	if (!d->oom.open && in_group_kill(d) && pid == d->memory.last_pid) {
		d->kind = LOG_OOM_KILL;
		return true;
	}
	if (!settle_whose(d, pid, line))
		return d->error != 0;
	figures = (struct span){ comm.p + comm.n, found.detail.n - comm.n };
	struct log_event *e = &d->oom.event;
	struct log_oom *oom = e->oom;
	e->pid = pid;
	span_copy(comm, e->comm, sizeof e->comm);
	span_copy(line, e->text, sizeof e->text);
	e->level = d->record->level;
	oom->victim_vm_bytes = kib_after(figures, "total-vm:");
	oom->victim_anon_bytes = kib_after(figures, "anon-rss:");
	oom->victim_file_bytes = kib_after(figures, "file-rss:");
	oom->victim_shmem_bytes = kib_after(figures, "shmem-rss:");
	oom->victim_pgtables_bytes = kib_after(figures, "pgtables:");
	oom->victim_score_adj = score_adj(figures);
	bool of_cgroup = scan_past(&rest, "Memory cgroup out of memory");
	if (oom->constraint == LOG_CONSTRAINT_UNKNOWN)
		oom->constraint = of_cgroup ? LOG_CONSTRAINT_CGROUP : LOG_CONSTRAINT_HOST;
	if (of_cgroup && !oom->limit_cgroup[0] && in_group_kill(d)) {
		oom->group = true;
		memcpy(oom->limit_cgroup, d->memory.group_limit, sizeof oom->limit_cgroup);
		memcpy(oom->task_cgroup, d->memory.group_cgroup, sizeof oom->task_cgroup);
	}
	memcpy(e->object, oom->limit_cgroup, sizeof e->object);
	settle(d);
	report_take(d, &d->oom);
	d->memory.last_pid = pid;
	memcpy(d->memory.group_limit, oom->limit_cgroup, sizeof d->memory.group_limit);
	report_end(d, &d->oom);
	return true;
}

/* "Tasks in /a are going to be killed due to memory.oom.group set": the first is already killed, the
 * others follow at once, without a report. */
static bool group(struct log_decoder *d, struct span line)
{
	struct span cgroup = line;

	if (!span_starts(line, "Tasks in ") ||
	    !scan_before_last(line, " are going to be killed due to memory.oom.group set", &cgroup))
		return false;
	cgroup = (struct span){ cgroup.p + 9, cgroup.n - 9 };
	span_copy(cgroup, d->memory.group_cgroup, sizeof d->memory.group_cgroup);
	if (!d->memory.group_limit[0])
		span_copy(cgroup, d->memory.group_limit, sizeof d->memory.group_limit);
	d->memory.group_ns = d->record->log_ns;
	d->kind = LOG_OOM_KILL;
	return true;
}

static bool stuck(struct log_decoder *d, struct span line)
{
	if (!span_starts(line, "Out of memory and no killable processes") &&
	    !span_starts(line, "Kernel panic - not syncing: System is deadlocked on memory"))
		return false;
	struct log_event e = decoder_event(d, LOG_OOM_STUCK, line);
	decoder_tell(d, &e);
	return true;
}

/* ---- all of it ---- */

static bool part_of_report(struct log_decoder *d, struct span line)
{
	struct oom_state *m = &d->memory;
	struct log_oom *oom = oom_of(d);

	if (span_starts(line, "Memory cgroup stats for ")) {
		m->part = OOM_CGROUP_STATS;
		return true;
	}
	if (span_starts(line, "Tasks state (memory values in pages)"))
		return true;
	if (span_starts(line, "[  pid  ]")) {
		m->part = OOM_TASKS;
		m->rss_split = scan_contains(line, " rss_anon");
		return true;
	}
	if (m->part == OOM_TASKS && task_row(d, line))
		return true;
	return usage(oom, line) || (m->part == OOM_CGROUP_STATS && cgroup_stat(oom, line)) || host_memory(d, line);
}

bool oom_line(struct log_decoder *d, struct span line)
{
	if (span_starts(line, "oom_reaper: reaped process"))
		return true;
	if (invoked(d, line) || constraint(d, line) || killed(d, line) || group(d, line) || stuck(d, line))
		return true;
	if (!report_has(d, &d->oom))
		return false;
	struct span comm, taint;
	int32_t cpu, pid;
	if (scan_who(line, &cpu, &pid, &comm, &taint)) {
		if (!oom_of(d)->trigger_pid)
			oom_of(d)->trigger_pid = pid;
	} else if (!part_of_report(d, line)) {
		return false;
	}
	report_take(d, &d->oom);
	return true;
}
