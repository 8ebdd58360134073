# A first program that dies of a signal ends the machine with 128 + its number.
cpus 1 4
run /bin/busybox sh -c 'kill -SEGV $$'
status 139
