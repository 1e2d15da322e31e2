/* USDT: probes that a program brings along, by the notes of <sys/sdt.h>.
 *
 * Format: systemtap's wiki, "UserSpaceProbeImplementation": section .note.stapsdt, notes of type 3 named "stapsdt": the
 * address of a nop, that of .stapsdt.base when it was linked, of the semaphore (0: none); provider, name, and the
 * operands: "[-]SIZE@OPERAND", a minus for signed ones, in the assembler's syntax. Pure; any bytes are taken. */
#ifndef OSPREY_DIG_PROBE_USDT_H
#define OSPREY_DIG_PROBE_USDT_H

#include "dig/image/elf_image.h"
#include "dig/probe/scope.h"

struct usdt {
	struct span provider, name, arguments; /* in the section */
	uint64_t address, base, semaphore;     /* as linked */
};
typedef VEC(struct usdt) usdt_vec;

/* -EBADMSG (what was read before stays in *ret), -ENOMEM. */
int usdt_notes_parse(struct span section, usdt_vec *ret) __attribute__((warn_unused_result));
/* Of a file, addresses corrected when it was moved after linking. -ENOENT: it has none. */
int usdt_read(struct elf_image *e, usdt_vec *ret) __attribute__((warn_unused_result));

/* Operands that name a symbol ask for its address; `site` is the address of the probe. */
struct usdt_symbols {
	bool (*find)(void *arg, struct span name, uint64_t *ret_address);
	void *arg;
	uint64_t site;
};
/* An operand that cannot be read (a floating register) gets PLACE_NOWHERE and says so in `type`. -ENOMEM. */
int usdt_arguments_parse(struct span arguments, const struct usdt_symbols *symbols, probe_argument_vec *ret)
	__attribute__((warn_unused_result));

#endif
