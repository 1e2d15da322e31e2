#include "history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const action_names[ACTIONS] = {
	"send", "receive", "close", "length", "lock", "unlock", "read_lock", "read_unlock", "write_lock", "write_unlock",
	"take", "post", "wait", "set", "reset", "is_set",
};

#define MOST_INSIDE 8

/* What the object is like between two operations. */
struct state {
	uint64_t done;		/* a bit for each event that has had its effect */
	int64_t inside[MOST_INSIDE];
	uint8_t length;
	bool closed, set;
	int8_t owner;		/* of a mutex, the writer of a lock; -1: none */
	uint8_t readers;
	int32_t count;
};

#define SEEN (1u << 14)

struct search {
	const struct history *h;
	struct state *seen;
	bool *used;
	unsigned nseen;
	bool stuck_wrongly;	/* a sequence explains all but that somebody waits */
};

static bool seen_before(struct search *s, const struct state *state)
{
	uint64_t hash = 14695981039346656037u;
	const unsigned char *bytes = (const unsigned char *)state;

	for (size_t i = 0; i < sizeof *state; i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	for (uint64_t i = hash;; i++) {
		uint64_t at = i % SEEN;
		if (!s->used[at]) {
			if (s->nseen < SEEN / 2) {
				s->used[at] = true;
				s->seen[at] = *state;
				s->nseen++;
			}
			return false;
		}
		if (memcmp(&s->seen[at], state, sizeof *state) == 0)
			return true;
	}
}

/* Whether the operation of a semaphore may fail since another waits before it: that one wants to be served
 * first. */
static bool another_waits(const struct history *h, const struct event *e)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct event *o = &h->events[i];
		if (o != e && o->fiber != e->fiber && o->waits && o->begin < e->end && o->end > e->begin)
			return true;
	}
	return false;
}

/* One operation takes effect. False: not now. Those of a channel without room are done in pairs (meets). */
static bool apply(const struct history *h, const struct event *e, struct state *s)
{
	bool done = e->outcome == DONE;

	switch (e->action) {
	case SEND:
		if (h->capacity == 0)
			return !done && !s->closed;
		if (!done)
			return s->length == h->capacity;
		if (s->closed || s->length == h->capacity)
			return false;
		s->inside[s->length++] = e->value;
		return true;
	case RECEIVE:
		if (e->outcome == CLOSED)
			return s->closed && s->length == 0;
		if (!done)
			return s->length == 0 && !s->closed;
		if (s->length == 0 || s->inside[0] != e->value)
			return false;
		memmove(s->inside, s->inside + 1, sizeof s->inside - sizeof s->inside[0]);
		s->inside[MOST_INSIDE - 1] = 0;
		s->length--;
		return true;
	case CLOSE:
		if (s->closed)
			return false;
		return s->closed = true;
	case LENGTH:
		return s->length == e->value;
	case LOCK:
		if (!done)
			return s->owner >= 0;
		if (s->owner >= 0)
			return false;
		s->owner = (int8_t)e->fiber;
		return true;
	case UNLOCK:
	case WRITE_UNLOCK:
		if (s->owner != e->fiber)
			return false;
		s->owner = -1;
		return true;
	case READ_LOCK:
		if (!done)
			return s->owner >= 0 || another_waits(h, e);
		if (s->owner >= 0)
			return false;
		s->readers++;
		return true;
	case READ_UNLOCK:
		return s->readers-- > 0;
	case WRITE_LOCK:
		if (!done)
			return s->owner >= 0 || s->readers || another_waits(h, e);
		if (s->owner >= 0 || s->readers)
			return false;
		s->owner = (int8_t)e->fiber;
		return true;
	case TAKE:
		if (!done)
			return s->count < e->value || another_waits(h, e);
		if (s->count < e->value)
			return false;
		s->count -= (int32_t)e->value;
		return true;
	case POST:
		s->count += (int32_t)e->value;
		return true;
	case WAIT:
		return done == s->set;
	case SET:
		return s->set = true;
	case RESET:
		s->set = false;
		return true;
	case IS_SET:
		return s->set == (e->value != 0);
	default:
		return false;
	}
}

static bool same_list(const struct history *h, enum action a, enum action b)
{
	if (h->kind == RWLOCK)
		return (a == READ_LOCK || a == WRITE_LOCK) && (b == READ_LOCK || b == WRITE_LOCK);
	return a == b && (a == SEND || a == RECEIVE || a == TAKE);
}

void history_order(struct history *h)
{
	for (unsigned i = 0; i < h->n; i++)
		for (unsigned j = 0; j < h->n; j++) {
			struct event *e = &h->events[i], *first = &h->events[j];
			if (e->outcome == DONE && e->waited[first->fiber] == first->record && same_list(h, e->action, first->action) &&
			    (first->outcome == DONE || first->pending))
				e->behind |= UINT64_C(1) << j;
		}
}

