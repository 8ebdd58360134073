# Debian's dynamic gcc, make and binutils: a program of several files, a library loaded at run time, C++; built and run here.
# packages: bash coreutils gcc g++ libc6-dev make sed
# memory: 2G
export LC_ALL=C
cd /tmp
gcc -dumpversion; mkdir src; cd src
cat > list.h <<'C'
struct list { struct list *next; int value; };
struct list *push(struct list *, int);
long sum(const struct list *);
C
cat > list.c <<'C'
#include <stdlib.h>
#include "list.h"
struct list *push(struct list *l, int v) { struct list *n = malloc(sizeof *n); n->next = l; n->value = v; return n; }
long sum(const struct list *l) { long s = 0; for (; l; l = l->next) s += l->value; return s; }
C
cat > main.c <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <sys/wait.h>
#include "list.h"
static __thread int mine;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;
static void *work(void *arg) {
    struct list *l = 0;
    for (int i = 0; i < 1000; i++) { l = push(l, i); mine++; }
    pthread_mutex_lock(&lock); total += sum(l) + mine; pthread_mutex_unlock(&lock);
    return arg;
}
int main(int argc, char **argv) {
    pthread_t t[8];
    for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, work, (void *)i);
    long ends = 0; void *r;
    for (int i = 0; i < 8; i++) { pthread_join(t[i], &r); ends += (long)r; }
    printf("%s: %ld %ld %.6f %d\n", argv[1], total, ends, sqrt(2), argc);
    void *h = dlopen("./libplug.so", RTLD_NOW); int (*f)(int) = (int (*)(int))dlsym(h, "plugged");
    printf("plugged %d, missing %s\n", f(20), dlsym(h, "no_such") ? "there" : "not there");
    if (fork() == 0) { errno = 0; access("/no/such", 0); _exit(errno); }
    int status; wait(&status); printf("%s\n", strerror(WEXITSTATUS(status)));
    char *big = calloc(64, 1 << 20); big[63 << 20] = 7; printf("%d\n", big[63 << 20] + big[5]); free(big);
    return 42;
}
C
echo 'int plugged(int n) { return 2 * n + 2; }' > plug.c
cat > Makefile <<'M'
all: program libplug.so
program: main.o list.o
	$(CC) -o $@ $^ -lm
%.o: %.c list.h
	$(CC) -O2 -Wall -pthread -c -o $@ $<
libplug.so: plug.c
	$(CC) -shared -fPIC -o $@ $<
M
make -j4 > log 2>&1; echo "make $?"; sort log | wc -l; ./program first; echo "status $?"; touch list.h; make 2>&1 | grep -c '^cc'
gcc -static -O1 -o static main.c list.c -lm 2>/dev/null; ./static second; echo "status $?"
gcc -S -O2 -o - plug.c | grep -c lea; echo 'int main( { }' | gcc -x c - 2>&1 | grep -c error; objdump -d libplug.so | grep -c '<plugged>:'; nm program | grep -c ' T main'; strip program && ./program third | head -1
cat > t.cc <<'C'
#include <iostream>
#include <map>
#include <thread>
#include <vector>
#include <stdexcept>
#include <future>
int main() {
    std::map<std::string, int> m{{"a", 1}, {"b", 2}}; for (auto &[k, v] : m) std::cout << k << v << ' ';
    std::vector<std::future<long>> f; for (int i = 0; i < 6; i++) f.push_back(std::async(std::launch::async, [i] { long s = 0; for (int j = 0; j < 10000; j++) s += i * j; return s; }));
    long s = 0; for (auto &x : f) s += x.get(); std::cout << s << '\n';
    try { std::thread([] {}).join(); throw std::runtime_error("thrown"); } catch (std::exception &e) { std::cout << e.what() << '\n'; }
}
C
g++ -O1 -std=c++17 -o t t.cc && ./t; echo "status $?"
