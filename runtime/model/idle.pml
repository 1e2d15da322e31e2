/* Who runs what, and who sleeps: fibers pushed without a fence, threads that go idle and look twice, blocking
 * calls whose processor is taken and given on, few threads, the end of the run (idle.c, work.c, thread.c,
 * retake.c, switch.c). No fiber is forgotten while a thread or processor sleeps, and the run is over only
 * when no fiber is left: the same look that reports a deadlock.
 *
 * A processor's ring is a number of fibers. A push passes through the CPU's buffer before others see it; the
 * barrier of who goes idle writes all buffers back. What is in `first` and in the batch is left out: only the
 * owner, the watcher and who passes the door get at it (door.pml). The lock of the scheduler is an atomic
 * step.
 *
 * Variants: WAITS (the first fiber starts another and computes until that one has run, while nobody watches:
 * so it must be run by another thread), BLOCKS (it blocks its thread meanwhile, and the watcher takes its
 * processor). Mutants, each of which must fail: NO_BARRIER, NO_NOUTSIDE, NO_WAKE, SLEEPS_ANYWAY. */

#ifndef THREADS
#define THREADS 2
#endif
#define PROCESSORS 2
#define NONE 9
#define MOST_FIBERS 3

byte ring[PROCESSORS];		/* as others see it */
byte pushed[PROCESSORS];	/* by the owner, in its CPU's buffer */
byte nqueue, nidle, nspinning, noutside, nthreads;
byte alive, started, ended;
bool idle[PROCESSORS];
byte processor[THREADS];	/* which each thread holds, or NONE */
bool spinning[THREADS], parked[THREADS], wake[THREADS], exists[THREADS];
bool outside[THREADS];		/* past its door: a stranger may take its processor */
bool stopping;

/* The CPU of the owner writes its buffer back; so does any atomic instruction of it. */
inline write_back(p)
{
	d_step { ring[p] = ring[p] + pushed[p]; pushed[p] = 0 }
}

active proctype memory()
{
end:	do
	:: atomic { pushed[0] > 0 -> ring[0] = ring[0] + pushed[0]; pushed[0] = 0 }
	:: atomic { pushed[1] > 0 -> ring[1] = ring[1] + pushed[1]; pushed[1] = 0 }
	od
}

inline door_barrier()
{
	skip;
#ifndef NO_BARRIER
	d_step {
		ring[0] = ring[0] + pushed[0]; pushed[0] = 0;
		ring[1] = ring[1] + pushed[1]; pushed[1] = 0
	}
#endif
}

/* Under the lock. */
inline idle_processor_take(ret)
{
	if
	:: idle[0] -> ret = 0; idle[0] = false; nidle--
	:: !idle[0] && idle[1] -> ret = 1; idle[1] = false; nidle--
	:: else -> ret = NONE
	fi
}

/* thread_call: a thread that sleeps, or a new one, or the processor is idle with all that it had in the
 * queue. */
inline thread_call(p, spins)
{
	atomic {
		called = NONE;
		j = 0;
		do
		:: j < THREADS && parked[j] && called == NONE -> called = j; parked[j] = false; j++
		:: j < THREADS && !(parked[j] && called == NONE) -> j++
		:: j == THREADS -> break
		od;
		if
		:: called != NONE
		:: called == NONE && nthreads < THREADS ->
			j = 0;
			do
			:: exists[j] -> j++
			:: else -> break
			od;
			called = j;
			nthreads++
		:: else ->
			nqueue = nqueue + ring[p] + pushed[p];
			ring[p] = 0;
			pushed[p] = 0;
			idle[p] = true;
			nidle++
		fi;
		j = 0
	}
	if
	:: called != NONE ->
		atomic {
			spinning[called] = spins;
			processor[called] = p;
			if
			:: exists[called] -> wake[called] = true
			:: else -> exists[called] = true; run thread(called)
			fi
		}
	:: else
	fi
}

inline wake_another()
{
	if
	:: nidle > 0 ->
		/* The exchange of nspinning writes the buffer back. */
		atomic {
			if
			:: processor[me] != NONE -> write_back(processor[me])
			:: else
			fi;
			won = nspinning == 0;
			if
			:: won -> nspinning = 1
			:: else
			fi
		}
		if
		:: won ->
			atomic { idle_processor_take(q) }
			if
			:: q != NONE -> thread_call(q, true)
			:: else -> called = NONE
			fi;
			if
			:: called == NONE -> nspinning--
			:: else
			fi;
			q = NONE;
			called = NONE
		:: else
		fi;
		won = false
	:: else
	fi
}

inline stop_spinning(found)
{
	if
	:: spinning[me] ->
		atomic {
			spinning[me] = false;
			nspinning--;
			last = nspinning == 0
		}
		if
		:: last && found -> wake_another()
		:: else
		fi;
		last = false
	:: else
	fi
}

/* A fiber starts another: fiber_ready. */
inline push()
{
	d_step { is_first = started == 1; pushed[processor[me]]++; alive++; started++ }
#ifndef NO_WAKE
	wake_another()
#endif
}

