# A root archive cut within its first header harms nobody.
cpus 1
root truncated 60
run /bin/busybox true
log initial root
refused
