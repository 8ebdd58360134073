# A root archive that is cut short is reported, and what came before the cut is used.
cpus 1 2
root truncated 2200000
run /bin/busybox sh -c 'echo here; exit 3'
stdout here
status 3
log initial root
