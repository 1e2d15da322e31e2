#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fiber.h"
#include "history.h"
#include "scheduler.h"

#define MOST_FIBERS_HERE HISTORY_FIBERS
#define MOST_OBJECTS 3
#define MOST_OPS 7
#define PATIENCE_NS INT64_C(30000000000)

/* How long an operation may wait. */
enum patience { FOREVER, PASSED, SHORT, NOT_AT_ALL };

struct op {
	enum action action;
	enum patience patience;
	uint8_t object, other;	/* a select has two */
	bool select;
	enum action other_action;
	uint8_t amount;
	uint16_t short_ns;
	bool left_out;		/* when a failing program is made smaller */
};

struct program {
	uint64_t seed;
	unsigned nfibers, nobjects, nops[MOST_FIBERS_HERE];
	struct op ops[MOST_FIBERS_HERE][MOST_OPS];
	enum object_kind kinds[MOST_OBJECTS];
	unsigned capacities[MOST_OBJECTS];
	int closer[MOST_OBJECTS];	/* of a channel: the only sender, who may close it; -1: all send */
	bool lingers[MOST_FIBERS_HERE];	/* it keeps what it holds until it is cancelled */
	bool cancelled_early;
	uint16_t cancel_ns;
};

union object {
	struct rt_chan *channel;
	struct rt_mutex mutex;
	struct rt_rwlock rwlock;
	struct rt_semaphore semaphore;
	struct rt_event event;
};

struct record {
	const struct op *op;
	unsigned number;
	int r, chosen;		/* of a select: which */
	int64_t value[2];
	uint64_t begin, end;
	int waited[MOST_FIBERS_HERE];	/* when it began: the record of what each fiber waited for, or -1 */
};

struct actor {
	struct run *run;
	int number;
	struct fiber *_Atomic fiber;
	_Atomic unsigned steps;		/* grows with each begin and end of an operation */
	_Atomic bool forever;		/* what it does has no deadline */
	_Atomic bool over;
	_Atomic unsigned n;
	struct record records[2 * MOST_OPS];
	bool holds[MOST_OBJECTS][2];	/* as a writer or owner; as a reader */
};

struct run {
	const struct program *program;
	union object objects[MOST_OBJECTS];
	struct actor actors[MOST_FIBERS_HERE];
	_Atomic uint64_t clock;
	uint64_t quiet;
	_Atomic unsigned early, wrong;
};

/* -- making a program */

static void make_channel_op(struct luck *l, struct program *p, struct op *op, unsigned f)
{
	bool sends = below(l, 2);

	if (p->closer[op->object] >= 0)
		sends = (int)f == p->closer[op->object];
	op->action = sends ? SEND : RECEIVE;
	if (sends && p->closer[op->object] >= 0 && below(l, 6) == 0)
		op->action = CLOSE;
	else if (below(l, 12) == 0)
		op->action = LENGTH;
}

static void make_op(struct luck *l, struct program *p, struct op *op, unsigned f)
{
	*op = (struct op){ .object = (uint8_t)below(l, p->nobjects), .amount = (uint8_t)(1 + below(l, 2)),
			   .short_ns = (uint16_t)below(l, 60000) };
	uint32_t luck = below(l, 10);
	op->patience = luck < 5 ? FOREVER : luck < 7 ? NOT_AT_ALL : luck < 8 ? PASSED : SHORT;
	switch (p->kinds[op->object]) {
	case CHANNEL:
		make_channel_op(l, p, op, f);
		op->other = (uint8_t)below(l, p->nobjects);
		if (op->action <= RECEIVE && p->kinds[op->other] == CHANNEL && below(l, 3) == 0) {
			struct op other = { .object = op->other };
			make_channel_op(l, p, &other, f);
			op->select = other.action <= RECEIVE;
			op->other_action = other.action;
		}
		break;
	case MUTEX:
		op->action = below(l, 2) ? LOCK : UNLOCK;
		break;
	case RWLOCK:
		op->action = READ_LOCK + below(l, 4);
		break;
	case SEMAPHORE:
		op->action = below(l, 2) ? TAKE : POST;
		break;
	case EVENT:
		luck = below(l, 8);
		op->action = luck < 4 ? WAIT : luck < 6 ? SET : luck < 7 ? RESET : IS_SET;
		break;
	}
}

