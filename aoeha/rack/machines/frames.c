/* Keeps a user-mode-linux's network interfaces alive. Preloaded into linux.uml.
 *
 * Its vector driver takes a failed readv or writev on a tap for the end of the interface, unless it was EAGAIN or
 * ENOBUFS: from then on it hears nothing, calls itself busy, and spins, until it is set down and up (6.1, measured).
 * Two failures are no such end:
 *
 * - No memory for a frame that arrives. The driver then reads into a buffer for frames to be dropped, but never made
 *   that buffer: its address is null, hence EFAULT.
 * - The tap is down, as a pulled cable is in the rack. What the guest sends fails with EIO.
 *
 * In both the frame is lost, as a wire loses frames, and nothing else.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t readv(int file, const struct iovec *parts, int count)
{
    static char dropped[32];
    struct iovec nowhere = {dropped, sizeof dropped};
    if (count == 1 && parts[0].iov_base == NULL)
        parts = &nowhere;
    return syscall(SYS_readv, file, parts, count);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    ssize_t written = syscall(SYS_writev, file, parts, count);
    if (written < 0 && errno == EIO)
        errno = ENOBUFS;
    return written;
}
