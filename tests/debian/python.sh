# Debian's dynamic python3: threads, processes, sockets, files and modules in C.
# packages: bash coreutils python3 libc-bin
# memory: 1G
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
cd /tmp
cat > test.py <<'PYTHON'
import asyncio, concurrent.futures, ctypes, decimal, fcntl, hashlib, json, mmap, multiprocessing, os, queue, random, re, select, selectors, shutil, signal, socket, sqlite3, struct, subprocess, sys, tempfile, threading, time, zlib, lzma, gc, datetime, resource, itertools
def section(name): print("==", name, flush=True)
section("language")
print(sum(x * x for x in range(10**5)), 2**200 % 1000007, decimal.Decimal(1) / 7, f"{3.14159:.3f}")
print(hashlib.sha256(b"x" * 10**6).hexdigest()[:16], zlib.crc32(b"abc"), len(lzma.compress(bytes(10**5))), json.dumps({"b": [1, None], "a": 2.5}, sort_keys=True))
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"), sorted({3, 1, 2}), struct.unpack("<IH", b"\1\0\0\0\2\0"), datetime.datetime.fromtimestamp(0, datetime.timezone.utc))
class Node:
    def __init__(self): self.me = self
for _ in range(10000): Node()
print("collected", gc.collect() >= 0); sys.setrecursionlimit(20000)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
threading.stack_size(64 << 20); t = threading.Thread(target=lambda: print("deep", deep(8000))); t.start(); t.join(); threading.stack_size(0)
section("threads")
counter = 0; lock = threading.Lock()
def add():
    global counter
    for _ in range(500):
        with lock: counter += 1
ts = [threading.Thread(target=add) for _ in range(32)]; [t.start() for t in ts]; [t.join() for t in ts]; print(counter)
q = queue.Queue(10); out = []
def produce(n): [q.put(n * 100 + i) for i in range(50)]
def consume():
    while (x := q.get()) is not None: out.append(x)
cs = [threading.Thread(target=consume) for _ in range(4)]; ps = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
[t.start() for t in cs + ps]; [t.join() for t in ps]; [q.put(None) for _ in cs]; [t.join() for t in cs]; print(len(out), sum(out))
barrier = threading.Barrier(8); event = threading.Event(); passed = []
def meet(i): passed.append(barrier.wait() >= 0); event.wait(30)
ts = [threading.Thread(target=meet, args=(i,)) for i in range(8)]; [t.start() for t in ts]; event.set(); [t.join() for t in ts]; print(passed.count(True))
with concurrent.futures.ThreadPoolExecutor(8) as pool: print(sum(pool.map(lambda n: sum(hashlib.md5(str(n).encode()).digest()), range(300))))
local = threading.local(); local.x = 1; r = []; t = threading.Thread(target=lambda: r.append(hasattr(local, "x"))); t.start(); t.join(); print(r, threading.active_count())
section("processes")
def square(n): return n * n
def child(c): c.send(os.getpid() != os.getppid()); c.send(bytearray(10**6)); c.close()
if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool: print(sum(pool.map(square, range(200), 7)))
    a, b = multiprocessing.Pipe(); p = multiprocessing.Process(target=child, args=(b,)); p.start(); print(a.recv(), len(a.recv())); p.join(); print(p.exitcode)
    value = multiprocessing.Value("i", 0)
    def bump(v):
        for _ in range(100):
            with v.get_lock(): v.value += 1
    ps = [multiprocessing.Process(target=bump, args=(value,)) for _ in range(4)]; [p.start() for p in ps]; [p.join() for p in ps]; print(value.value)
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=10000); s.buf[:5] = b"bytes"; o = shared_memory.SharedMemory(s.name); print(bytes(o.buf[:5])); o.close(); s.close(); s.unlink()
    print(subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"through\n", capture_output=True)); print(subprocess.check_output("echo $((6*7))", shell=True))
    p = subprocess.Popen(["sleep", "30"]); p.send_signal(signal.SIGTERM); print(p.wait())
    try: subprocess.run(["sleep", "30"], timeout=0.3)
    except subprocess.TimeoutExpired: print("timed out")
    try: subprocess.run(["/no/such"])
    except FileNotFoundError as e: print(e.strerror)
    r, w = os.pipe(); pid = os.fork()
    if pid == 0: os.write(w, b"x" * 70000 if False else b"child"); os._exit(11)
    print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    print(os.posix_spawn("/bin/true", ["true"], {}) > 0, os.waitstatus_to_exitcode(os.wait()[1]))
