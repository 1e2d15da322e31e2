#include <string.h>

#include "act/tune_apply.h"
#include "base/json.h"
#include "report/tune.h"

static void proof(struct json *j, const struct tune_advice *a)
{
	json_array(j, "evidence");
	for (size_t i = 0; i < a->nproof; i++) {
		const struct evidence *e = &a->proof[i];

		json_object(j, NULL);
		json_string(j, "field", e->field);
		json_double(j, "value", e->value);
		json_string(j, "unit", e->unit);
		json_string(j, "threshold", e->threshold[0] ? e->threshold : NULL);
		json_string(j, "source", e->source);
		json_end(j);
	}
	json_end(j);
}

static void place(struct json *j, const struct tune_place *p)
{
	json_string(j, "disk", p->scope == SCOPE_DISK ? p->disk.name : NULL);
	if (p->scope == SCOPE_NET) {
		json_u64(j, "net_ns", p->net.inode);
		json_i64(j, "net_ns_pid", p->net.pid);
	} else {
		json_null(j, "net_ns");
		json_null(j, "net_ns_pid");
	}
}

static void commands(struct json *j, const struct tune_result *r, const struct tune_item *i)
{
	const struct tune_place *p = tune_item_place(r, i);
	char text[320], file[96];

	tune_command(i, p, text, sizeof text);
	json_string(j, "command", text);
	tune_undo_command(i, p, text, sizeof text);
	json_string(j, "undo", text);
	tune_permanent(i, p, file, sizeof file, text, sizeof text);
	json_string(j, "permanent", text);
	json_string(j, "permanent_file", file);
}

static void explanation(struct json *j, const struct tunable *t)
{
	json_string(j, "unit", t->unit[0] ? t->unit : NULL);
	json_string(j, "what", t->what);
	json_string(j, "default", t->normal);
	json_array(j, "roles");
	for (unsigned bit = 1; bit < ROLE_ANY; bit <<= 1)
		if (t->roles & bit)
			json_string(j, NULL, tune_role_name((enum tune_role)bit));
	json_end(j);
	json_string(j, "risk", t->risk);
	json_string(j, "since", t->since);
	json_string(j, "documentation", t->doc);
}

static void item(struct json *j, const struct tune_result *r, const struct tune_item *i)
{
	const struct tune_value *v = tune_item_value(r, i);
	bool acts = i->advice.value[0];
	char value[192], path[160];

	tune_value_short(i->tunable, v, value, sizeof value);
	tunable_path(i->tunable, tune_item_place(r, i)->disk.name, path, sizeof path);
	json_object(j, NULL);
	json_string(j, "name", i->tunable->name);
	json_string(j, "path", path);
	place(j, tune_item_place(r, i));
	json_string(j, "value", v->error ? NULL : value);
	json_string(j, "verdict", tune_verdict_name(i->advice.verdict));
	json_string(j, "advised", acts ? i->advice.value : NULL);
	json_string(j, "because", i->advice.because);
	proof(j, &i->advice);
	json_string(j, "effect", i->advice.effect[0] ? i->advice.effect : NULL);
	if (acts)
		commands(j, r, i);
	explanation(j, i->tunable);
	json_end(j);
}

static void host(struct json *j, const struct tune_view *v)
{
	const struct tune_result *r = v->result;

	json_object(j, "host");
	json_string(j, "hostname", r->topology.hostname);
	json_string(j, "kernel", r->topology.kernel);
	json_u64(j, "cpus", r->topology.cpus);
	json_u64(j, "numa_nodes", r->topology.nodes);
	json_double(j, "memory_bytes", r->seen.total_bytes);
	json_double(j, "up_s", (double)r->seen.boot_ns / 1e9);
	json_end(j);
	json_double(j, "window_s", r->seen.seconds);
	json_bool(j, "interrupted", v->interrupted);
	json_bool(j, "replayed", v->replayed);
	json_bool(j, "root", r->root);
	json_object(j, "role");
	json_string(j, "name", tune_role_name(r->roles.first));
	json_bool(j, "guessed", !r->roles.given);
	json_string(j, "because", r->roles.given ? NULL : r->roles.why);
	json_end(j);
}

int tune_json(struct buf *ret, const struct tune_view *v)
{
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.tune/1");
	json_string(&j, "version", OSPREY_VERSION);
	host(&j, v);
	json_object(&j, "counts");
	json_u64(&j, "change", tune_tally(v, TUNE_CHANGE));
	json_u64(&j, "dangerous", tune_tally(v, TUNE_DANGER));
	json_u64(&j, "look_elsewhere", tune_tally(v, TUNE_ELSEWHERE));
	json_u64(&j, "keep", tune_tally(v, TUNE_KEEP));
	json_u64(&j, "not_readable", tune_tally(v, TUNE_UNREAD));
	json_end(&j);
	json_array(&j, "tunables");
	vec_each(i, &v->result->items)
		if (tune_told(v, i))
			item(&j, v->result, i);
	json_end(&j);
	json_end(&j);
	return json_finish(&j);
}
