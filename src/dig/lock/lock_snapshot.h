/* Which threads of a process wait for which locks, and who holds them, at one moment.
 *
 * A thread that waits for a lock of user space sleeps in futex(2). What kind of lock it is, its stack tells (the function
 * of the C library it is in); who holds it, the lock's own words, where they do:
 *   mutex      owner 8 bytes behind the word (struct __pthread_mutex_s, glibc >= 2.3); PI and robust ones: in the word
 *   rwlock     the writer 24 bytes behind its start (struct __pthread_rwlock_arch_t, glibc >= 2.25); readers are a number
 *   join       the thread that is waited for: the value that futex expects
 *   others     nobody holds a condition, a semaphore or a barrier
 * Words are read from the live process, without stopping it. Musl, Go and others have words of their own: their locks are
 * told as futexes, without an owner. From each thread leads at most one way, so a deadlock is a circle of them. */
#ifndef OSPREY_DIG_LOCK_LOCK_SNAPSHOT_H
#define OSPREY_DIG_LOCK_LOCK_SNAPSHOT_H

#include "dig/stack/stack.h"
#include "dig/symbol/symbol.h"

/* LOCK_KIND(name, "word", threads take turns in it: waiting there is contention) */
#define LOCK_KINDS(LOCK_KIND)                  \
	LOCK_KIND(MUTEX, "mutex", true)        \
	LOCK_KIND(RWLOCK, "rwlock", true)      \
	LOCK_KIND(ONCE, "once", true)          \
	LOCK_KIND(SEMAPHORE, "semaphore", false) \
	LOCK_KIND(CONDITION, "condition", false) \
	LOCK_KIND(BARRIER, "barrier", false)   \
	LOCK_KIND(JOIN, "end of thread", false) \
	LOCK_KIND(FUTEX, "futex", false)

enum lock_kind {
#define LOCK_ENUM(name, word, contention) LOCK_##name,
	LOCK_KINDS(LOCK_ENUM)
#undef LOCK_ENUM
	LOCK_KIND_COUNT
};
const char *lock_kind_word(enum lock_kind kind);
bool lock_kind_contends(enum lock_kind kind);

/* What a thread in futex(2) waits for. */
struct lock_wait {
	enum lock_kind kind;
	uint64_t address; /* of the lock (where its words begin); of the futex where the kind is not known */
	uint64_t futex;	  /* the word that it sleeps on */
};
/* False: it waits in no futex. */
bool lock_wait_of(struct symbolizer *y, struct address_space *space, const struct thread_stack *t, struct lock_wait *ret);

struct lock {
	enum lock_kind kind;
	uint64_t address;
	int owner_tid;	  /* in our pid namespace; 0: nobody is named */
	uint32_t readers; /* of a rwlock that readers hold; else 0 */
	size_t *waiter;	  /* indices into stacks->threads */
	size_t nwaiters;
};

#define LOCK_CYCLE_MAX_THREADS 64
struct lock_cycle_of_threads {
	size_t thread[LOCK_CYCLE_MAX_THREADS]; /* each waits for a lock of the next, the last for one of the first */
	size_t lock[LOCK_CYCLE_MAX_THREADS];   /* which lock: index into locks */
	size_t n;
};

struct lock_snapshot {
	VEC(struct lock) locks; /* contended kinds first, by the number of waiters */
	VEC(struct lock_cycle_of_threads) cycles;
	size_t *storage;
	size_t waiting; /* threads that wait for a lock of a kind that is taken in turns */
};

/* `stacks` of a live process. 0 or -ENOMEM. */
int lock_snapshot_make(struct symbolizer *y, const struct process_stacks *stacks, struct lock_snapshot *ret)
	__attribute__((warn_unused_result));
void lock_snapshot_deinit(struct lock_snapshot *s);
/* Stacks and the words of locks are read one after the other, so that a busy lock may look like a circle. Keeps the
 * cycles that a later look shows again, by threads that have not run in between; an owner that waits for its own lock
 * outside of them is forgotten. */
void lock_snapshot_confirm(struct lock_snapshot *s, const struct process_stacks *stacks, const struct lock_snapshot *later,
			   const struct process_stacks *later_stacks);
/* Whether the lock is part of a cycle. */
bool lock_in_cycle(const struct lock_snapshot *s, uint64_t address);

/* ---- pure ---- */

/* By the names of the innermost functions. LOCK_FUTEX: none is known. */
enum lock_kind lock_kind_of_function(const char *function, enum lock_kind so_far);
/* Circles among threads of which each waits for at most one other: next[i] is the thread that i waits for, or
 * SIZE_MAX. Each circle once, beginning with its lowest thread. The number of circles; *ret has room for n / 2. */
size_t lock_cycles_find(const size_t *next, size_t n, size_t *ret_first);

#endif
