#include "view/memory_view.h"

#include <inttypes.h>

#include "base/units.h"
#include "cmd/memory_leaks.h"
#include "cmd/memory_process.h"
#include "cmd/output.h"
#include "cmd/view.h"

enum { PID = VIEW_OWN };

static const struct option options[] = {
	VIEW_OPTIONS,
	[PID] = { "pid", 'p', OPTION_COUNT, "PID",
		  "this process in place of the host: kinds, files, malloc's arenas; what grew in INTERVAL",
		  1, INT32_MAX },
	MEMORY_LEAKS_OPTIONS,
};

static struct units_text amount(reading bytes)
{
	return bytes_text(reading_value(bytes));
}

static void put_available(struct page *p, const struct memory_row *r)
{
	const struct meminfo *m = &r->memory;
	const double available_pct = 100 * reading_value(m->available_bytes) / reading_value(m->total_bytes);

	if (isnan(available_pct)) {
		page_wrap(p, 0, "%s of %s is free. How much can still be had is not measurable: %s.",
			  amount(m->free_bytes).text, amount(m->total_bytes).text, reading_reason(m->available_bytes));
		page_newline(p);
		return;
	}
	page_tone(p, available_pct < 5 ? TONE_RED : available_pct < 10 ? TONE_YELLOW : TONE_STRONG);
	page_wrap(p, 0, "%s of %s can still be had (%.0f%%)", amount(m->available_bytes).text,
		  amount(m->total_bytes).text, available_pct);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 0, "without swapping. %s is used.", amount(memory_used_bytes(r)).text);
	if (reading_ok(memory_cache_bytes(r)) && reading_ok(m->shmem_bytes))
		page_wrap(p, 0, "The cache (%s) is not: it is given back when programs want it, but for the %s of "
			  "shared memory in it.", amount(memory_cache_bytes(r)).text, amount(m->shmem_bytes).text);
	page_newline(p);
}

static void put_stalls(struct page *p, const struct memory_row *r)
{
	const struct meminfo *m = &r->memory;
	double ns_per_pct = r->seconds * 1e7;

	if (m->swap_total_bytes == 0)
		page_wrap(p, 0, "There is no swap.");
	else if (reading_ok(m->swap_total_bytes))
		page_wrap(p, 0, "Swap: %s of %s used.", amount(memory_swap_used_bytes(r)).text,
			  amount(m->swap_total_bytes).text);
	if (reading_ok(r->stalls.some_ns))
		page_wrap(p, 0, "Some task waited for memory %.2f%% of the time, all of them at once %.2f%%.",
			  reading_value(r->stalls.some_ns) / ns_per_pct, reading_value(r->stalls.full_ns) / ns_per_pct);
	else
		page_wrap(p, 0, "How long tasks waited for memory is not measurable: %s.",
			  reading_reason(r->stalls.some_ns));
	if (reading_ok(r->vmstat.oom_kill) && r->vmstat.oom_kill)
		page_wrap(p, 0, "Killed for want of memory: %" PRIu64 ".", r->vmstat.oom_kill);
	page_newline(p);
}

