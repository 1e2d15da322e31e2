/* Mutex: two accounts, transfers both ways, and an invariant that holds whenever both locks are held.
 *
 *	cc -O2 -o course_mutex course_mutex.c $(pkg-config --cflags --libs osprey-rt)
 *	./course_mutex
 *
 * Each account has a mutex of its own. Who needs both takes them in one order, by address: so no two fibers
 * wait for each other. */
#include <stdio.h>

#include <osprey/rt.h>

struct account {
	struct rt_mutex mutex;
	long balance;
};

static struct account a = { .balance = 1000 }, b = { .balance = 1000 };

static void lock_both(struct account *x, struct account *y)
{
	(void)rt_lock(x < y ? &x->mutex : &y->mutex, RT_FOREVER);
	(void)rt_lock(x < y ? &y->mutex : &x->mutex, RT_FOREVER);
}

static void unlock_both(struct account *x, struct account *y)
{
	rt_unlock(&x->mutex);
	rt_unlock(&y->mutex);
}

static void transfer(struct account *from, struct account *to, long amount)
{
	lock_both(from, to);
	from->balance -= amount;
	rt_yield();		/* others run, and find the locks held */
	to->balance += amount;
	unlock_both(from, to);
}

static int transfers(void *arg)
{
	for (int i = 0; i < 1000; i++)
		transfer(arg ? &a : &b, arg ? &b : &a, i % 7);
	return 0;
}

static int audits(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		lock_both(&a, &b);
		if (a.balance + b.balance != 2000)
			printf("money was lost: %ld\n", a.balance + b.balance - 2000);
		unlock_both(&a, &b);
		rt_yield();
	}
	return 0;
}

static int first(void *arg)
{
	struct rt_scope s;
	int r = 0;

	(void)arg;
	rt_scope_open(&s, RT_FOREVER);
	for (int i = 0; i < 8 && r == 0; i++)
		r = rt_scope_go(&s, transfers, i % 2 ? &a : NULL);
	if (r == 0)
		r = rt_scope_go(&s, audits, NULL);
	(void)rt_scope_close(&s);
	printf("a has %ld, b has %ld, together %ld\n", a.balance, b.balance, a.balance + b.balance);
	return r;
}

int main(void)
{
	return rt_run(NULL, first, NULL) < 0;
}
