#include "report/fact.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "source/cgroup/cgroup.h"
#include "source/cpu/cpu_stat.h"
#include "source/cpu/loadavg.h"
#include "source/cpu/psi.h"
#include "source/cpu/topology.h"
#include "source/memory/meminfo.h"
#include "source/storage/disk.h"
#include "source/storage/file_nr.h"

enum file_unit { NUMBER, BYTES, LINE };

struct file_value {
	int error;
	char text[64];
};

enum {
#define FACT(name, help)
#define FACT_FILE(name, unit, path, help) FILE_##name,
#include "report/fact.def"
#undef FACT
#undef FACT_FILE
	NFILES,
};

struct facts {
	struct topology topology;
	struct cpu_stat cpu;
	struct loadavg load;
	struct psi psi;
	struct meminfo memory;
	struct file_nr files;
	disk_vec disks;
	enum presence disks_presence;
	struct cgroup_mounts cgroups;
	int cgroups_error;
	reading processes;
	uint64_t boot_ns;
	bool live;
	struct file_value file[NFILES];
};

static int tell_missing(reading r, struct buf *ret)
{
	return buf_printf(ret, "not measurable: %s", reading_reason(r));
}

static int tell_count(reading r, struct buf *ret)
{
	return reading_ok(r) ? buf_printf(ret, "%s", number_text((double)r).text) : tell_missing(r, ret);
}

static int tell_bytes(reading r, struct buf *ret)
{
	return reading_ok(r) ? buf_printf(ret, "%s", bytes_text((double)r).text) : tell_missing(r, ret);
}

static int tell_load(reading milli, struct buf *ret)
{
	return reading_ok(milli) ? buf_printf(ret, "%.2f", (double)milli / 1000) : tell_missing(milli, ret);
}

static int tell_text(const char *text, struct buf *ret)
{
	return *text ? buf_append(ret, text, strlen(text)) : tell_missing(READING_ABSENT, ret);
}

/* ---- the facts of fact.def ---- */

typedef const struct facts *in;

static int fact_hostname(in f, struct buf *ret) { return tell_text(f->topology.hostname, ret); }
static int fact_kernel(in f, struct buf *ret) { return tell_text(f->topology.kernel, ret); }
static int fact_cpu_model(in f, struct buf *ret) { return tell_text(f->topology.model, ret); }
static int fact_cpus(in f, struct buf *ret) { return tell_count(f->topology.cpus ? f->topology.cpus : READING_ABSENT, ret); }
static int fact_nodes(in f, struct buf *ret) { return tell_count(f->topology.nodes ? f->topology.nodes : READING_ABSENT, ret); }
static int fact_load1(in f, struct buf *ret) { return tell_load(f->load.load1_milli, ret); }
static int fact_load5(in f, struct buf *ret) { return tell_load(f->load.load5_milli, ret); }
static int fact_load15(in f, struct buf *ret) { return tell_load(f->load.load15_milli, ret); }
static int fact_tasks(in f, struct buf *ret) { return tell_count(f->load.tasks, ret); }
static int fact_processes(in f, struct buf *ret) { return tell_count(f->processes, ret); }
static int fact_context_switches(in f, struct buf *ret) { return tell_count(f->cpu.context_switches, ret); }
static int fact_forks(in f, struct buf *ret) { return tell_count(f->cpu.forks, ret); }
static int fact_memory_total(in f, struct buf *ret) { return tell_bytes(f->memory.total_bytes, ret); }
static int fact_memory_free(in f, struct buf *ret) { return tell_bytes(f->memory.free_bytes, ret); }
static int fact_memory_available(in f, struct buf *ret) { return tell_bytes(f->memory.available_bytes, ret); }
static int fact_memory_cached(in f, struct buf *ret) { return tell_bytes(f->memory.cached_bytes, ret); }
static int fact_memory_dirty(in f, struct buf *ret) { return tell_bytes(f->memory.dirty_bytes, ret); }
static int fact_swap_total(in f, struct buf *ret) { return tell_bytes(f->memory.swap_total_bytes, ret); }
static int fact_swap_free(in f, struct buf *ret) { return tell_bytes(f->memory.swap_free_bytes, ret); }
static int fact_swap_used(in f, struct buf *ret) { return tell_bytes(reading_delta(f->memory.swap_free_bytes, f->memory.swap_total_bytes), ret); }
static int fact_files_open(in f, struct buf *ret) { return tell_count(f->files.allocated, ret); }
static int fact_files_max(in f, struct buf *ret) { return tell_count(f->files.limit, ret); }

static int fact_uptime(in f, struct buf *ret)
{
	return buf_printf(ret, "%s", duration_text((double)f->boot_ns / 1e9).text);
}

static int fact_page_bytes(in f, struct buf *ret)
{
	(void)f; /* the architecture's: the same for all hosts this binary runs on */
	return tell_bytes((reading)sysconf(_SC_PAGESIZE), ret);
}

