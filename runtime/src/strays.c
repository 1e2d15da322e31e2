#include "strays.h"

#include <errno.h>
#include <pthread.h>

#include "door.h"
#include "misuse.h"
#include "sanitizer.h"
#include "thread.h"

static pthread_key_t key;
static bool initialized;

/* Called when a thread ends that still is the runtime's: it stands on its own stack again. */
static void ended(void *unused)
{
	(void)unused;
	sanitizer_unwound(__builtin_frame_address(0));
	misuse("a thread of the runtime ends: pthread_exit was called in a fiber, or the thread was cancelled");
}

static void in_child(void)
{
	struct thread *t = thread_self();

	/* A visitor, if there was one, is not here to leave. */
	if (t)
		atomic_store(&t->door, DOOR_FORKED);
}

int strays_init(void)
{
	if (initialized)
		return 0;
	int r = pthread_key_create(&key, ended);
	if (r)
		return -r;
	r = pthread_atfork(NULL, NULL, in_child);
	if (r)
		pthread_key_delete(key);
	initialized = r == 0;
	return -r;
}

void strays_begin(struct thread *t)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &t->cancel_state);
	pthread_setspecific(key, t);
}

void strays_end(struct thread *t)
{
	pthread_setspecific(key, NULL);
	pthread_setcancelstate(t->cancel_state, NULL);
}
