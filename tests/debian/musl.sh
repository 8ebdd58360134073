# A dynamic program of musl's, by Debian's musl-gcc, with musl's own loader and library: threads, a library loaded at run time, processes.
# packages: bash coreutils sed grep gcc libc6-dev musl-tools
# memory: 2G
export LC_ALL=C
cd /tmp
cat > library.c <<'C'
#include <string.h>
static __thread int calls;
int count(const char *word) { calls++; return (int)strlen(word) * 10 + calls; }
C
cat > program.c <<'C'
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static int (*count)(const char *);
static long sum;
static volatile sig_atomic_t caught;
static void note(int number) { caught += number; }
static void *work(void *name) {
    pthread_barrier_wait(&barrier);
    long mine = 0;
    for (int i = 0; i < 1000; i++) {
        free(malloc(1 + i * 37 % 5000));
        pthread_mutex_lock(&lock); sum++; pthread_mutex_unlock(&lock);
    }
    for (int i = 0; i < 3; i++) mine = count(name);
    return (void *)mine;
}
int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    void *library = dlopen("./library.so", RTLD_NOW);
    if (!library) return puts(dlerror()), 1;
    count = dlsym(library, "count");
    printf("%d %d %s\n", argc, count("main"), dlsym(library, "nothing") ? "found" : "not found");
    pthread_t threads[8];
    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, work, "threads" + i % 7);
    for (int i = 0; i < 8; i++) { void *answer; pthread_join(threads[i], &answer); printf("%ld ", (long)answer); }
    printf("\nsum %ld\n", sum);
    signal(SIGUSR1, note); raise(SIGUSR1); printf("caught %d\n", caught == SIGUSR1);
    int pipes[2]; pipe(pipes);
    if (!fork()) { dup2(pipes[1], 1); execl("/bin/echo", "echo", "from a program of glibc's", (char *)NULL); _exit(9); }
    char line[100]; ssize_t got = read(pipes[0], line, sizeof line); int status; wait(&status);
    printf("%.*s%d\n", (int)got, line, WEXITSTATUS(status));
    FILE *shell = popen("cat /proc/self/comm; exit 3", "r"); fgets(line, sizeof line, shell); printf("%s%d\n", line, WEXITSTATUS(pclose(shell)));
    struct timespec now; printf("%d %d\n", clock_gettime(CLOCK_MONOTONIC, &now), close(-1) == -1 && errno == EBADF);
    char path[100] = {0}; readlink("/proc/self/exe", path, sizeof path - 1); printf("%s %s\n", path, strerror(ENOENT));
    char *name = NULL; size_t size = 0; FILE *maps = fopen("/proc/self/maps", "r"); int loaders = 0;
    while (getline(&name, &size, maps) > 0) loaders += strstr(name, "musl") != NULL && strstr(name, "r-xp") != NULL;
    printf("musl's code is mapped %d time\n", loaders);
    return 7;
}
C
musl-gcc -shared -fPIC -O1 -o library.so library.c && musl-gcc -O1 -o program program.c -L/lib/x86_64-linux-musl && ./program one two; echo "status $?"
od -c -A n -N 4 program; grep -c ld-musl-x86_64.so.1 program 2> /dev/null || strings program | head -1
/lib/ld-musl-x86_64.so.1 ./program > by-loader; echo "by its loader: $?"; sed -n 3,4p by-loader
/lib/ld-musl-x86_64.so.1 --list ./program | sed 's/ (0x.*//'
