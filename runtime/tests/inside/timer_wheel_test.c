/* The wheel beside a plain list: what fires in each step, and no sooner; deadlines from the ends of time
 * too. */
#include <limits.h>
#include <string.h>

#include "check.h"
#include "timer_wheel.h"

#define TICK (INT64_C(1) << WHEEL_TICK_BITS)
#define TIMERS 400

struct armed {
	struct timer timer;
	uint64_t due;		/* the tick in which it fires */
	bool is_armed, fired;
};

static struct timer_wheel wheel;
static struct armed timers[TIMERS];
static uint64_t seed;

static uint64_t draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void fires(struct timer *t)
{
	struct armed *a = (struct armed *)t;

	CHECK(a->is_armed && !a->fired);
	a->fired = true;
}

/* By another way than the wheel's: without bits. */
static uint64_t tick_of(int64_t deadline)
{
	if (deadline <= 0)
		return 0;
	return (uint64_t)(deadline / TICK) + (deadline % TICK != 0);
}

static int64_t some_deadline(int64_t now)
{
	static const int64_t spans[] = { 1, TICK, 64 * TICK, 64 * 64 * TICK, 64 * 64 * 64 * TICK, INT64_C(1) << 45, INT64_C(1) << 59 };

	switch (draw() % 12) {
	case 0: return 0;
	case 1: return -(int64_t)(draw() >> 1);
	case 2: return INT64_MIN;
	case 3: return INT64_MAX;
	case 4: return INT64_MAX - (int64_t)(draw() % 3);
	case 5: return now;
	/* Where a slot of the second level begins. */
	case 6: return (now / (64 * TICK) + 1 + (int64_t)(draw() % 3)) * 64 * TICK;
	default: return now + (int64_t)(draw() % (uint64_t)spans[draw() % 7]);
	}
}

static void arm(struct armed *a, int64_t now)
{
	uint64_t tick, next = (uint64_t)(now / TICK) + 1;

	*a = (struct armed){ .timer = { .deadline = some_deadline(now), .fire = fires }, .is_armed = true };
	tick = tick_of(a->timer.deadline);
	a->due = tick < next ? next : tick;
	timer_arm(&wheel, &a->timer);
	CHECK(atomic_load(&wheel.earliest) <= (a->timer.deadline > (int64_t)(next - 1) * TICK ? a->timer.deadline : (int64_t)next * TICK));
}

/* All that is due has fired, nothing else has, and nobody is told to come later than the next is due. */
static void check(int64_t now)
{
	uint64_t n = 0;

	for (int i = 0; i < TIMERS; i++) {
		struct armed *a = &timers[i];
		if (!a->is_armed)
			continue;
		bool due = a->due <= (uint64_t)(now / TICK);
		CHECK(a->fired == due);
		if (due) {
			CHECK(!timer_cancel(&a->timer));
			a->is_armed = false;
			continue;
		}
		n++;
		if (a->due < (UINT64_C(1) << 48) - 1)
			CHECK(atomic_load(&wheel.earliest) <= (int64_t)(a->due * TICK));
	}
	CHECK(wheel.n == n);
	if (n == 0)
		CHECK(atomic_load(&wheel.earliest) == INT64_MAX);
}

static void steps(uint64_t from)
{
	int64_t now = (int64_t)(from % (UINT64_C(1) << 50));

	seed = from | 1;
	memset(timers, 0, sizeof timers);
	timer_wheel_init(&wheel, now);
	for (int step = 0; step < 400; step++) {
		for (int i = 0; i < 6; i++) {
			struct armed *a = &timers[draw() % TIMERS];
			if (!a->is_armed) {
				arm(a, now);
			} else if (draw() % 2) {
				CHECK(timer_cancel(&a->timer));
				CHECK(!timer_cancel(&a->timer));
				a->is_armed = false;
			}
		}
		/* Small steps, or far ahead; to where it is told to come, or past it. */
		int64_t told = atomic_load(&wheel.earliest), before = now;
		switch (draw() % 4) {
		case 0: now += (int64_t)(draw() % (4 * TICK)); break;
		case 1: now += (int64_t)(draw() % (UINT64_C(1) << (10 + draw() % 36))); break;
		default: now = told > now && told < INT64_C(1) << 60 ? told : now + 1; break;
		}
		unsigned fired = timer_wheel_run(&wheel, now), counted = 0;
		for (int i = 0; i < TIMERS; i++)
			counted += timers[i].is_armed && timers[i].fired;
		CHECK(fired == counted);
		/* Who comes before it is told to finds nothing. */
		CHECK(now >= told || fired == 0);
		check(now);
		if (check_failed) {
			fprintf(stderr, "seed %llu, step %d, from %lld to %lld\n", (unsigned long long)from, step, (long long)before,
				(long long)now);
			exit(EXIT_FAILURE);
		}
	}
	for (int i = 0; i < TIMERS; i++)
		if (timers[i].is_armed)
			CHECK(timer_cancel(&timers[i].timer));
	CHECK(wheel.n == 0 && atomic_load(&wheel.earliest) == INT64_MAX);
	for (int level = 0; level < WHEEL_LEVELS; level++)
		CHECK(wheel.occupied[level] == 0);
}

/* Of a processor that is set aside, and where nobody has looked for a while: what is due fires next. */
static void moves(uint64_t from)
{
	static struct timer_wheel aside;
	int64_t now = (int64_t)(from % (UINT64_C(1) << 50)), next = (now / TICK + 1) * TICK;

	seed = from | 1;
	memset(timers, 0, sizeof timers);
	int64_t since = (int64_t)(draw() % (UINT64_C(1) << (10 + draw() % 36))) % (now + 1);
	timer_wheel_init(&aside, now - since);
	timer_wheel_init(&wheel, now);
	for (int i = 0; i < TIMERS; i++) {
		int64_t deadline = now - since + (int64_t)(draw() % (2 * (uint64_t)since + 1));
		timers[i] = (struct armed){ .timer = { .deadline = deadline, .fire = fires }, .is_armed = true };
		timer_arm(&aside, &timers[i].timer);
	}
	timer_wheel_move(&aside, &wheel);
	CHECK(aside.n == 0 && wheel.n == TIMERS && atomic_load(&aside.earliest) == INT64_MAX);
	timer_wheel_run(&wheel, next);
	for (int i = 0; i < TIMERS; i++) {
		CHECK(timers[i].fired == (tick_of(timers[i].timer.deadline) <= (uint64_t)(next / TICK)));
		CHECK(timer_cancel(&timers[i].timer) == !timers[i].fired);
	}
	CHECK(wheel.n == 0);
}

int main(void)
{
	uint64_t from = 0x9e3779b97f4a7c15;

	steps(0);
	steps((UINT64_C(1) << 50) - 1);
	for (int i = 0; i < 60; i++, from = from * 6364136223846793005u + 1442695040888963407u) {
		steps(from);
		moves(from);
	}
	return check_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
