# An empty standard input ends at once.
cpus 1
run /bin/busybox cat
stdout-is-stdin
