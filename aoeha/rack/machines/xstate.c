/* Lets a user-mode-linux that is older than the processor run on it. Preloaded into linux.uml.
 *
 * Linux takes the extended register state of a traced process (PTRACE_SETREGSET, NT_X86_XSTATE) only as a whole, and
 * processors with AMX have 11,008 bytes of it. Debian 12's linux.uml keeps 2,696: everything up to PKRU. What it reads
 * is cut short in silence, what it writes back is refused (EFAULT), and the first process of the guest dies. So pad what
 * it writes to the size that the host wants, and clear the marks of the parts that it does not have.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEGACY_AND_HEADER 576
#define MARKS_OFFSET 512
#define MARKS_KEPT 0x2ffUL /* x87, SSE, AVX, MPX, AVX-512, PKRU */

static char state[65536] __attribute__((aligned(64)));
static unsigned long whole;

static long pad(long process, struct iovec *given)
{
    struct iovec padded = {state, sizeof state};
    if (whole == 0) {
        if (syscall(SYS_ptrace, PTRACE_GETREGSET, process, NT_X86_XSTATE, &padded) < 0)
            return -1;
        whole = padded.iov_len;
    }
    if (given->iov_len >= whole)
        return syscall(SYS_ptrace, PTRACE_SETREGSET, process, NT_X86_XSTATE, given);
    memcpy(state, given->iov_base, given->iov_len);
    memset(state + given->iov_len, 0, whole - given->iov_len);
    *(unsigned long *)(state + MARKS_OFFSET) &= MARKS_KEPT;
    padded.iov_len = whole;
    return syscall(SYS_ptrace, PTRACE_SETREGSET, process, NT_X86_XSTATE, &padded);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    long process = va_arg(arguments, long), address = va_arg(arguments, long), data = va_arg(arguments, long);
    va_end(arguments);
    if (request == PTRACE_SETREGSET && address == NT_X86_XSTATE && ((struct iovec *)data)->iov_len >= LEGACY_AND_HEADER)
        return pad(process, (struct iovec *)data);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word, result = syscall(SYS_ptrace, request, process, address, &word);
        if (result < 0)
            return -1;
        errno = 0;
        return word;
    }
    return syscall(SYS_ptrace, request, process, address, data);
}
