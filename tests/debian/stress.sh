# Debian's stress-ng, with its own verification: memory, processes, threads, locks and pipes under pressure.
# packages: bash coreutils stress-ng grep sed
# memory: 2G
# seconds: 600
cd /tmp
run() { timeout 120 stress-ng --verify --timeout 6s --metrics-brief "$@" > log 2>&1; local status=$?; echo "$* : $status $(grep -c 'fail:' log)"; [ $status = 0 ] || cat log >&2; }
run --vm 2 --vm-bytes 64M
run --fork 4
run --futex 4
run --pipe 4
run --mmap 2 --mmap-bytes 32M
run --clone 4
run --vm 2 --vm-bytes 32M --fork 2 --futex 2 --pipe 2 --mmap 2 --mmap-bytes 16M --clone 2
