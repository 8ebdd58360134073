# A panic stops every CPU and prints one report, with the names of the functions that led to it.
cpus 1 4
append debug=panic
run /bin/busybox sleep 1000
panic asked for by debug=panic
log machine_context_start