static void put_nearest(struct page *p, const struct zone_row *z)
{
	const char *state = zone_state(z);
	bool fine = strcmp(state, "fine") == 0;

	page_wrap(p, 0, "Nearest to its minimum is zone %s of node %u:", z->zone.name, z->zone.node);
	page_tone(p, fine ? TONE_PLAIN : strcmp(state, "below min") == 0 ? TONE_RED : TONE_YELLOW);
	page_wrap(p, 0, "%.1f times as much is free%s%s.", zone_free_of_min(z), fine ? "" : ", ", fine ? "" : state);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static void put_promises(struct page *p, const struct memory_row *r)
{
	static const char *const modes[] = { "not enforced: mode 0", "not enforced: mode 1", "enforced: mode 2" };
	const struct meminfo *m = &r->memory;

	if (!reading_ok(m->committed_bytes))
		return;
	page_wrap(p, 0, "Promised to processes: %s (limit %s, %s).", amount(m->committed_bytes).text,
		  amount(m->commit_limit_bytes).text,
		  reading_ok(r->overcommit_mode) ? modes[r->overcommit_mode] : "mode unknown");
	if (r->thp.presence == PRESENT)
		page_wrap(p, 0, "Transparent huge pages: %s (defrag %s); %s of processes are in them.", r->thp.enabled,
			  r->thp.defrag[0] ? r->thp.defrag : "unknown", amount(m->anon_huge_bytes).text);
	page_newline(p);
}

static void head(void *state, struct page *p)
{
	struct memory_overview o = memory_overview(state);

	put_available(p, o.row);
	put_stalls(p, o.row);
	if (o.nearest) {
		put_nearest(p, o.nearest);
	} else {
		page_wrap(p, 0, "Zones and their watermarks are not measurable: %s.",
			  o.no_zones ? o.no_zones : "none is told");
		page_newline(p);
	}
	put_promises(p, o.row);
	page_newline(p);
}

/* Of the options of views it takes those of the answer's form. */
static int run_process(const struct arguments *args)
{
	struct memory_process_wish wish = { .json = args->option[VIEW_JSON].given,
					    .no_color = args->option[VIEW_NO_COLOR].given };

	for (size_t i = 0; i < VIEW_OWN; i++) {
		if (args->option[i].given && i != VIEW_JSON && i != VIEW_NO_COLOR) {
			say("memory: --%s is of the host's tables; with --pid there are --json and --no-color",
			    options[i].name);
			return EXIT_USAGE;
		}
	}
	if (args->noperands > 1) {
		say("memory: with --pid there are two looks, INTERVAL apart: COUNT is too much");
		return EXIT_USAGE;
	}
	if (args->noperands && !view_interval_parse(args->operand[0], &wish.interval_ns)) {
		say("memory: " VIEW_NO_INTERVAL, args->operand[0]);
		return EXIT_USAGE;
	}
	return memory_of_process((int)args->option[PID].number, &wish);
}

static int run(const struct arguments *args)
{
	if (args->option[MEMORY_LEAKS].given && !args->option[PID].given) {
		say("memory: --leaks is of a process: --pid PID");
		return EXIT_USAGE;
	}
	if (args->option[MEMORY_LEAKS].given)
		return memory_leaks_run(args, (int)args->option[PID].number);
	if (args->option[PID].given)
		return run_process(args);
	bool lines = args->noperands > 0 && !args->option[VIEW_WATCH].given;

	return view_run(args, &(struct view_job){ .name = "memory",
						  .view = lines ? &view_memory_lines : &view_memory,
						  .interval_operands = true,
						  .head = lines ? NULL : head });
}

const struct command command_memory = {
	.name = "memory",
	.summary = "show who has the memory, and how near it is to its end",
	.description =
		"Without INTERVAL: how much can still be had, what the rest is used for, swap, huge pages, zones "
		"with their watermarks, NUMA nodes where there are several. With it: one line for each look, as of "
		"vmstat.\n\n"
		"Used is what cannot be had without swapping (total less available), as free says it. The "
		"page cache is not used memory: the kernel gives it back when programs want it. Shared "
		"memory counts as cached there, and yet can only be swapped.\n\n"
		"The tables, for --table: memory (the host), parts (what it is made of), swap, zram, huge, "
		"zones, nodes, vm (paging and reclaim), free (free blocks by zone and order: fragmentation). "
		"--columns, --sort, --filter and --csv mean memory, and vm when there is an INTERVAL, unless "
		"--table says otherwise.\n\n"
		"With --pid PID: the memory of one process by kind and by file, and what glibc's malloc holds in "
		"each arena: in use, free at the end, free between blocks in use. Nothing is stopped; other "
		"allocators are not measurable. With an INTERVAL, what grew in it comes first, kind by kind and "
		"mapping by mapping, with the thread whose stack it is or the arena of malloc that it belongs to. "
		"(A number alone is an INTERVAL, not a PID.)\n\n" MEMORY_LEAKS_HELP "\n\n" VIEW_INTERVAL_HELP,
	.operands = VIEW_INTERVAL_OPERANDS,
	.max_operands = 2,
	OPTIONS(options),
	.run = run,
};