static void make(struct program *p, uint64_t seed)
{
	struct luck l = luck_of(seed);

	*p = (struct program){ .seed = seed, .nfibers = 2 + below(&l, 3), .nobjects = 1 + below(&l, MOST_OBJECTS) };
	/* In half of them all objects are of one kind, as a rule channels: so these come into rarer
	 * states. */
	uint32_t luck = below(&l, 4);
	enum object_kind only = luck == 0 ? CHANNEL : (enum object_kind)below(&l, EVENT + 1);
	for (unsigned i = 0; i < p->nobjects; i++) {
		p->kinds[i] = luck < 2 ? only : (enum object_kind)below(&l, EVENT + 1);
		p->capacities[i] = p->kinds[i] == SEMAPHORE ? below(&l, 3) : below(&l, 4);
		p->closer[i] = below(&l, 3) ? -1 : (int)below(&l, p->nfibers);
	}
	for (unsigned f = 0; f < p->nfibers; f++) {
		p->nops[f] = 2 + below(&l, MOST_OPS - 1);
		p->lingers[f] = below(&l, 3) == 0;
		for (unsigned i = 0; i < p->nops[f]; i++)
			make_op(&l, p, &p->ops[f][i], f);
	}
	p->cancelled_early = below(&l, 4) == 0;
	p->cancel_ns = (uint16_t)below(&l, 65000);
}

static void show_program(const struct program *p, FILE *to)
{
	static const char *const patiences[] = { "", ", deadline passed", ", short deadline", ", try" };

	fprintf(to, "program %" PRIu64 "%s\n", p->seed, p->cancelled_early ? ", cancelled early" : "");
	for (unsigned f = 0; f < p->nfibers; f++) {
		fprintf(to, "  fiber %u:", f);
		for (unsigned i = 0; i < p->nops[f]; i++) {
			const struct op *op = &p->ops[f][i];
			if (op->left_out)
				continue;
			fprintf(to, " %u: %s %u", i, action_names[op->action], op->object);
			if (op->select)
				fprintf(to, " or %s %u", action_names[op->other_action], op->other);
			fprintf(to, "%s;", patiences[op->patience]);
		}
		fprintf(to, "%s\n", p->lingers[f] ? " linger" : "");
	}
}

/* -- running it */

static int64_t deadline_of(const struct op *op)
{
	return op->patience == FOREVER ? RT_FOREVER : op->patience == SHORT ? rt_now() + op->short_ns : 0;
}

static struct rt_case case_of(struct run *run, enum action action, unsigned object, int64_t *value)
{
	struct rt_case k = { .chan = run->objects[object].channel };

	if (action == SEND)
		k.send = value;
	else
		k.receive = value;
	return k;
}

static int do_select(struct run *run, const struct op *op, struct record *r, int64_t deadline)
{
	struct rt_case cases[] = { case_of(run, op->action, op->object, &r->value[0]),
				   case_of(run, op->other_action, op->other, &r->value[1]) };
	int at = rt_select(cases, 2, deadline);

	r->chosen = at;
	return at < 0 ? at : cases[at].result;
}

