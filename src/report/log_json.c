#include "report/log_text.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "report/log_meaning.h"
#include "report/table.h"
#include "source/kernel_log/scan.h"

static void json_moment(struct json *j, const char *key, reading real_ns)
{
	char text[40];

	if (!reading_ok(real_ns)) {
		json_null(j, key);
		return;
	}
	table_moment(real_ns, text, sizeof text);
	json_string(j, key, text);
}

static void json_text(struct json *j, const char *key, const char *text)
{
	json_string(j, key, text[0] ? text : NULL);
}

static void json_prose(struct json *j, const char *key, const struct log_happening *h,
		       int (*make)(const struct log_happening *, struct buf *))
{
	cleanup(buf_deinit) struct buf text = { 0 };

	if (make(h, &text) < 0)
		j->error = -ENOMEM;
	json_span(j, key, buf_span(&text));
}

static void json_oom(struct json *j, const struct log_oom *o)
{
	static const char *const constraints[] = { NULL, "host", "cgroup", "cpuset", "memory_policy" };

	json_object(j, "oom");
	json_string(j, "constraint", constraints[o->constraint]);
	json_text(j, "limit_cgroup", o->limit_cgroup);
	json_text(j, "victim_cgroup", o->task_cgroup);
	json_bool(j, "group_kill", o->group);
	json_text(j, "trigger", o->trigger);
	json_reading(j, "trigger_pid", o->trigger_pid ? (reading)o->trigger_pid : READING_ABSENT);
	json_text(j, "gfp", o->gfp);
	json_reading(j, "order", o->order);
	const struct {
		const char *name;
		reading value;
	} readings[] = {
		{ "usage_bytes", o->usage_bytes }, { "limit_bytes", o->limit_bytes }, { "limit_failures", o->failures },
		{ "swap_usage_bytes", o->swap_usage_bytes }, { "swap_limit_bytes", o->swap_limit_bytes },
		{ "cgroup_anon_bytes", o->cgroup_anon_bytes }, { "cgroup_file_bytes", o->cgroup_file_bytes },
		{ "cgroup_shmem_bytes", o->cgroup_shmem_bytes }, { "cgroup_slab_bytes", o->cgroup_slab_bytes },
		{ "ram_bytes", o->ram_bytes }, { "free_bytes", o->free_bytes }, { "anon_bytes", o->anon_bytes },
		{ "file_bytes", o->file_bytes }, { "shmem_bytes", o->shmem_bytes }, { "slab_bytes", o->slab_bytes },
		{ "slab_unreclaimable_bytes", o->unreclaimable_slab_bytes }, { "pgtables_bytes", o->pgtables_bytes },
		{ "swap_free_bytes", o->swap_free_bytes }, { "swap_total_bytes", o->swap_total_bytes },
		{ "victim_vm_bytes", o->victim_vm_bytes }, { "victim_anon_bytes", o->victim_anon_bytes },
		{ "victim_file_bytes", o->victim_file_bytes }, { "victim_shmem_bytes", o->victim_shmem_bytes },
		{ "victim_swap_bytes", o->victim_swap_bytes }, { "victim_pgtables_bytes", o->victim_pgtables_bytes },
	};
	for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
		json_reading(j, readings[i].name, readings[i].value);
	json_i64(j, "victim_oom_score_adj", o->victim_score_adj);
	json_u64(j, "tasks_count", o->all_tasks);
	json_u64(j, "tasks_rss_bytes", o->all_rss_bytes);
	json_u64(j, "tasks_swap_bytes", o->all_swap_bytes);
	json_array(j, "tasks");
	for (size_t i = 0; i < o->ntasks; i++) {
		json_object(j, NULL);
		json_i64(j, "pid", o->tasks[i].pid);
		json_string(j, "comm", o->tasks[i].comm);
		json_u64(j, "rss_bytes", o->tasks[i].rss_bytes);
		json_u64(j, "swap_bytes", o->tasks[i].swap_bytes);
		json_u64(j, "pgtables_bytes", o->tasks[i].pgtables_bytes);
		json_u64(j, "total_vm_bytes", o->tasks[i].total_vm_bytes);
		json_i64(j, "oom_score_adj", o->tasks[i].score_adj);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void json_hex(struct json *j, const char *key, reading value)
{
	char text[24];

	snprintf(text, sizeof text, "%#llx", (unsigned long long)value);
	json_string(j, key, reading_ok(value) ? text : NULL);
}

static void json_fault(struct json *j, const struct log_fault *f, const struct log_symbol *s)
{
	static const char *const states[] = { NULL, "no_file", "other_file", "stripped", "found" };

	json_object(j, "fault");
	json_hex(j, "address", f->address);
	json_hex(j, "ip", f->ip);
	json_hex(j, "sp", f->sp);
	json_reading(j, "error", f->error);
	json_text(j, "module", f->module);
	json_hex(j, "mapping", f->base ? f->base : READING_ABSENT);
	json_hex(j, "mapping_size", f->size ? f->size : READING_ABSENT);
	json_hex(j, "file_offset", f->file_offset);
	json_string(j, "file", s && s->path[0] ? s->path : NULL);
	json_string(j, "file_state", s ? states[s->state] : NULL);
	bool at = s && s->state >= LOG_SYMBOL_STRIPPED;
	json_hex(j, "file_address", at ? s->symbol.address : READING_ABSENT);
	json_string(j, "symbol", at && s->symbol.name[0] ? s->symbol.name : NULL);
	json_reading(j, "symbol_offset", at && s->symbol.name[0] ? s->symbol.offset : READING_ABSENT);
	json_bool(j, "code_matches", s && s->sure);
	json_end(j);
}

static void json_event(struct json *j, const struct log_happening *h)
{
	const struct log_event *e = &h->event;
	struct log_next next;

	json_string(j, "kind", log_kinds[e->kind].id);
	json_string(j, "severity", log_severity_name(e->severity));
	json_bool(j, "recovered", e->good);
	json_moment(j, "time", h->real_ns);
	json_u64(j, "first_sequence", e->first_sequence);
	json_u64(j, "last_sequence", e->last_sequence);
	json_string(j, "level", log_level_names[e->level]);
	json_prose(j, "title", h, log_title);
	json_prose(j, "meaning", h, log_meaning);
	json_reading(j, "pid", e->pid ? (reading)e->pid : READING_ABSENT);
	json_text(j, "comm", e->comm);
	json_reading(j, "cpu", e->cpu >= 0 ? (reading)e->cpu : READING_ABSENT);
	json_text(j, "object", e->object);
	json_text(j, "detail", e->detail);
	json_text(j, "where", e->where);
	json_reading(j, "number", e->number);
	json_text(j, "taint", e->taint);
	json_string(j, "text", e->text);
	if (e->stack) {
		json_array(j, "stack");
		for (size_t i = 0; i < e->stack->n; i++)
			json_string(j, NULL, e->stack->frame[i]);
		json_end(j);
	}
	if (e->oom)
		json_oom(j, e->oom);
	if (e->fault)
		json_fault(j, e->fault, h->symbol);
	log_next_of(h, &next);
	json_string(j, "explain", next.condition);
	json_array(j, "next");
	for (size_t i = 0; i < LOG_NEXT_COMMANDS && next.command[i][0]; i++)
		json_string(j, NULL, next.command[i]);
	json_end(j);
}

void log_json_happening(struct json *j, const char *key, const struct log_happening *h)
{
	json_object(j, key);
	json_event(j, h);
	json_end(j);
}

void log_json_record(struct json *j, const char *key, const struct log_entry *e)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	const struct log_record *r = &e->record;

	json_object(j, key);
	json_u64(j, "sequence", r->sequence);
	json_moment(j, "time", e->real_ns);
	if (reading_ok(r->log_ns))
		json_double(j, "log_s", (double)r->log_ns / 1e9);
	else
		json_null(j, "log_s");
	json_string(j, "level", log_level_names[r->level]);
	json_string(j, "facility", log_facility_name(r->facility));
	if (r->caller.n)
		json_span(j, "caller", r->caller);
	else
		json_null(j, "caller");
	json_string(j, "event", e->kind < LOG_KINDS ? log_kinds[e->kind].id : NULL);
	if (buf_reserve(&text, r->text.n) < 0)
		j->error = -ENOMEM;
	else
		text.n = scan_unescape(r->text, text.data);
	json_span(j, "text", buf_span(&text));
	json_end(j);
}

static void json_group(struct json *j, const struct log_book *b, const struct log_group *g)
{
	const struct log_happening *latest = &b->happenings.v[g->latest];

	json_object(j, NULL);
	json_string(j, "kind", log_kinds[g->kind].id);
	json_string(j, "severity", log_severity_name(g->severity));
	json_prose(j, "title", latest, log_title);
	json_u64(j, "count", g->count);
	json_u64(j, "recovered_count", g->good_count);
	json_bool(j, "recovered", g->ended_well);
	json_moment(j, "first", g->first_real_ns);
	json_moment(j, "last", g->last_real_ns);
	log_json_happening(j, "latest", latest);
	json_end(j);
}

void log_json(struct json *j, const struct log_page *of, bool records)
{
	const struct log_book *b = of->book;

	json_object(j, NULL);
	json_string(j, "schema", "osprey.log/1");
	json_string(j, "version", OSPREY_VERSION);
	json_moment(j, "time", b->clock.real_ns);
	json_object(j, "log");
	json_u64(j, "records", b->all_records);
	json_moment(j, "oldest", b->oldest_real_ns);
	json_bool(j, "from_start", b->all_records && b->oldest_sequence == 0);
	json_u64(j, "lost", b->lost);
	json_u64(j, "cleared", b->cleared);
	json_double(j, "slept_s", (double)b->clock.slept_ns / 1e9);
	json_double(j, "times_unsure_by_s", (double)b->clock.unknown_ns / 1e9);
	json_end(j);
	json_array(j, "groups");
	vec_each(g, &b->groups)
		json_group(j, b, g);
	json_end(j);
	json_array(j, "events");
	vec_each(h, &b->happenings)
		log_json_happening(j, NULL, h);
	json_end(j);
	if (records) {
		json_array(j, "records");
		vec_each(e, &b->entries)
			log_json_record(j, NULL, e);
		json_end(j);
	}
	json_end(j);
}
