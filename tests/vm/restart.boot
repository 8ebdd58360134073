# A restart ends the machine with success, and so does a halt.
cpus 1 4
run /bin/busybox reboot -f
log restarts the machine
status 0