static int fact_psi(in f, struct buf *ret)
{
	if (f->psi.presence == PRESENT)
		return tell_text("readable", ret);
	return buf_printf(ret, "not measurable: needs CONFIG_PSI, and psi=1 on the kernel command line");
}

static int fact_disks(in f, struct buf *ret)
{
	int r = 0;

	if (f->disks_presence != PRESENT)
		return buf_printf(ret, "not measurable: /proc/diskstats is %s", presence_name(f->disks_presence));
	if (f->disks.n == 0)
		return tell_text("none", ret);
	for (size_t i = 0; r == 0 && i < f->disks.n; i++)
		r = buf_printf(ret, "%s%s", i ? ", " : "", f->disks.v[i].name);
	return r;
}

static int fact_cgroups(in f, struct buf *ret)
{
	bool v1 = false, v2 = false;

	if (f->cgroups_error < 0)
		return tell_missing(reading_from_errno(f->cgroups_error), ret);
	for (size_t i = 0; i < f->cgroups.n; i++) {
		v1 |= !f->cgroups.v[i].v2;
		v2 |= f->cgroups.v[i].v2;
	}
	return tell_text(v1 && v2 ? "v1 and v2 (hybrid)" : v2 ? "v2" : v1 ? "v1" : "none mounted", ret);
}

/* ---- the table ---- */

struct fact {
	const char *name, *help;
	int (*tell)(const struct facts *f, struct buf *ret); /* NULL: of a file */
	size_t file;
	enum file_unit unit;
	const char *path;
};

static const struct fact table[] = {
#define FACT(name, help) { #name, help, fact_##name },
#define FACT_FILE(name, unit, path, help) { #name, help, NULL, FILE_##name, unit, path },
#include "report/fact.def"
#undef FACT
#undef FACT_FILE
};
enum { N = sizeof table / sizeof table[0] };

const char *fact_name(size_t i, const char **ret_help)
{
	if (i >= N)
		return NULL;
	*ret_help = table[i].help;
	return table[i].name;
}

static int tell_file(const struct facts *f, const struct fact *fact, struct buf *ret)
{
	const struct file_value *v = &f->file[fact->file];
	uint64_t n;

	/* What was never asked cannot be told from what was not there. */
	if (v->error == -ENOENT && !f->live)
		return buf_printf(ret, "not measurable: the capture does not hold %s", fact->path);
	if (v->error < 0)
		return buf_printf(ret, "not measurable: needs %s, which %s", fact->path,
				  presence_from_errno(v->error) == DENIED ? "is for root" : "this kernel lacks");
	if (fact->unit == LINE)
		return tell_text(v->text, ret);
	if (!span_u64(span_from(v->text), &n))
		return tell_missing(READING_MALFORMED, ret);
	return fact->unit == BYTES ? tell_bytes(n, ret) : tell_count(n, ret);
}

int fact_text(const struct facts *f, struct span name, struct buf *ret)
{
	for (size_t i = 0; i < N; i++) {
		if (!span_is(name, table[i].name))
			continue;
		return table[i].tell ? table[i].tell(f, ret) : tell_file(f, &table[i], ret);
	}
	return -ENOENT;
}

/* ---- the look ---- */

static void read_file(struct host *h, const char *path, struct buf *scratch, struct file_value *ret)
{
	ret->error = host_read(h, path, scratch);
	if (ret->error < 0)
		return;
	span_copy(span_trim(buf_span(scratch)), ret->text, sizeof ret->text);
	for (char *c = ret->text; *c; c++)
		if (*c == '\t')
			*c = ' ';
}

static reading count_processes(struct host *h, struct buf *scratch)
{
	int r = host_list(h, "/proc", scratch);
	struct span names = buf_span(scratch), name;
	reading n = 0;

	if (r < 0)
		return reading_from_errno(r);
	while (span_line(&names, &name))
		n += name.n > 0 && name.p[0] >= '1' && name.p[0] <= '9';
	return n;
}

int facts_read(struct host *h, struct facts **ret)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	struct facts *f = calloc(1, sizeof *f);

	if (!f)
		return -ENOMEM;
	f->boot_ns = host_time(h).boot_ns;
	f->live = host_is_live(h);
	topology_read(h, &scratch, &f->topology);
	loadavg_read(h, &scratch, &f->load);
	psi_read(h, &scratch, &f->psi);
	meminfo_read(h, &scratch, &f->memory);
	file_nr_read(h, &scratch, &f->files);
	f->processes = count_processes(h, &scratch);
	f->cgroups_error = cgroup_mounts_read(h, &scratch, &f->cgroups);
	for (size_t i = 0; i < N; i++)
		if (!table[i].tell)
			read_file(h, table[i].path, &scratch, &f->file[table[i].file]);
	int r = cpu_stat_read(h, &scratch, &f->cpu, NULL);
	if (r == 0)
		r = disks_read(h, &scratch, &f->disks, &f->disks_presence);
	if (r < 0) {
		facts_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	vec_free(&f->disks);
	free(f);
}
