#include "report/doctor.h"

static void actor(struct json *j, const char *key, const struct actor *a)
{
	if (!a->kind) {
		json_null(j, key);
		return;
	}
	json_object(j, key);
	json_string(j, "kind", a->kind);
	if (a->pid > 0)
		json_i64(j, "pid", a->pid);
	if (a->tid > 0)
		json_i64(j, "tid", a->tid);
	if (a->comm[0])
		json_string(j, "comm", a->comm);
	if (a->name[0])
		json_string(j, "name", a->name);
	if (a->command[0])
		json_string(j, "command", a->command);
	json_end(j);
}

static void evidence(struct json *j, const struct finding *f)
{
	json_array(j, "evidence");
	for (size_t i = 0; i < f->nevidence; i++) {
		const struct evidence *e = &f->evidence[i];

		json_object(j, NULL);
		json_string(j, "source", e->source);
		json_string(j, "field", e->field);
		json_double(j, "value", e->value);
		json_string(j, "unit", e->unit);
		json_string(j, "threshold", e->threshold[0] ? e->threshold : NULL);
		json_end(j);
	}
	json_end(j);
}

static void lines(struct json *j, const char *key, const char *first, size_t size, size_t n)
{
	json_array(j, key);
	for (size_t i = 0; i < n; i++)
		json_string(j, NULL, first + i * size);
	json_end(j);
}

#define LINES(j, f, member) lines(j, #member, (f)->member[0], sizeof (f)->member[0], (f)->n##member)

static void symptoms(struct json *j, const struct diagnosis *d, size_t root)
{
	json_array(j, "symptoms");
	for (size_t i = 0; i < d->findings.n; i++)
		if (i != root && finding_root(d, i) == root)
			json_string(j, NULL, d->findings.v[i].condition->id);
	json_end(j);
}

static void finding(struct json *j, const struct diagnosis *d, size_t i)
{
	const struct finding *f = &d->findings.v[i];

	json_object(j, NULL);
	json_string(j, "condition", f->condition->id);
	json_string(j, "severity", severity_name(f->severity));
	json_string(j, "title", f->title[0] ? f->title : f->condition->title);
	json_string(j, "summary", f->summary);
	json_string(j, "resource", f->condition->resource);
	json_object(j, "lost");
	json_double(j, "task_s_per_s", f->lost_task_s_per_s);
	json_bool(j, "estimated", f->lost_estimated);
	json_end(j);
	json_double(j, "exhausted_in_s", f->exhausted_in_s);
	json_double(j, "since_s", f->since_s);
	json_double(j, "named_after_s", f->named_after_s);
	json_double(j, "confidence", f->confidence);
	actor(j, "victim", &f->victim);
	actor(j, "culprit", &f->culprit);
	evidence(j, f);
	LINES(j, f, proof);
	LINES(j, f, where);
	symptoms(j, d, i);
	LINES(j, f, confirm);
	LINES(j, f, mend);
	json_string(j, "guide", f->condition->id);
	json_end(j);
}

static void host(struct json *j, const struct doctor_report *r)
{
	const struct topology *t = &r->topology;

	json_object(j, "host");
	json_string(j, "hostname", t->hostname[0] ? t->hostname : NULL);
	json_string(j, "kernel", t->kernel[0] ? t->kernel : NULL);
	json_string(j, "cpu_model", t->model[0] ? t->model : NULL);
	json_u64(j, "cpus", t->cpus);
	json_u64(j, "numa_nodes", t->nodes);
	json_reading(j, "memory_bytes", r->counters.memory.total_bytes);
	json_reading(j, "available_bytes", r->counters.memory.available_bytes);
	json_reading(j, "swap_bytes", r->counters.memory.swap_total_bytes);
	json_double(j, "load1", reading_value(r->counters.load.load1_milli) / 1000);
	json_u64(j, "processes", r->processes);
	json_u64(j, "tasks", r->tasks);
	json_end(j);
}

static void abilities(struct json *j, const struct abilities *a)
{
	json_object(j, "abilities");
	json_bool(j, "root", a->root);
	json_string(j, "tasks_from", a->bpf_tasks ? "bpf" : "proc");
	json_string(j, "no_bpf_because", a->bpf_tasks || !a->bpf_note.text[0] ? NULL : a->bpf_note.text);
	json_bool(j, "forks_exact", a->forks_exact);
	json_string(j, "kernel_log", presence_name(a->kernel_log));
	json_bool(j, "processes_hidden", a->hidepid);
	json_end(j);
}

static void remarks(struct json *j, const char *key, const char *text_key, const remark_vec *list)
{
	json_array(j, key);
	for (size_t i = 0; i < list->n; i++) {
		json_object(j, NULL);
		json_string(j, "condition", list->v[i].condition->id);
		json_string(j, text_key, list->v[i].text);
		json_end(j);
	}
	json_end(j);
}

int doctor_json(struct buf *ret, const struct doctor_view *v)
{
	const struct doctor_report *r = v->report;
	const struct diagnosis *d = &r->diagnosis;
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.doctor/1");
	json_string(&j, "version", OSPREY_VERSION);
	host(&j, r);
	abilities(&j, &r->abilities);
	json_double(&j, "started_at", (double)r->from.real_ns / 1e9);
	json_double(&j, "window_s", r->seconds);
	json_bool(&j, "interrupted", v->interrupted);
	json_bool(&j, "replayed", v->replayed);
	json_array(&j, "findings");
	for (size_t i = 0; i < d->nroots; i++)
		finding(&j, d, i);
	json_end(&j);
	json_array(&j, "absorbed");
	for (size_t i = d->nroots; i < d->findings.n; i++)
		finding(&j, d, i);
	json_end(&j);
	remarks(&j, "cleared", "reason", &d->cleared);
	remarks(&j, "unmeasured", "needs", &d->unmeasured);
	json_object(&j, "cost");
	json_double(&j, "cpu_ms", r->cost.cpu_ms);
	json_u64(&j, "peak_rss_kib", r->cost.peak_rss_kib);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}
