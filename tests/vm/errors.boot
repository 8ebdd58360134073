# Standard error is a stream of its own.
cpus 1 4
run /bin/busybox sh -c 'echo to output; echo to errors >&2'
stdout to output
stderr to errors
