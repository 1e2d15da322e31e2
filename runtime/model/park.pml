/* A fiber's waiting, and who ends it: a peer (through a list), a deadline (through a wheel) and cancellation
 * (through a scope) compete for one claim (wait.h, wait.c). It is made ready once for each waiting, not
 * before its context is saved, and cancellation is never lost. The second waiting is that of another fiber
 * with the same memory, which nobody cancels.
 *
 * Variants: WITHOUT_LIST (a sleep: no lock keeps the fiber back until its waiting is set up), ALONE (only
 * cancellation ends the first waiting). Mutants, each of which must fail: NO_CLAIM, NO_RECHECK, ANY_WAITING,
 * NO_SETTLE, EARLY_UNLOCK. */

#define OVER 0
#define OPEN 1
#define SETTLED 2
#define STATES 4

#define PEER 1
#define DEADLINE 2
#define CANCELLED 3

byte claim;			/* the number of the waiting, times STATES, and how far it is */
bool list_lock, wheel_lock, scope_lock;
bool in_list, armed, in_scope = true, cancelled;
byte round = 1;			/* the waiting under way */
bool saved;			/* its context is */
byte ready, woken_by;
bool peer_done;

#define take(l) atomic { !l -> l = true }
#define give(l) l = false

#ifdef WITHOUT_LIST
#define lock_list() skip
#define unlock_list() skip
#else
#define lock_list() take(list_lock)
#define unlock_list() give(list_lock)
#endif

/* fiber_ready, by who has won. */
inline make_ready(by)
{
	d_step {
		assert(saved);
		assert(ready == 0);
		woken_by = by;
		ready = 1;
	}
}

/* fiber_claim: under a lock of what the fiber stands in. */
inline fiber_claim(won)
{
	d_step {
#ifdef NO_CLAIM
		won = true;
#else
		won = claim % STATES != OVER;
#endif
		claim = claim - claim % STATES;
	}
}

/* waiting_parked and the rest of `parked`, by the context that comes next, with the list's lock held. */
proctype arrive(byte number)
{
	bool settled, was_cancelled;

#ifdef EARLY_UNLOCK
	unlock_list();
#endif
	take(wheel_lock);
	assert(round == number);	/* the timer lies on the fiber's stack */
	armed = true;
	give(wheel_lock);
	/* OPEN to SETTLED, of this waiting. */
	d_step {
		settled = claim == number * STATES + OPEN;
#ifndef NO_SETTLE
		if
		:: settled -> claim = number * STATES + SETTLED
		:: else
		fi
#endif
	}
	if
	:: settled ->
#ifndef NO_RECHECK
		was_cancelled = cancelled;
		if
		:: was_cancelled ->
			d_step {
#ifdef ANY_WAITING
				settled = claim % STATES == SETTLED;
#else
				settled = claim == number * STATES + SETTLED;
#endif
				if
				:: settled -> claim = claim - SETTLED
				:: else
				fi
			}
			if
			:: settled -> make_ready(CANCELLED)
			:: else
			fi
		:: else
		fi
#else
		skip
#endif
	:: else
	fi;
#ifndef EARLY_UNLOCK
	unlock_list()
#endif
}

proctype fiber()
{
	byte by;

	do
	:: round <= 2 ->
		/* wait_in: waiting_begin, the list, fiber_park. */
		lock_list();
		claim = round * STATES + OPEN;
#ifndef WITHOUT_LIST
		in_list = true;
#endif
		saved = true;
		run arrive(round);
		/* It goes on. */
		atomic { ready == 1 -> ready = 0; saved = false; by = woken_by }
		/* waiting_end: timer_cancel, which waits for one that fires. */
		take(wheel_lock);
		armed = false;
		give(wheel_lock);
		if
		:: by != PEER ->
			lock_list();
			in_list = false;
			unlock_list()
		:: else
		fi;
		assert(round == 1 || by != CANCELLED);
		/* scope_leave; then another fiber has its memory (spawn_prepare). */
		take(scope_lock);
		in_scope = false;
		give(scope_lock);
		cancelled = false;
		round++
	:: else -> break
	od
}

/* Who sends to it, unlocks, posts: wait_list_claim. It comes once in the first waiting, or later, as often as
 * it takes. */
proctype peer()
{
	bool won;

	do
	:: round > 2 -> break
	:: in_list ->
		take(list_lock);
		won = false;
		if
		:: in_list ->
			in_list = false;
			fiber_claim(won)
		:: else
		fi;
		give(list_lock);
		if
		:: won -> make_ready(PEER)
		:: else
		fi
	od
}

/* timer_wheel_run and timed_out. Whether it ever comes is left open. */
proctype wheel()
{
	bool won;

	do
	:: round > 2 -> break
	:: armed ->
		take(wheel_lock);
		if
		:: armed ->
			armed = false;
			fiber_claim(won);
			if
			:: won -> make_ready(DEADLINE)
			:: else
			fi
		:: else
		fi;
		give(wheel_lock)
	od
}

/* wait_cancel, under the lock of the scope in which the fiber is. */
proctype canceller()
{
	byte is;
	bool won;

	take(scope_lock);
	if
	:: in_scope ->
		cancelled = true;
		is = claim;
		if
		:: is % STATES == SETTLED ->
			d_step {
				won = claim == is;
				if
				:: won -> claim = is - SETTLED
				:: else
				fi
			}
			if
			:: won -> make_ready(CANCELLED)
			:: else
			fi
		:: else
		fi
	:: else
	fi;
	give(scope_lock)
}

init
{
	atomic {
		run fiber();
		run canceller();
#ifdef ALONE
		/* Only cancellation ends the first waiting; the second is a peer's. */
		round == 2 -> run peer(); run wheel()
#else
		run peer();
		run wheel()
#endif
	}
}
