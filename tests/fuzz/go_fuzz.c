/* Go's tables of functions, build information, moduledata. The first byte chooses the format. */
#include <errno.h>

#include "dig/go/go_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_tree(void *arg, uint64_t address, void *to, size_t n)
{
	const struct span *bytes = arg;

	if (address > bytes->n || n > bytes->n - address)
		return -EFAULT;
	memcpy(to, bytes->p + address, n);
	return 0;
}

static void ask(const struct go_table *t, uint64_t pc)
{
	struct go_line line[GO_INLINE_MAX];
	struct go_function f;

	if (!go_table_find(t, pc, &f))
		return;
	(void)go_table_frame_size(t, &f, pc);
	if (go_table_lines(t, &f, pc, line, GO_INLINE_MAX) > GO_INLINE_MAX)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t magic[] = { 0xfffffffa, 0xfffffff0, 0xfffffff1 };
	static char copy[1 << 16];
	struct span bytes = { copy, size };
	struct go_table t;
	char version[64];

	if (size < 8 || size > sizeof copy)
		return 0;
	memcpy(copy, data, size);
	(void)go_build_info_parse(bytes, version, sizeof version);
	(void)go_version_minor(bytes);
	memcpy(copy, &magic[data[0] % 3], 4);
	memcpy(copy + 4, "\0\0\1\10", 4);
	(void)go_table_scan(bytes, 0);
	if (go_table_parse(bytes, 0x1000, &t) < 0)
		return 0;
	t.read = read_tree;
	t.arg = &bytes;
	t.funcdata = go_funcdata_in(bytes, &t, 0);
	t.funcdata = t.funcdata ? t.funcdata : 8;
	for (uint64_t pc = 0; pc < 256; pc++)
		ask(&t, t.text + pc);
	return 0;
}
