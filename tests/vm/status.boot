# The first program's exit status is the machine's, and it sees every CPU.
cpus 1 2 3 4 8 16
run /bin/busybox sh -c 'nproc; grep -c ^processor /proc/cpuinfo; exit 7'
stdout ${cpus}
stdout ${cpus}
status 7
not-in-log did not come up