/* What it returns is as the library's functions do; -EAGAIN also where these say false. */
static int perform(struct run *run, const struct op *op, struct record *r, int64_t deadline)
{
	union object *o = &run->objects[op->object];
	bool try = op->patience == NOT_AT_ALL;

	if (op->select)
		return do_select(run, op, r, deadline);
	switch (op->action) {
	case SEND: return try ? rt_try_send(o->channel, &r->value[0]) : rt_send(o->channel, &r->value[0], deadline);
	case RECEIVE: return try ? rt_try_receive(o->channel, &r->value[0]) : rt_receive(o->channel, &r->value[0], deadline);
	case CLOSE: rt_close(o->channel); return 0;
	case LENGTH: r->value[0] = (int64_t)rt_chan_length(o->channel); return 0;
	case LOCK: return try ? rt_try_lock(&o->mutex) ? 0 : -EAGAIN : rt_lock(&o->mutex, deadline);
	case UNLOCK: rt_unlock(&o->mutex); return 0;
	case READ_LOCK: return rt_read_lock(&o->rwlock, deadline);
	case READ_UNLOCK: rt_read_unlock(&o->rwlock); return 0;
	case WRITE_LOCK: return rt_write_lock(&o->rwlock, deadline);
	case WRITE_UNLOCK: rt_write_unlock(&o->rwlock); return 0;
	case TAKE: return try ? rt_semaphore_try(&o->semaphore, op->amount) ? 0 : -EAGAIN : rt_semaphore_wait(&o->semaphore, op->amount, deadline);
	case POST: rt_semaphore_post(&o->semaphore, op->amount); return 0;
	case WAIT: return rt_event_wait(&o->event, deadline);
	case SET: rt_event_set(&o->event); return 0;
	case RESET: rt_event_reset(&o->event); return 0;
	case IS_SET: r->value[0] = rt_event_is_set(&o->event); return 0;
	default: return -EINVAL;
	}
}

/* What would be misuse is not done. */
static bool allowed(struct actor *a, const struct op *op, const bool *closed)
{
	bool *holds = a->holds[op->object];

	switch (op->action) {
	case LOCK: case READ_LOCK: case WRITE_LOCK: return !holds[0] && !holds[1];
	case UNLOCK: case WRITE_UNLOCK: return holds[0];
	case READ_UNLOCK: return holds[1];
	case SEND: case CLOSE: return !closed[op->object] && !(op->select && op->other_action == SEND && closed[op->other]);
	default: return !(op->select && op->other_action == SEND && closed[op->other]);
	}
}

/* What it waits for just now, surely in a list by then; -1: nothing. */
static int waits_for(struct actor *a)
{
	struct fiber *f = a->fiber;
	unsigned steps = a->steps, n = a->n;

	if (!f || steps % 2 == 0 || atomic_load(&f->state) != FIBER_PARKED)
		return -1;
	const struct op *op = a->records[n].op;
	return a->steps == steps && op && !op->select ? (int)n : -1;
}

static int step(struct actor *a, const struct op *op, unsigned number)
{
	struct run *run = a->run;
	struct record *r = &a->records[a->n];
	bool *holds = a->holds[op->object];

	*r = (struct record){ .op = op, .number = number };
	if (op->action == SEND || (op->select && op->other_action == SEND))
		r->value[0] = r->value[1] = a->number * 1000 + (int64_t)number * 10;
	if (op->action == TAKE || op->action == POST)
		r->value[0] = op->amount;
	atomic_store(&a->forever, op->patience == FOREVER);
	int64_t deadline = deadline_of(op);
	for (unsigned i = 0; i < run->program->nfibers; i++)
		r->waited[i] = waits_for(&run->actors[i]);
	r->begin = atomic_fetch_add(&run->clock, 1);
	atomic_fetch_add(&a->steps, 1);
	r->r = perform(run, op, r, deadline);
	r->end = atomic_fetch_add(&run->clock, 1);
	atomic_fetch_add(&a->steps, 1);
	if (r->r == -ETIMEDOUT && rt_now() < deadline)
		run->early++;
	if (op->action == LOCK || op->action == WRITE_LOCK || op->action == UNLOCK || op->action == WRITE_UNLOCK)
		holds[0] = (op->action == LOCK || op->action == WRITE_LOCK) && r->r == 0;
	if (op->action == READ_LOCK || op->action == READ_UNLOCK)
		holds[1] = op->action == READ_LOCK && r->r == 0;
	a->n++;
	return r->r;
}

