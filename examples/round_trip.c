/* A message to a child process and back, ten thousand times, through two rendezvous channels.
 *
 *     gcc -O2 -static -I native/include -o round_trip examples/round_trip.c
 */
#include "braid.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define ROUNDS 10000

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int answer(int from, int to) {
    struct braid_message message;
    while (braid_ipc_recv(from, &message, 0) == 0) {
        message.data[0] *= 2;
        if (braid_ipc_send(to, &message, 0) != 0)
            return fail("sending an answer");
    }
    return errno == EPIPE ? 0 : fail("receiving a question");
}

int main(void) {
    int32_t question[2], reply[2];
    if (braid_ipc_create(question, 0, 0) != 0 || braid_ipc_create(reply, 0, 0) != 0)
        return fail("making channels");
    pid_t child = fork();
    if (child == 0) {
        close(question[0]);
        close(reply[1]);
        _exit(answer(question[1], reply[0]));
    }
    close(question[1]);
    close(reply[0]);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct braid_message message = {.tag = round, .data = {round}, .fds = {-1, -1, -1, -1}};
        if (braid_ipc_send(question[0], &message, 0) != 0 || braid_ipc_recv(reply[1], &message, 0) != 0)
            return fail("a round");
        if (message.tag != round || message.data[0] != 2 * round) {
            fprintf(stderr, "round %lu came back as %lu\n", (unsigned long)round, (unsigned long)message.data[0]);
            return 1;
        }
    }
    close(question[0]);
    int status;
    waitpid(child, &status, 0);
    printf("%d round trips\n", ROUNDS);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
