# With too little memory for its root the kernel says so and ends.
cpus 1 4
memory 10M
run /bin/busybox true
refused