static bool is_its_turn(const struct event *e, uint64_t done)
{
	return (e->behind & ~done) == 0;
}

static bool meets(const struct history *h, const struct event *a, const struct event *b)
{
	return h->capacity == 0 && a->action == SEND && b->action == RECEIVE && a->outcome == DONE && b->outcome == DONE &&
	       a->value == b->value && a->fiber != b->fiber && (a->waits || b->waits);
}

/* Whether one that waits could go on by itself, were it the only one. */
static bool could_go_on(const struct history *h, const struct event *e, const struct state *s)
{
	struct state copy = *s;
	struct event would = *e;

	would.outcome = DONE;
	if (e->action == RECEIVE) {
		if (s->closed)
			return true;
		would.value = s->inside[0];
	}
	if (e->action == SEND && h->capacity == 0)
		return false;
	return apply(h, &would, &copy);
}

/* Those that wait when nothing goes on have to. Of lists that are served in order the first one does, and the
 * rest with it. */
static bool stuck_rightly(const struct history *h, const struct state *s)
{
	bool in_order = h->kind == SEMAPHORE || h->kind == RWLOCK, some = false, all_could = true;

	for (unsigned i = 0; i < h->n; i++) {
		const struct event *e = &h->events[i];
		if (!e->pending)
			continue;
		bool could = could_go_on(h, e, s);
		some = true;
		all_could &= could;
		if (could && !in_order)
			return false;
		for (unsigned j = 0; j < h->n && e->action == SEND; j++)
			if (h->events[j].pending && h->events[j].action == RECEIVE && h->events[j].fiber != e->fiber)
				return false;
	}
	return !some || !all_could;
}

static bool explains(struct search *s, struct state *state)
{
	const struct history *h = s->h;
	uint64_t first_end = UINT64_MAX;
	bool left = false;

	for (unsigned i = 0; i < h->n; i++) {
		const struct event *e = &h->events[i];
		if (state->done >> i & 1)
			continue;
		left |= e->begin < h->quiet && !e->pending;
		first_end = e->end < first_end ? e->end : first_end;
	}
	/* All that was done until nothing went on is explained; what the cancelled do later is not looked
	 * at. */
	if (!left) {
		if (h->quiet == UINT64_MAX || stuck_rightly(h, state))
			return true;
		s->stuck_wrongly = true;
		return false;
	}
	if (seen_before(s, state))
		return false;
	for (unsigned i = 0; i < h->n; i++) {
		const struct event *e = &h->events[i];
		if ((state->done >> i & 1) || e->begin > first_end || (e->pending && h->quiet != UINT64_MAX) ||
		    !is_its_turn(e, state->done))
			continue;
		struct state next = *state;
		next.done |= UINT64_C(1) << i;
		if (h->capacity == 0 && h->kind == CHANNEL && e->action == SEND && e->outcome == DONE) {
			for (unsigned j = 0; j < h->n; j++) {
				if ((state->done >> j & 1) || h->events[j].begin > first_end || !meets(h, e, &h->events[j]) ||
				    !is_its_turn(&h->events[j], state->done) || state->closed)
					continue;
				struct state both = next;
				both.done |= UINT64_C(1) << j;
				if (explains(s, &both))
					return true;
			}
			continue;
		}
		if (apply(h, e, &next) && explains(s, &next))
			return true;
	}
	return false;
}

const char *history_check(const struct history *h)
{
	struct search s = { .h = h };
	struct state state;

	memset(&state, 0, sizeof state);
	state.owner = -1;
	state.count = h->kind == SEMAPHORE ? (int32_t)h->capacity : 0;
	s.seen = malloc(SEEN * sizeof *s.seen);
	s.used = calloc(SEEN, sizeof *s.used);
	if (!s.seen || !s.used)
		abort();
	bool explained = explains(&s, &state);
	free(s.seen);
	free(s.used);
	return explained ? NULL : s.stuck_wrongly ? "somebody waits who could go on" : "no sequence explains this";
}

void history_show(const struct history *h, FILE *to)
{
	static const char *const kinds[] = { "channel", "mutex", "rwlock", "semaphore", "event" };
	static const char *const outcomes[] = { "done", "would wait", "closed" };

	fprintf(to, "  %s", kinds[h->kind]);
	if (h->kind == CHANNEL || h->kind == SEMAPHORE)
		fprintf(to, " of %u", h->capacity);
	if (h->quiet != UINT64_MAX)
		fprintf(to, ", quiet at %" PRIu64, h->quiet);
	fprintf(to, "\n");
	for (unsigned i = 0; i < h->n; i++) {
		const struct event *e = &h->events[i];
		fprintf(to, "    %4" PRIu64 " to %4" PRIu64 "  fiber %d op %u: %s %" PRId64 ": %s%s\n", e->begin, e->end, e->fiber, e->op,
			action_names[e->action], e->value, e->pending ? "waited, then " : "", outcomes[e->outcome]);
	}
}
