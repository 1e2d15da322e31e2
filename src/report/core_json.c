#include "base/json.h"
#include "report/core.h"

static void put_pauses(struct json *j, const struct core_result *r)
{
	static const char *const names[] = { "set_up_one_thread_ns", "all_threads_ns", "reap_one_thread_ns" };

	json_object(j, "pauses");
	for (unsigned i = 0; i < CORE_PAUSES; i++) {
		if (r->pause_ns[i])
			json_u64(j, names[i], r->pause_ns[i]);
		else
			json_null(j, names[i]);
	}
	json_end(j);
}

static void put_why_not(struct json *j, const struct core_result *r)
{
	json_object(j, "why_not");
	for (unsigned m = CORE_METHOD_PRECOPY; m <= CORE_METHOD_PLAIN; m++) {
		if (r->why_not[m][0])
			json_string(j, core_method_name((enum core_method)m), r->why_not[m]);
	}
	json_end(j);
}

int core_json(struct buf *ret, const struct core_view *v)
{
	const struct core_result *r = v->result;
	struct json j = { .out = ret };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.core/1");
	json_string(&j, "file", v->path);
	json_u64(&j, "pid", (uint64_t)r->pid);
	json_string(&j, "name", r->name);
	json_string(&j, "method", core_method_name(r->method));
	put_why_not(&j, r);
	put_pauses(&j, r);
	json_u64(&j, "threads", r->threads);
	json_u64(&j, "restarted_calls", r->restarted);
	json_u64(&j, "passes", r->passes);
	json_u64(&j, "segments", r->segments);
	json_u64(&j, "resident_bytes", r->resident_bytes);
	json_u64(&j, "copied_bytes", r->copied_bytes);
	json_u64(&j, "copied_in_stop_bytes", r->stopped_bytes);
	json_u64(&j, "unreadable_bytes", r->unreadable_bytes);
	json_u64(&j, "file_bytes", r->file_bytes);
	if (r->disk_bytes)
		json_u64(&j, "disk_bytes", r->disk_bytes);
	else
		json_null(&j, "disk_bytes");
	json_bool(&j, "compressed", v->compressed);
	json_u64(&j, "wall_ns", r->wall_ns);
	json_end(&j);
	return json_finish(&j);
}
