/* Contexts of AArch64 (AAPCS64), see context.h.
 *
 * What a function must preserve: x19-x28, the frame pointer x29, sp, and the low halves of v8-v15; fpcr is
 * left to the thread. The switch ends in `br`, not `ret`, which the predictor of returns would get wrong each
 * time. */
	.text
	.globl	context_jump
	.hidden	context_jump
	.type	context_jump, %function
	.p2align 5
context_jump:
	.cfi_startproc
	hint	#34			/* bti c */
	sub	sp, sp, #160
	.cfi_adjust_cfa_offset 160
	stp	x29, x30, [sp]
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	d8, d9, [sp, #96]
	stp	d10, d11, [sp, #112]
	stp	d12, d13, [sp, #128]
	stp	d14, d15, [sp, #144]
	mov	x10, sp
	str	x10, [x0]
	ldr	x10, [x1]
	mov	sp, x10
	/* From here on it is the other's stack, laid out the same. */
	ldp	d14, d15, [sp, #144]
	ldp	d12, d13, [sp, #128]
	ldp	d10, d11, [sp, #112]
	ldp	d8, d9, [sp, #96]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x16, [sp]
	add	sp, sp, #160
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_register x30, x16
	br	x16			/* on `bti j`, and by x16 on `bti c` too */
	.cfi_endproc
	.size	context_jump, . - context_jump

/* The first thing that runs on a new stack: calls x19 with x20. It is the outermost frame. */
	.globl	context_start
	.hidden	context_start
	.type	context_start, %function
	.p2align 4
context_start:
	.cfi_startproc
	.cfi_undefined x30
	hint	#34
	mov	x29, xzr
	mov	x30, xzr
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	context_start, . - context_start

	.section .note.GNU-stack, "", %progbits

/* FEATURE_1_AND: BTI */
	.section .note.gnu.property, "a", %note
	.p2align 3
	.word	4, 16, 5
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0
