/* From PROBE as written to the places it means: patterns opened, files found, arguments described. */
#ifndef OSPREY_DIG_PROBE_RESOLVE_H
#define OSPREY_DIG_PROBE_RESOLVE_H

#include "dig/probe/scope.h"

/* What is asked, and what has been opened for it. */
struct probe_world {
	int pid;	  /* user probes in it alone; 0: all processes */
	bool names_only;  /* do not read what tracepoints hold: for long lists */
	bool describe_all; /* user functions that a pattern matches have their arguments described too */
	size_t max_sites; /* of one PROBE */
	int tracefs;	  /* -1: not opened yet */
	struct kernel_types types;
};
void probe_world_deinit(struct probe_world *w);

/* Adds to *ret. 0; -EINVAL with the error (no such event, function, file; more than max_sites); other -errno with the
 * note (no right, not there in this kernel). */
int probe_resolve(struct probe_world *w, const struct probe_spec *spec, size_t clause, probe_variant_vec *ret,
		  struct probe_error *ret_error, struct note *note) __attribute__((warn_unused_result));

#endif
