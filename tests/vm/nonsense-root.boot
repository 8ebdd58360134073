# Bytes that never were an archive are refused in words.
cpus 1 2
root nonsense 300001
run /bin/busybox true
log initial root
refused
