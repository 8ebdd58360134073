# A CPU that takes interrupts and never gives way is found, by another or by its own timer, with its thread and the lock that it holds.
cpus 2 4
append debug=stubborn lockup=2
run /bin/busybox sleep 1000
panic lock-up: CPU 1 runs kernel code that never gives way
log thread stubborn
log held: spin TimerTable
log switch::begin
