# A CPU that takes no interrupts is found by another: which, where, and what every CPU does; debug kernels end there.
cpus 2 4
append debug=deaf lockup=2
run /bin/busybox sleep 1000
panic lock-up: CPU 1 takes no interrupts
log cpu 1 was at, thread deaf
log spin_for_ever
log interrupts off 1
