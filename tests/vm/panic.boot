# A panic stops every CPU and prints one report, with the names of the functions that led to it.
cpus 1 4
append crash=panic
run /bin/busybox sleep 1000
panic braid: panic
log kernel_main
