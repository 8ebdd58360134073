# Every byte value passes in both directions unchanged.
cpus 1 4
stdin-bytes 70000
run /bin/busybox cat
stdout-is-stdin
