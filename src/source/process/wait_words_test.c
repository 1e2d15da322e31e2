#include <sys/syscall.h>

#include "base/check.h"
#include "source/process/wait_words.h"

int main(void)
{
	CHECK_STR(syscall_words(SYS_futex)->name, "futex");
	CHECK(syscall_words(SYS_read)->of_fd && !syscall_words(SYS_wait4)->of_fd);
	CHECK(syscall_words(-1) == NULL && syscall_words(1 << 20) == NULL);
	CHECK_STR(wchan_words("folio_wait_bit_common"), "a page to be read or written");
	CHECK_STR(wchan_words("io_schedule"), "a disk");
	CHECK_STR(wchan_words("rpc_wait_bit_killable"), "an NFS server");
	CHECK_STR(wchan_words("jbd2_log_wait_commit"), "the ext4 journal to be committed");
	CHECK_STR(wchan_words("poll_schedule_timeout.constprop.0"), "events of descriptors");
	CHECK_STR(wchan_words("schedule_timeout"), "time to pass");
	CHECK(wchan_words("") == NULL && wchan_words("no_such_place") == NULL);
	CHECK(strstr(task_state_words('Z'), "zombie"));
	CHECK_STR(policy_name(1), "SCHED_FIFO");
	CHECK_STR(policy_name(99), "?");
	return check_exit();
}