/* Locks are given back at the end, whatever happened. */
static void let_go(struct actor *a)
{
	static const struct op unlock = { .action = UNLOCK }, write_unlock = { .action = WRITE_UNLOCK },
			       read_unlock = { .action = READ_UNLOCK };
	static struct op ops[MOST_OBJECTS][3];

	for (unsigned i = 0; i < a->run->program->nobjects; i++) {
		enum object_kind kind = a->run->program->kinds[i];
		const struct op *of[] = { kind == MUTEX ? &unlock : &write_unlock, &read_unlock };
		for (int k = 0; k < 2; k++) {
			if (!a->holds[i][k])
				continue;
			struct op *op = &ops[i][kind == MUTEX ? 0 : 1 + k];
			*op = *of[k];
			op->object = (uint8_t)i;
			step(a, op, 90 + i);
		}
	}
}

static int act(void *arg)
{
	struct actor *a = arg;
	const struct program *p = a->run->program;
	bool closed[MOST_OBJECTS] = { false };

	a->fiber = thread_self()->running;
	for (unsigned i = 0; i < p->nops[a->number]; i++) {
		const struct op *op = &p->ops[a->number][i];
		if (op->left_out || !allowed(a, op, closed))
			continue;
		if (step(a, op, i) == -ECANCELED)
			break;
		if (op->action == CLOSE)
			closed[op->object] = true;
	}
	if (p->lingers[a->number]) {
		a->forever = true;
		a->steps++;
		rt_sleep_until(RT_FOREVER);
		a->steps++;
	}
	let_go(a);
	a->over = true;
	return 0;
}

/* All that are not over wait, without a deadline; and did so when they were looked at before. */
static bool is_quiet(struct run *run, unsigned *steps)
{
	bool same = true;

	for (unsigned i = 0; i < run->program->nfibers; i++) {
		struct actor *a = &run->actors[i];
		struct fiber *f = a->fiber;
		unsigned now = a->steps;
		if (!a->over && (!f || !a->forever || atomic_load(&f->state) != FIBER_PARKED))
			return false;
		same &= now == steps[i];
		steps[i] = now;
	}
	return same;
}

static bool all_over(const struct run *run)
{
	for (unsigned i = 0; i < run->program->nfibers; i++)
		if (!run->actors[i].over)
			return false;
	return true;
}

static bool create_objects(struct run *run)
{
	const struct program *p = run->program;

	for (unsigned i = 0; i < p->nobjects; i++) {
		if (p->kinds[i] == CHANNEL && rt_chan_new(sizeof(int64_t), p->capacities[i], &run->objects[i].channel) < 0)
			return false;
		if (p->kinds[i] == SEMAPHORE)
			rt_semaphore_init(&run->objects[i].semaphore, p->capacities[i]);
	}
	return true;
}

/* False: it goes on for ever, though nobody has anything to do. */
static bool supervise(struct run *run, struct rt_scope *scope)
{
	int64_t start = rt_now();
	unsigned steps[MOST_FIBERS_HERE] = { 0 };
	int quiet = 0;

	if (run->program->cancelled_early) {
		rt_sleep(run->program->cancel_ns);
	} else {
		while (!all_over(run) && quiet < 3) {
			rt_sleep(20000);
			quiet = is_quiet(run, steps) ? quiet + 1 : 0;
			if (rt_now() - start > PATIENCE_NS)
				return false;
		}
		run->quiet = atomic_fetch_add(&run->clock, 1);
	}
	rt_scope_cancel(scope);
	return rt_scope_close(scope) == 0;
}

static bool run_once(struct run *run, const struct program *p)
{
	struct rt_scope scope;

	memset(run, 0, sizeof *run);
	run->program = p;
	run->quiet = UINT64_MAX;
	if (!create_objects(run))
		abort();
	rt_scope_open(&scope, RT_FOREVER);
	for (unsigned i = 0; i < p->nfibers; i++) {
		run->actors[i].run = run;
		run->actors[i].number = (int)i;
		if (rt_scope_go(&scope, act, &run->actors[i]) < 0)
			abort();
	}
	bool ended = supervise(run, &scope);
	for (unsigned i = 0; ended && i < p->nobjects; i++)
		if (p->kinds[i] == CHANNEL)
			rt_chan_free(run->objects[i].channel);
	return ended;
}

