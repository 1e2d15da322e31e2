/* The door (door.h, door.c, retake.c): the owner stores `inside` and looks at `door` without a fence;
 * strangers store a claim, make every CPU pass a barrier, and look at `inside`. Never are both in there, and
 * the owner never is without a processor.
 *
 * The owner's stores pass through a buffer, as on x86 (and AArch64 without fences): they become visible in
 * order, at any later time, or at the barrier.
 *
 * Mutants, each of which must fail: NO_BARRIER, NO_WAIT, NO_LOOK, VISITED_FIRST. */

#define VISITED 1
#define TAKEN 2
#define ENTRIES 2

chan buffer = [4] of { bit };	/* of the owner: values of `inside` */
bit inside;			/* as others see it */
byte door;
bool owner_in, stranger_in;
bool holds = true;		/* the owner has a processor */
byte over;

inline store_inside(v)
{
	buffer!v
}

/* The CPU writes its buffer back when it likes. */
active proctype memory()
{
	bit v;

end:	do
	:: atomic { buffer?v -> inside = v }
	od
}

/* membarrier: as if every CPU wrote all back at one moment. */
inline barrier()
{
	skip;
#ifndef NO_BARRIER
	d_step {
		do
		:: nempty(buffer) -> buffer?drained; inside = drained
		:: empty(buffer) -> break
		od
	}
#endif
}

active proctype owner()
{
	byte n, seen;

	do
	:: n < ENTRIES ->
		/* door_enter */
		store_inside(1);
		seen = door;
		if
		:: seen == 0
		:: else ->
			/* wait_for_visitor */
#ifndef NO_WAIT
			do
			:: seen & VISITED ->
				store_inside(0);
				!(door & VISITED);
				store_inside(1);
				seen = door
			:: else -> break
			od;
#endif
			/* door_opened: an atomic instruction, which writes the buffer back */
			empty(buffer);
			d_step { seen = door; door = door & ~TAKEN }
			if
			:: seen & TAKEN -> holds = true	/* scheduler_return */
			:: else
			fi
		fi;
		owner_in = true;
		assert(!stranger_in);
		assert(holds);
		owner_in = false;
		/* door_leave */
		store_inside(0);
		n++
	:: else -> break
	od;
	over++
}

/* The watcher and a thief. */
active [2] proctype stranger()
{
	bit drained;
	byte seen, n;
	bool claimed, wants;

	do
	:: n < 2 ->
		n++;
		/* door_visit */
		seen = door;
		claimed = false;
		if
		:: inside == 0 && !(seen & (VISITED | TAKEN)) ->
			d_step {
				claimed = door == seen;
				if
				:: claimed -> door = seen | VISITED
				:: else
				fi
			}
		:: else
		fi;
		if
		:: claimed ->
			barrier();
			wants = false;
			if
#ifdef NO_LOOK
			:: true ->
#else
			:: inside == 0 ->
#endif
				assert(!owner_in && !stranger_in);
				stranger_in = true;
				/* Takes the processor away, or only something from it. */
				if
				:: holds -> holds = false; wants = true
				:: true
				fi;
				assert(!owner_in);
				stranger_in = false
			:: else
			fi;
			/* door_close */
#ifdef VISITED_FIRST
			door = door & ~VISITED;
			if
			:: wants -> door = door | TAKEN
			:: else
			fi
#else
			if
			:: wants -> door = door | TAKEN
			:: else
			fi;
			door = door & ~VISITED
#endif
		:: else
		fi
	:: else -> break
	od;
	over++
}
