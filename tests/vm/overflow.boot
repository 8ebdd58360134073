# A kernel stack that overflows hits its guard page, and the report says so.
cpus 1 4
append debug=overflow
run /bin/busybox sleep 1000
panic stack overflow