section("signals")
got = []; signal.signal(signal.SIGALRM, lambda s, f: got.append(s)); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause(); print(got)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1}); os.kill(os.getpid(), signal.SIGUSR1); print(signal.sigpending(), signal.sigwait({signal.SIGUSR1}), signal.sigtimedwait({signal.SIGUSR1}, 0.01))
section("files")
with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "f"); f = open(path, "w+b"); f.write(b"0123456789" * 1000); f.flush()
    m = mmap.mmap(f.fileno(), 0); m[0:3] = b"abc"; print(m.find(b"9"), m[:5], os.pread(f.fileno(), 3, 0)); m.flush(); m.close()
    os.ftruncate(f.fileno(), 5); print(os.stat(path).st_size, os.path.getsize(path)); fcntl.flock(f, fcntl.LOCK_EX); f.close()
    os.makedirs(os.path.join(d, "x/y")); os.symlink("x", os.path.join(d, "l")); print(sorted(os.listdir(d)), [len(fs) for _, _, fs in os.walk(d)]); shutil.copytree(d, d + "2", symlinks=True); shutil.rmtree(d + "2")
    os.mkfifo(os.path.join(d, "p")); t = threading.Thread(target=lambda: open(os.path.join(d, "p"), "w").write("fifo")); t.start(); print(open(os.path.join(d, "p")).read()); t.join()
    db = sqlite3.connect(os.path.join(d, "db")); db.execute("create table t(a, b)"); db.executemany("insert into t values(?, ?)", ((i, str(i)) for i in range(1000))); db.commit(); print(db.execute("select sum(a), count(*) from t where b like '9%'").fetchone()); db.close()
print(os.sysconf("SC_PAGESIZE"), len(os.urandom(16)), os.access("/", os.R_OK), resource.getrlimit(resource.RLIMIT_STACK)[0] > 0)
fd = os.memfd_create("name"); os.write(fd, b"in memory"); print(os.pread(fd, 9, 0), os.readlink(f"/proc/self/fd/{fd}"))
section("sockets")
a, b = socket.socketpair(); a.sendall(b"x" * 1000); print(len(b.recv(2000))); sel = selectors.DefaultSelector(); sel.register(b, selectors.EVENT_READ); print(len(sel.select(0.01))); a.close(); print(len(sel.select(1)), b.recv(1))
server = socket.socket(socket.AF_UNIX); server.bind("/tmp/sock"); server.listen()
def client(n):
    s = socket.socket(socket.AF_UNIX); s.connect("/tmp/sock"); s.sendall(b"%d" % n); r = s.recv(100); s.close(); return r
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    fs = [pool.submit(client, n) for n in range(10)]
    for _ in fs: c, _a = server.accept(); c.sendall(b"<" + c.recv(100) + b">"); c.close()
    print(sorted(f.result() for f in fs))
e = select.epoll(); r, w = os.pipe(); e.register(r, select.EPOLLIN | select.EPOLLET); os.write(w, b"1"); print(len(e.poll(1)), len(e.poll(0.01)))
section("asyncio")
async def tick(n): await asyncio.sleep(0.01 * n); return n
async def main():
    print(await asyncio.gather(*(tick(n) for n in range(20))))
    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError: print("timeout")
    p = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1); print(await p.communicate(b"async"))
    async def serve(reader, writer): writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
    s = await asyncio.start_unix_server(serve, "/tmp/async")
    async def ask(n): r, w = await asyncio.open_unix_connection("/tmp/async"); w.write(b"line %d\n" % n); x = await r.readline(); w.close(); return x
    print((await asyncio.gather(*(ask(n) for n in range(20))))[19]); s.close(); print(await asyncio.get_running_loop().run_in_executor(None, square, 12))
if __name__ == "__main__": asyncio.run(main())
section("ctypes"); libc = ctypes.CDLL("libc.so.6", use_errno=True); print(libc.abs(-5), libc.strlen(b"four"), libc.close(-1), os.strerror(ctypes.get_errno()))
PYTHON
python3 test.py; echo "status $?"
python3 -c 'import sys; sys.exit("message")' 2>&1; echo $?; python3 -c 'import os; os.abort()'; echo $?; echo 'print(input())' > i.py; echo typed | python3 i.py
python3 -m json.tool <<< '{"a":[1,2]}'; python3 -m timeit -n 10 -r 1 pass | cut -c1-8; python3 -m zipfile -c z.zip test.py && python3 -m zipfile -l z.zip | wc -l
python3 -c "print('ok')" | python3 -c "import sys; print(sys.stdin.read().strip()[::-1])"
