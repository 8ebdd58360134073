/* Braid's own system calls, 501 to 512, for C programs.
 *
 * All handles are file descriptors: close, dup, fork, execve and close-on-exec work on them, and they can be sent through a channel.
 * A failing call returns -1 and sets errno. Layouts are little-endian with natural alignment and are fixed.
 */
#ifndef BRAID_H
#define BRAID_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#else
/* unistd.h hides it where only the standard is asked for. */
long syscall(long number, ...);
#endif

enum {
    BRAID_IO_CREATE = 501,
    BRAID_IO_SUBMIT,
    BRAID_IO_WAIT,
    BRAID_IRQ_CREATE,
    BRAID_IPC_CREATE,
    BRAID_IPC_SEND,
    BRAID_IPC_RECV,
    BRAID_SHMEM_CREATE,
    BRAID_NOTIFY_CREATE,
    BRAID_NOTIFY,
    BRAID_IO_SETUP_RINGS,
    BRAID_IO_RING_ENTER,
};

/* Flags. */
#define BRAID_CLOSE_ON_EXEC 1u /* ipc_create, shmem_create, notify_create */
#define BRAID_DO_NOT_BLOCK 1u  /* ipc_send, ipc_recv */
#define BRAID_NO_FD (-1)

/* Operations of a submission. */
enum {
    BRAID_OP_NOTHING = 0, /* completes at once */
    BRAID_OP_TIMEOUT = 1, /* after timeout_ns */
    BRAID_OP_READ = 2,    /* buf_len bytes at buf_addr on fd, at offset where the file has positions */
    BRAID_OP_WRITE = 3,
    BRAID_OP_INTERRUPT = 4, /* the next interrupt of an interrupt fd; result: interrupts since the last wait */
    BRAID_OP_SEND = 5,      /* buf_addr points at a braid_message */
    BRAID_OP_RECV = 6,
    BRAID_OP_NOTIFICATION = 7, /* the next signal of a notification fd */
};

struct braid_submission {
    uint64_t user_data;
    uint32_t opcode;
    uint32_t flags;
    int32_t fd;
    int32_t pad;
    uint64_t buf_addr;
    uint32_t buf_len;
    uint32_t offset;
    uint64_t timeout_ns;
};

struct braid_completion {
    uint64_t user_data;
    int64_t result; /* or -errno */
    uint32_t flags;
    uint32_t opcode;
};

struct braid_message {
    uint64_t tag;
    uint64_t data[3];
    int32_t fds[4]; /* BRAID_NO_FD: unused */
};

struct braid_ring_params {
    uint32_t sq_entries; /* in: wanted, out: given; at most 64 */
    uint32_t cq_entries; /* in: wanted, out: given; at most 128 */
    int32_t sq_fd;       /* out: map a page of it with MAP_SHARED */
    int32_t cq_fd;       /* out */
};

/* At the start of a ring's page; entries follow at byte 64. Indices run freely and are masked; store a tail with release, load it with
 * acquire. The program writes the submission ring's tail and the completion ring's head. */
struct braid_ring_header {
    uint32_t head;
    uint32_t tail;
    uint32_t mask;
    uint32_t flags;
};
#define BRAID_RING_ENTRIES_AT 64

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
_Static_assert(sizeof(struct braid_submission) == 48, "braid_submission");
_Static_assert(sizeof(struct braid_completion) == 24, "braid_completion");
_Static_assert(sizeof(struct braid_message) == 48, "braid_message");
_Static_assert(sizeof(struct braid_ring_params) == 16, "braid_ring_params");
_Static_assert(sizeof(struct braid_ring_header) == 16, "braid_ring_header");
#endif

/* A new port, or -1. */
static inline int braid_io_create(void) { return (int)syscall(BRAID_IO_CREATE, 0u); }

/* How many entries were accepted, or -1. */
static inline int braid_io_submit(int port, const struct braid_submission *entries, uint32_t count) {
    return (int)syscall(BRAID_IO_SUBMIT, port, entries, count);
}

/* How many completions were written, or -1. timeout_ns 0 waits for ever, min 0 polls. */
static inline int braid_io_wait(int port, struct braid_completion *out, uint32_t max, uint32_t min, uint64_t timeout_ns) {
    return (int)syscall(BRAID_IO_WAIT, port, out, max, min, timeout_ns);
}

/* An interrupt fd for a line; needs privilege. */
static inline int braid_irq_create(uint32_t gsi) { return (int)syscall(BRAID_IRQ_CREATE, gsi); }

/* fds[0] sends, fds[1] receives. Capacity 0: each send waits for its receiver. */
static inline int braid_ipc_create(int32_t fds[2], uint32_t capacity, uint32_t flags) {
    return (int)syscall(BRAID_IPC_CREATE, fds, capacity, flags);
}

static inline int braid_ipc_send(int fd, const struct braid_message *message, uint32_t flags) {
    return (int)syscall(BRAID_IPC_SEND, fd, message, flags);
}

static inline int braid_ipc_recv(int fd, struct braid_message *message, uint32_t flags) {
    return (int)syscall(BRAID_IPC_RECV, fd, message, flags);
}

/* An fd for mmap(MAP_SHARED). */
static inline int braid_shmem_create(uint64_t size, uint32_t flags) { return (int)syscall(BRAID_SHMEM_CREATE, size, flags); }

static inline int braid_notify_create(uint32_t flags) { return (int)syscall(BRAID_NOTIFY_CREATE, flags); }

static inline int braid_notify(int fd) { return (int)syscall(BRAID_NOTIFY, fd); }

/* Puts a port into ring mode. */
static inline int braid_io_setup_rings(int port, struct braid_ring_params *params) {
    return (int)syscall(BRAID_IO_SETUP_RINGS, port, params);
}

/* How many completions are ready, or -1. */
static inline int braid_io_ring_enter(int port, uint32_t to_submit, uint32_t min_complete, uint32_t flags) {
    return (int)syscall(BRAID_IO_RING_ENTER, port, to_submit, min_complete, flags);
}

#ifdef __cplusplus
}
#endif

#endif