/* scheduler_return, after the door has told it. */
inline come_back()
{
	outside[me] = false;
	if
	:: processor[me] == NONE ->
		atomic {
			idle_processor_take(q);
			if
			:: q != NONE -> processor[me] = q; q = NONE;
#ifndef NO_NOUTSIDE
				noutside--
#endif
			:: else
			fi
		}
		if
		:: processor[me] == NONE ->
			/* LEAVE_OTHERS, and then thread_loop. */
			nqueue++;
			running = false;
#ifndef NO_NOUTSIDE
			noutside--;
#endif
			wake_another()
		:: else
		fi
	:: else
	fi
}

proctype thread(byte me)
{
	byte q = NONE, called = NONE, j, victim;
	bool won, last, running, found, is_first;

	do
	:: stopping -> break
	:: else ->
		if
		:: processor[me] == NONE ->
			/* thread_sleep */
			atomic {
				wake[me] = false;
				parked[me] = true;
				if
				:: nidle == PROCESSORS && noutside == 0 && nqueue == 0 ->
					assert(alive == 0);
					stopping = true
				:: else ->
#ifndef SLEEPS_ANYWAY
					if
					:: (nqueue > 0 || ring[0] > 0 || ring[1] > 0) && nidle > 0 ->
						idle_processor_take(q);
						parked[me] = false;
						processor[me] = q;
						q = NONE
					:: else
					fi
#endif
				fi
			}
			if
			:: processor[me] == NONE -> (wake[me] || stopping)
			:: else
			fi
		:: else
		fi;
		if
		:: stopping -> break
		:: else
		fi;
		/* look_around: what is here, the queue of all, then the others' */
		found = false;
		write_back(processor[me]);
		atomic {
			if
			:: ring[processor[me]] > 0 -> ring[processor[me]]--; found = true
			:: else
			fi
		}
		if
		:: !found ->
			atomic {
				if
				:: nqueue > 0 -> nqueue--; found = true
				:: else
				fi
			}
		:: else
		fi;
		if
		:: !found && !spinning[me] && 2 * nspinning < PROCESSORS - nidle -> atomic { spinning[me] = true; nspinning++ }
		:: else
		fi;
		if
		:: !found && spinning[me] ->
			victim = 1 - processor[me];
			atomic {
				if
				:: ring[victim] > 0 -> ring[victim]--; found = true
				:: else
				fi
			}
			victim = 0
		:: else
		fi;
		if
		:: found ->
			found = false;
			running = true;
			stop_spinning(true);
			/* The fiber. */
			if
			:: started < MOST_FIBERS ->
				q = NONE;
				push();
				if
#if defined WAITS
				/* Computes until one that was started later has ended. */
				:: is_first -> ended > 0
#elif defined BLOCKS
				:: is_first ->
					outside[me] = true;
					ended > 0;
					come_back()
#else
				:: is_first -> outside[me] = true; come_back()
#endif
				:: !is_first
				fi;
				is_first = false
			:: started >= MOST_FIBERS
			fi;
			if
			:: running -> d_step { running = false; alive--; ended++ }
			:: else
			fi
		:: else ->
			/* give_up_processor */
			atomic {
				if
				:: nqueue > 0
				:: else ->
					idle[processor[me]] = true;
					nidle++;
					processor[me] = NONE
				fi
			}
			if
			:: processor[me] == NONE ->
				stop_spinning(false);
				door_barrier();
				if
				:: nqueue > 0 || ring[0] > 0 || ring[1] > 0 ->
					atomic {
						idle_processor_take(q);
						processor[me] = q;
						q = NONE
					}
				:: else
				fi
			:: else
			fi
		fi
	od
}

#define WANTED(t) (outside[t] && processor[t] != NONE && \
	(ring[processor[t]] + pushed[processor[t]] > 0 || (nqueue > 0 && nidle == 0)))

#ifndef WAITS
/* scheduler_retake, by the watcher: of a thread that is outside, when there is something to run. */
proctype watcher()
{
	byte called = NONE, j, t, p = NONE;

	do
	:: stopping -> break
	:: atomic {
			(WANTED(0) || WANTED(THREADS - 1));
			/* Past the door: the barrier has written all back. */
			if
			:: WANTED(0) -> t = 0
			:: WANTED(THREADS - 1) -> t = THREADS - 1
			fi;
			p = processor[t];
			write_back(p);
#ifndef NO_NOUTSIDE
			noutside++;
#endif
			processor[t] = NONE;
			t = 0
		}
		thread_call(p, false);
		called = NONE;
		p = NONE
	od
}
#endif

init
{
	atomic {
		ring[0] = 1;
		alive = 1;
		started = 1;
		nthreads = THREADS;
		exists[0] = true;
		processor[0] = 0;
		run thread(0);
#if THREADS > 1
		/* It has found nothing so far. */
		exists[1] = true;
		processor[1] = 1;
		run thread(1);
#else
		idle[1] = true;
		nidle = 1;
#endif
#ifndef WAITS
		run watcher()
#endif
	}
	stopping;
	assert(alive == 0)
}
