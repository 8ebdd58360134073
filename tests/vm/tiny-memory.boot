# With hardly more memory than it takes with its root, the kernel says so and ends.
cpus 1 4
memory-beside-root 300K
run /bin/busybox true
refused
