#include <errno.h>

#include "dig/image/core_dump.h"
#include "report/fiber.h"
#include "report/goroutine.h"
#include "report/stack.h"
#include "source/process/wait_words.h"

static void put_symbol(struct json *j, const struct symbol *s, uint64_t pc, bool guessed)
{
	json_object(j, NULL);
	json_address(j, "address", pc);
	json_string(j, "function", s->function[0] ? s->function : NULL);
	json_u64(j, "offset", s->offset);
	json_string(j, "module", s->module[0] ? s->module : NULL);
	json_string(j, "file", s->file);
	if (s->line)
		json_u64(j, "line", s->line);
	else
		json_null(j, "line");
	json_bool(j, "inlined", s->inlined);
	json_bool(j, "guessed", guessed);
	json_end(j);
}

static void put_kernel(struct json *j, const struct stack_report *report, const struct thread_stack *t)
{
	struct span text = span_from(t->kernel_text ? t->kernel_text : ""), line;
	const struct symbol *s;

	json_array(j, "kernel_frames");
	for (size_t i = 0; i < t->nkernel; i++) {
		if (symbolize_kernel(report->symbolizer, t->kernel[i], &s) < 0) {
			j->error = -ENOMEM;
			break;
		}
		put_symbol(j, s, t->kernel[i], false);
	}
	while (span_line(&text, &line)) {
		json_object(j, NULL);
		json_span(j, "function", line);
		json_end(j);
	}
	json_end(j);
}

void stack_frames_json(struct json *j, const char *key, const struct stack_report *report, const struct thread_stack *t)
{
	json_array(j, key);
	for (size_t i = 0; i < t->nframes; i++) {
		const struct symbol *s;
		size_t n;
		if (symbolize(report->symbolizer, report->stacks->space, t->frames[i].pc, t->frames[i].exact,
			      &s, &n) < 0) {
			j->error = -ENOMEM;
			break;
		}
		for (size_t k = 0; k < n; k++)
			put_symbol(j, &s[k], t->frames[i].pc, t->frames[i].guessed);
	}
	json_end(j);
}

static void put_thread(struct json *j, const struct stack_report *report, size_t at)
{
	const struct thread_stack *t = &report->stacks->threads.v[at];
	const struct thread_wait *w = &report->waits[at];
	char state[2] = { t->state, '\0' };

	json_object(j, NULL);
	json_i64(j, "tid", t->tid);
	json_string(j, "name", t->comm);
	json_string(j, "state", t->state ? state : NULL);
	json_string(j, "read_by", stack_way_words(t->way));
	json_bool(j, "running", t->on_cpu || t->way == STACK_PERF);
	json_bool(j, "torn", t->torn);
	const struct syscall_words *call = t->syscall >= 0 ? syscall_words(t->syscall) : NULL;
	json_string(j, "syscall", call ? call->name : NULL);
	json_string(j, "waits", w->what[0] ? w->what : NULL);
	if (w->lock_address)
		json_address(j, "lock", w->lock_address);
	else
		json_null(j, "lock");
	if (w->owner_tid)
		json_i64(j, "lock_owner", w->owner_tid);
	else
		json_null(j, "lock_owner");
	if (t->signal)
		json_i64(j, "signal", t->signal);
	json_end(j);
}

void stack_json(struct json *j, const char *key, const struct stack_report *report,
		const struct goroutine_stacks *goroutines, const struct fiber_report *fibers)
{
	const struct process_stacks *s = report->stacks;

	json_object(j, key);
	json_string(j, "schema", "osprey.stack/1");
	json_i64(j, "pid", s->core ? s->core->pid : s->pid);
	json_string(j, "name", s->comm);
	json_u64(j, "threads", s->threads.n);
	json_u64(j, "stopped_threads", s->stopped);
	json_u64(j, "pause_ns", s->pause_ns);
	json_string(j, "why_no_bpf", s->why_no_bpf[0] ? s->why_no_bpf : NULL);
	json_string(j, "why_no_kernel_names", symbolizer_kernel_why(report->symbolizer));
	if (s->core) {
		json_u64(j, "core_missing_bytes", s->core->missing_bytes);
		json_string(j, "core_other_file", s->core->other_file);
	}
	json_array(j, "stacks");
	vec_each(g, &report->groups->groups) {
		const struct thread_stack *t = &s->threads.v[g->member[0]];
		json_object(j, NULL);
		json_array(j, "threads");
		for (size_t i = 0; i < g->n; i++)
			put_thread(j, report, g->member[i]);
		json_end(j);
		put_kernel(j, report, t);
		stack_frames_json(j, "frames", report, t);
		json_string(j, "ends", t->nframes ? unwind_end_words(t->end) : NULL);
		json_end(j);
	}
	json_end(j);
	if (goroutines)
		goroutine_json(j, "goroutines", report, goroutines);
	if (fibers)
		fiber_json(j, "fibers", fibers);
	json_end(j);
}
