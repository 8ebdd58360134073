# Without an initial root the kernel says what is missing and ends.
cpus 1
root none
run /bin/busybox true
log /bin/busybox
refused