/* -- what came of it */

/* With a deadline that has passed a select only looks; the rest wait for a moment, as do those that there is
 * no trying of. */
static bool waits(const struct op *op)
{
	if (op->action == READ_LOCK || op->action == WRITE_LOCK || op->action == WAIT)
		return true;
	return op->patience != NOT_AT_ALL && !(op->select && op->patience == PASSED);
}

static void add_event(struct history *h, const struct run *run, int fiber, const struct record *r, enum action action, int64_t value,
		      bool chosen)
{
	struct event *e = &h->events[h->n++];
	int result = chosen || r->r == -EAGAIN || r->r == -ETIMEDOUT || r->r == -ECANCELED ? r->r : -EAGAIN;

	*e = (struct event){ .action = action, .outcome = result == 0 ? DONE : result == -EPIPE ? CLOSED : WOULD_WAIT, .fiber = fiber,
			     .waits = waits(r->op), .value = value, .begin = r->begin,
			     .end = r->end, .op = r->number, .record = (int)(r - run->actors[fiber].records) };
	memcpy(e->waited, r->waited, sizeof e->waited);
	/* What came of it later, when the rest was cancelled, is not looked at. */
	e->pending = run->quiet != UINT64_MAX && r->begin < run->quiet && r->end > run->quiet;
}

static void history_of(struct history *h, const struct run *run, unsigned object)
{
	*h = (struct history){ .kind = run->program->kinds[object], .capacity = run->program->capacities[object], .quiet = run->quiet };
	for (unsigned f = 0; f < run->program->nfibers; f++)
		for (unsigned i = 0; i < run->actors[f].n; i++) {
			const struct record *r = &run->actors[f].records[i];
			bool went = (r->r == 0 || r->r == -EPIPE) && r->end < run->quiet;
			/* The cases that a select did not take it may not even have looked at. */
			if (r->op->object == object && !(r->op->select && went && r->chosen != 0))
				add_event(h, run, (int)f, r, r->op->action, r->value[0], true);
			if (r->op->select && r->op->other == object && !(went && r->chosen != 1))
				add_event(h, run, (int)f, r, r->op->other_action, r->value[1], true);
		}
	history_order(h);
}

/* NULL: all is well. */
static const char *judge(const struct run *run, FILE *to)
{
	const char *wrong = run->early ? "a deadline came early" : NULL;

	for (unsigned i = 0; i < run->program->nobjects && !wrong; i++) {
		struct history h;
		history_of(&h, run, i);
		wrong = history_check(&h);
		if (wrong && to)
			history_show(&h, to);
	}
	return wrong;
}

static bool fails(struct run *run, const struct program *p, unsigned tries)
{
	for (unsigned i = 0; i < tries; i++)
		if (run_once(run, p) && judge(run, NULL))
			return true;
	return false;
}

/* Leaves out what is not needed to fail, as far as chance shows it. */
static void shrink(struct run *run, struct program *p)
{
	for (unsigned f = 0; f < p->nfibers; f++)
		for (unsigned i = 0; i < p->nops[f]; i++) {
			p->ops[f][i].left_out = true;
			p->ops[f][i].left_out = fails(run, p, 2000);
		}
}

bool small_run(uint64_t seed, unsigned tries)
{
	static struct run run;
	struct program p;

	make(&p, seed);
	for (unsigned i = 0; i < tries; i++) {
		if (!run_once(&run, &p)) {
			show_program(&p, stderr);
			fprintf(stderr, "it does not end, and its fibers neither run nor wait\n");
			abort();
		}
		const char *wrong = judge(&run, NULL);
		if (!wrong)
			continue;
		show_program(&p, stderr);
		judge(&run, stderr);
		fprintf(stderr, "  %s\n", wrong);
		shrink(&run, &p);
		if (fails(&run, &p, 5000)) {
			fprintf(stderr, "smaller:\n");
			show_program(&p, stderr);
			fprintf(stderr, "  %s\n", judge(&run, stderr));
		}
		return false;
	}
	return true;
}
